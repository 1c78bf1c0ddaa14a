// Clusters that several tests use: the same in memory and in files.
import { readFileSync } from 'node:fs';
import { Client, Snapshot, fixed } from 'ringshift';
import { fromTopology, memory } from 'ringshift/local';

const vectors = JSON.parse(
  readFileSync(new URL('../../../core/tests/vectors/snapshot.json', import.meta.url), 'utf8'),
);

/** A snapshot of the vectors' cluster `demo`, whose keyspace `orders` has 16 slots. */
export function demo(name) {
  const { bytes } = vectors.snapshots.cases.find((one) => one.name === `demo ${name}`);
  return Snapshot.decode(Buffer.from(bytes, 'hex'));
}

/** Three shards at rest. */
export function resting(cluster = 'rest') {
  const shards = [1, 2, 3].map((id) => ({ id, name: `pg-${id}`, endpoint: `pg-${id}.db` }));
  return fromTopology({ cluster, keyspaces: { orders: { bits: 6 } }, shards });
}

/** `count` keys, of those that the keyspace has in a slot that `wanted` takes. */
export function keysIn(keyspace, count, wanted) {
  const keys = [];
  for (let i = 0; keys.length < count; i++) {
    if (wanted(keyspace.describe(`key:${i}`).slot)) keys.push(`key:${i}`);
  }
  return keys;
}

/** A client over its own shards in memory. */
export function open(snapshot, { store = memory(), topology = fixed(snapshot), ...more } = {}) {
  return Client.open({ topology, store, ...more });
}

/** A store that calls `meet(attempt, request, send)` in place of another store's `send`. */
export function between(store, meet) {
  return {
    install: (snapshot) => store.install(snapshot),
    send: (attempt, request) => meet(attempt, request, () => store.send(attempt, request)),
  };
}

/** A topology that answers what it was last given, and counts. */
export function moving(snapshot) {
  return {
    now: snapshot,
    asked: 0,
    async fetch(newerThan) {
      this.asked += 1;
      await new Promise((done) => setTimeout(done, 20));
      return this.now.epoch > newerThan ? this.now : null;
    },
  };
}

export const text = (row) => (row === null ? null : Buffer.from(row.value).toString());
export const code = (error) => error.code;
