export { Client } from './client.js';
export { keyBytes } from './keys.js';
export { ClientKeyspace, type Runner } from './keyspace.js';
export { Keyspace, Operation, RefreshGate, Router, Shadow, Snapshot, errorCodes, rowDigest } from './machine.js';
export { RingshiftError } from './shapes.js';
export { file, type FileOptions } from './topology/file.js';
export { fixed } from './topology/fixed.js';
export { http, type HttpOptions } from './topology/http.js';
export type * from './types.js';
export type {
  Asking, BatchResponse, CallOptions, Change, Committed, ClientOptions, Ended, Figures, Request, Response, Row, ShadowFigures, Store,
  Topology, Value, Written,
} from './client-types.js';
