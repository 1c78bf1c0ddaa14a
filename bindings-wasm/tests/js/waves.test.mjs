// Keys in the middle of a move: two shards in files, with the guard rows of one phase.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { RingshiftError, keyBytes } from 'ringshift';
import { recipe } from 'ringshift/local';
import { sqlite } from 'ringshift/stores/sqlite';
import { between, demo, keysIn, open, text } from './clusters.mjs';
import { databases } from './databases.mjs';

const [AUTHORITY, MIRROR, READABLE_MIRROR] = [1n, 2n, 3n];
const { statements } = recipe();

for (const [name, Database] of Object.entries(databases)) {
  /** The vectors' cluster in a phase; `work` is given files and a client over them. */
  const inPhase = (title, phase, mirror, work) =>
    test(`${name}: ${title}`, async () => {
      const snapshot = demo(phase);
      const folder = mkdtempSync(join(tmpdir(), 'ringshift-'));
      const path = (shard) => join(folder, `${shard}.db`);
      const store = sqlite({ path, database: Database });
      await store.setUp(snapshot);
      const raw = Object.fromEntries(['pg-1', 'pg-2'].map((s) => [s, new Database(path(s))]));
      const run = (shard, statement, ...values) => raw[shard].prepare(statement).run(numbered(values));
      const epoch = BigInt(snapshot.epoch);
      for (const [shard, role] of [['pg-1', AUTHORITY], ['pg-2', mirror]]) {
        run(shard, statements.GUARD_PUT, 5n, 0n, epoch, role, 0n, 0n, 1n, epoch);
        run(shard, statements.CLAIM_SLOTS, 0n, 0n, 12n, 5n);
      }
      const row = (shard, sql) => ({ ...raw[shard].prepare(sql).get() });
      const rows = (shard, key) =>
        raw[shard]
          .prepare('SELECT CAST(value AS TEXT) AS value FROM ringshift_row WHERE key = ?1')
          .all(numbered([keyBytes(key)]))
          .map(({ value }) => value);
      try {
        await work({ snapshot, store, rows, run, row });
      } finally {
        for (const database of Object.values(raw)) database.close();
        store.close();
        rmSync(folder, { recursive: true });
      }
    });

  inPhase('a mirror that refuses leaves the outcome open', 'in read-new', READABLE_MIRROR,
    async ({ snapshot, store, rows }) => {
      const refusal = new RingshiftError('store_format', 'the mirror is no shard');
      const broken = between(store, (attempt, _request, send) => {
        if (attempt.kind === 'apply') throw refusal;
        return send();
      });
      const client = await open(snapshot, { store: broken });
      const orders = client.keyspace('orders');
      const [key] = keysIn(orders, 1, (slot) => slot < 12);
      // The authority has taken the write, so the store's error would be a lie.
      const said = await orders.put(key, 'taken').catch((error) => error);
      assert.deepEqual([said.code, said.cause], ['indeterminate', refusal]);
      assert.deepEqual(rows('pg-1', key), ['taken']);
      await client.close();
    });

  inPhase('a relaxed write is answered first and mirrored then', 'in double-write', MIRROR,
    async ({ snapshot, store, rows }) => {
      const slow = between(store, async (attempt, _request, send) => {
        if (attempt.kind === 'apply') await sleep(50);
        return send();
      });
      const client = await open(snapshot, { store: slow });
      const orders = client.keyspace('orders');
      const [key] = keysIn(orders, 1, (slot) => slot < 12);
      assert.equal(orders.describe(key).phase, 'double-write');
      const shares = await orders.forEachShard(({ mirrored }) => mirrored);
      assert.deepEqual([...shares], [['pg-1', 0], ['pg-2', 12], ['pg-3', 0]]);
      assert.equal((await orders.put(key, 'moving')).lagging, 'pg-2');
      assert.deepEqual(rows('pg-2', key), []);
      await client.close();
      assert.deepEqual(rows('pg-1', key), ['moving']);
      assert.deepEqual(rows('pg-2', key), ['moving']);
      const again = await open(snapshot, { store });
      await again.keyspace('orders').delete(key);
      await again.close();
      // In a wave a delete is a tombstone, on both sides.
      assert.deepEqual([rows('pg-1', key), rows('pg-2', key)], [[null], [null]]);
    });

  inPhase('a mirror that fails in the background fails nobody', 'in double-write', MIRROR,
    async ({ snapshot, store, rows }) => {
      const dead = between(store, (attempt, _request, send) => {
        if (attempt.shard === 1) return send();
        throw new Error('unplugged');
      });
      const client = await open(snapshot, { store: dead });
      const orders = client.keyspace('orders');
      const [key] = keysIn(orders, 1, (slot) => slot < 12);
      assert.equal((await orders.put(key, 'v')).lagging, 'pg-2');
      await client.close();
      assert.deepEqual([rows('pg-1', key), rows('pg-2', key)], [['v'], []]);
    });

  inPhase('a strict write is on both sides when it is answered', 'in shadow-read', MIRROR,
    async ({ snapshot, store, rows }) => {
      const sent = [];
      const watched = between(store, (attempt, _request, send) => {
        sent.push([attempt.shard, attempt.kind]);
        return send();
      });
      const client = await open(snapshot, { store: watched, policy: { deadlineMs: 200 } });
      const orders = client.keyspace('orders');
      const [key] = keysIn(orders, 1, (slot) => slot < 12);
      assert.equal((await orders.put(key, 'both')).lagging, null);
      assert.deepEqual([rows('pg-1', key), rows('pg-2', key)], [['both'], ['both']]);
      assert.deepEqual(sent, [[1, 'write'], [2, 'apply']]);
    });

  inPhase('a strict write without its mirror is indeterminate', 'in shadow-read', MIRROR,
    async ({ snapshot, store }) => {
      const dead = between(store, (attempt, _request, send) =>
        attempt.shard === 1 ? send() : { reply: { type: 'failed', failure: 'not_sent' } });
      const client = await open(snapshot, { store: dead, policy: { deadlineMs: 100 } });
      const orders = client.keyspace('orders');
      const [key] = keysIn(orders, 1, (slot) => slot < 12);
      await assert.rejects(orders.put(key, 'v'), (error) => {
        assert.equal(error.code, 'indeterminate');
        assert.equal(typeof error.version, 'bigint');
        return true;
      });
    });

  inPhase('sampled reads are compared in the background', 'in shadow-read', MIRROR,
    async ({ snapshot, store, run }) => {
      const client = await open(snapshot, { store });
      const orders = client.keyspace('orders');
      const keys = keysIn(orders, 200, (slot) => slot < 12);
      for (const key of keys) await orders.put(key, key);
      assert.deepEqual((await orders.getMany(keys)).map(text), keys);
      await sleep(20);
      const { same, ...others } = client.figures().shadows;
      // Half of all keys, by their hash.
      assert.ok(same > 60 && same < 140, `${same}`);
      assert.deepEqual(others, { mismatches: 0, unsure: 0, dropped: 0 });
      run('pg-2', 'DELETE FROM ringshift_row WHERE 1');
      await orders.getMany(keys);
      await sleep(20);
      assert.equal(client.figures().shadows.mismatches, 0, 'before the second look');
      await sleep(900);
      assert.equal(client.figures().shadows.mismatches, same);
      assert.equal(client.figures().shadows.same, same);
      // The same versions with other content.
      for (const key of keys) await orders.put(key, key);
      run('pg-2', "UPDATE ringshift_row SET value = x'00'");
      await orders.getMany(keys);
      await sleep(900);
      assert.equal(client.figures().shadows.mismatches, 2 * same);
      await orders.getMany(keys);
      await client.close();
      await sleep(20);
      assert.equal(client.figures().shadows.dropped, same);
    });

  inPhase('a read that misses at the new place repairs it', 'in read-new', READABLE_MIRROR,
    async ({ snapshot, store, rows, run, row }) => {
      const client = await open(snapshot, { store });
      const orders = client.keyspace('orders');
      const inside = (key) => orders.explain(key).reads.length === 2;
      const key = keysIn(orders, 40, (slot) => slot < 12).find(inside);
      await orders.put(key, 'kept');
      await client.close();
      run('pg-2', 'DELETE FROM ringshift_row WHERE 1');
      const after = (await open(snapshot, { store })).keyspace('orders');
      assert.equal(text(await after.get(key)), 'kept');
      assert.deepEqual(rows('pg-2', key), ['kept']);
      // With its own history: the operation that made it what it is, and its version.
      const history = (shard) => row(shard, 'SELECT hex(op) AS op, version FROM ringshift_row');
      assert.deepEqual(history('pg-2'), history('pg-1'));
    });
}

function numbered(values) {
  return Object.fromEntries(values.map((value, at) => [at + 1, value]));
}
