export * from './client.js';
export * from './keyspace.js';
export { keyBytes } from './keys.js';
export * from './machine.js';
export { MemoryStore, memory } from './stores/memory.js';
export { file } from './topology/file.js';
export { fixed } from './topology/fixed.js';
export { type HttpOptions, http } from './topology/http.js';
export type * from './types.js';
export type {
  Asking,
  CallOptions,
  Change,
  ClientOptions,
  Ended,
  Figures,
  Request,
  Response,
  Row,
  ShadowFigures,
  Store,
  Topology,
  Value,
  Written,
} from './client-types.js';
