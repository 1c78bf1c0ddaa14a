import { MemoryShard } from './migrate.js';
import { MemoryStore } from './stores/memory.js';

export * from './main.js';
export { decide, decideBatch, fromTopology, homes, recipe, statements, type Home, type Recipe } from './local.js';
export { Pins, Transaction, transaction, type Tx } from './transactions-main.js';
export { carryOut, type CarryOutOptions, type Shards, type TopologyStore } from './carry-out.js';
export { Pace, adviseStrategy, allowed, checklist, judge } from './gates.js';
export { Meter, addLoads, advise } from './advise.js';
export { Pulse, StoreWatch, measured } from './pulse.js';
export { Report } from './report.js';
export type * from './advise-types.js';
export type * from './report-types.js';
export { MemoryStore } from './stores/memory.js';
export {
  Chunks, Coordinator, Guard, MemoryShard, Plan, TopologyRecord, homeInstalls, phases, plan,
  sqliteCommand, waves,
} from './migrate.js';

/** A store of its own, in memory, whose shards take a coordinator's commands. */
export const memory = (): MemoryStore<MemoryShard> => new MemoryStore(MemoryShard);
