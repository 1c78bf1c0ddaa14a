export * from './main.js';
export {
  Chunks, Coordinator, Guard, MemoryShard, Plan, TopologyRecord, homeInstalls, phases, plan, waves,
} from './migrate.js';
