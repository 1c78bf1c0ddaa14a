export { Client } from './client.js';
export { keyBytes } from './keys.js';
export { ClientKeyspace, type Runner } from './keyspace.js';
export {
  Keyspace, MemoryShard, Operation, RefreshGate, Router, Shadow, Snapshot, Transaction, decide,
  decideBatch, errorCodes, homes, recipe,
  rowDigest, statements, type Home, type Recipe,
} from './machine.js';
export type { Tx } from './transaction.js';
export { RingshiftError } from './shapes.js';
export { MemoryStore, memory } from './stores/memory.js';
export { file } from './topology/file.js';
export { fixed } from './topology/fixed.js';
export { http, type HttpOptions } from './topology/http.js';
export type * from './types.js';
export type {
  Asking, BatchResponse, CallOptions, Change, Committed, ClientOptions, Ended, Figures, Request, Response, Row, ShadowFigures, Store,
  Topology, Value, Written,
} from './client-types.js';
