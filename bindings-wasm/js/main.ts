export {
  Keyspace, MemoryShard, Operation, RefreshGate, Router, Shadow, Snapshot, decide, errorCodes, recipe,
  rowDigest, statements, type Recipe,
} from './machine.js';
export { RingshiftError } from './shapes.js';
export type * from './types.js';
