// The package as it was built, and what several tests need.
import { readFileSync } from 'node:fs';
import * as ringshift from '../../../dist/npm/package/dist/node.mjs';
import * as local from '../../../dist/npm/package/dist/node-local.mjs';

export { local, ringshift };

const vectors = new URL('../../../core/tests/vectors/', import.meta.url);
export const read = (name) => JSON.parse(readFileSync(new URL(`${name}.json`, vectors), 'utf8'));
export const unhex = (hex) => (typeof hex === 'string'
  ? Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
  : unhex(hex.repeat.repeat(hex.count)));
export const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

/** The slug that `call` throws, or what it answers. */
export function slug(call) {
  try {
    return call();
  } catch (error) {
    if (error instanceof ringshift.RingshiftError) return error.code;
    throw error;
  }
}

export const topology = (keyspace = {}, shards = [{ id: 1, name: 'a' }, { id: 2, name: 'b' }]) => (
  { cluster: 'demo', keyspaces: { orders: keyspace }, shards });
export const router = (...of) => new ringshift.Router(local.fromTopology(topology(...of)));
