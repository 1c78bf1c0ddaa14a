import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { RingshiftError } from 'ringshift';
import { recipe } from 'ringshift/local';
import { sqlite } from 'ringshift/stores/sqlite';
import { open, resting, text } from './clusters.mjs';
import { databases } from './databases.mjs';

const snapshot = resting();

for (const [name, Database] of Object.entries(databases)) {
  const inFolder = (title, work) =>
    test(`${name}: ${title}`, async () => {
      const folder = mkdtempSync(join(tmpdir(), 'ringshift-'));
      const path = (shard) => join(folder, `${shard}.db`);
      const stores = [];
      const store = (options) => {
        stores.push(sqlite({ path, database: Database, ...options }));
        return stores.at(-1);
      };
      try {
        await work({ path, store });
      } finally {
        for (const one of stores) one.close();
        rmSync(folder, { recursive: true });
      }
    });

  inFolder('keeps rows, values of no bytes too, from one process to the next', async ({ store }) => {
    const first = store();
    await first.setUp(snapshot);
    const orders = (await open(snapshot, { store: first })).keyspace('orders');
    const { version } = await orders.put('k', '');
    await orders.put(['a', 1], new Uint8Array([0, 255]));
    await orders.put('gone', 'x');
    await orders.delete('gone');
    first.close();
    const second = (await open(snapshot, { store: store() })).keyspace('orders');
    assert.deepEqual(await second.get('k'), { value: new Uint8Array(), version });
    assert.deepEqual((await second.get(['a', 1])).value, new Uint8Array([0, 255]));
    assert.equal(await second.get('gone'), null);
    // The floor: what comes after a removed row is newer than it was.
    const again = await second.put('gone', 'y');
    assert.ok(again.version > version);
    await assert.rejects(second.putIf('k', 'z', 1n), { code: 'version_conflict', found: version });
  });

  inFolder('makes files as the recipe says', async ({ path, store }) => {
    await store().setUp(snapshot);
    const raw = new Database(path('pg-1'));
    const first = (sql) => Object.values(raw.prepare(sql).get());
    assert.deepEqual(first('PRAGMA journal_mode'), ['wal']);
    assert.deepEqual(first('SELECT format, revision, term, length(incarnation) FROM ringshift_meta'), [
      recipe().format, 0, 0, 16,
    ]);
    assert.deepEqual(first('SELECT count(*), min(role), max(closed) FROM ringshift_guard'), [1, 1, 0]);
    const again = store();
    const orders = (await open(snapshot, { store: again })).keyspace('orders');
    assert.deepEqual(first('SELECT count(*) FROM ringshift_slot'), [orders.shards()[0].slots]);
    const keys = [...Array(99).keys()].map((k) => `key:${k}`).filter((k) => orders.shardOf(k) === 'pg-1');
    const [a, b] = keys.filter((key) => orders.describe(key).slot > 0);
    await orders.put(a, 'one');
    await orders.put(b, 'two');
    await orders.put(a, 'three');
    await orders.delete(b);
    await orders.delete(b);
    // The third and fourth change; a delete of nothing is none.
    assert.deepEqual(first('SELECT revision FROM ringshift_meta'), [4]);
    assert.deepEqual(first('SELECT keyspace, bits FROM ringshift_keyspace'), [0, 6]);
    const { slot } = orders.describe(a);
    assert.deepEqual(
      first('SELECT stored_slot >> 14, CAST(key AS TEXT), revision, length(op), CAST(value AS TEXT) FROM ringshift_row'),
      [slot, a, 3, 16, 'three'],
    );
    const floor = first(`SELECT floor FROM ringshift_slot WHERE slot = ${orders.describe(b).slot}`);
    assert.deepEqual(floor, [2 ** 32 + 2]);
    raw.close();
  });

  inFolder('sets up once: what a coordinator has been at stays', async ({ path, store }) => {
    await store().setUp(snapshot);
    const raw = new Database(path('pg-1'));
    raw.exec('UPDATE ringshift_guard SET epoch = 9');
    await store().setUp(snapshot);
    assert.deepEqual(Object.values(raw.prepare('SELECT epoch FROM ringshift_guard').get()), [9]);
    raw.close();
    // The client is behind now: it can't be told by a topology that knows nothing newer.
    const client = await open(snapshot, { store: store(), policy: { deadlineMs: 60 } });
    const orders = client.keyspace('orders');
    const key = [...Array(99).keys()].map(String).find((k) => orders.shardOf(k) === 'pg-1');
    await assert.rejects(orders.get(key), (error) => {
      assert.equal(error.code, 'deadline');
      assert.deepEqual(error.last, { code: 'stale_epoch', current: 9, drained: 0 });
      return true;
    });
    assert.ok(client.figures().refreshes > 0);
  });

  inFolder('a shard that nobody set up owns nothing', async ({ store }) => {
    const client = await open(snapshot, { store: store(), policy: { deadlineMs: 60 } });
    await assert.rejects(client.keyspace('orders').get('k'), {
      code: 'deadline',
      last: { code: 'not_owner' },
    });
  });

  inFolder('files of something else are refused, and left as they are', async ({ path, store }) => {
    const foreign = new Database(path('pg-1'));
    foreign.exec('CREATE TABLE theirs (a); PRAGMA user_version = 7');
    foreign.close();
    const before = readFileSync(path('pg-1'));
    writeFileSync(path('pg-2'), 'neither a shard nor a database, but long enough');
    writeFileSync(path('pg-3'), 'short');
    const client = await open(snapshot, { store: store() });
    const orders = client.keyspace('orders');
    for (const shard of ['pg-1', 'pg-2', 'pg-3']) {
      const key = [...Array(99).keys()].map(String).find((k) => orders.shardOf(k) === shard);
      await assert.rejects(orders.put(key, 'v'), (error) => {
        assert.ok(error instanceof RingshiftError);
        assert.equal(error.code, 'store_format');
        assert.ok(error.message.includes(path(shard)), error.message);
        return true;
      });
    }
    assert.deepEqual(readFileSync(path('pg-1')), before);
    assert.ok(!existsSync(`${path('pg-1')}-wal`));
    await assert.rejects(store().setUp(snapshot), { code: 'store_format' });
  });

  inFolder('a later format is refused', async ({ path, store }) => {
    await store().setUp(snapshot);
    const raw = new Database(path('pg-1'));
    raw.exec('UPDATE ringshift_meta SET format = 99');
    raw.close();
    await assert.rejects(store().setUp(snapshot), (error) => {
      assert.equal(error.code, 'store_format');
      assert.match(error.message, /format 99/);
      return true;
    });
  });

  inFolder('another process that writes for long: busy, and then not', async ({ path, store }) => {
    await store().setUp(snapshot);
    const other = new Database(path('pg-1'));
    const client = await open(snapshot, { store: store({ busyMs: 10 }), policy: { deadlineMs: 200 } });
    const orders = client.keyspace('orders');
    const key = [...Array(99).keys()].map(String).find((k) => orders.shardOf(k) === 'pg-1');
    await orders.put(key, 'before');
    other.exec('BEGIN IMMEDIATE');
    const busy = orders.put(key, 'v');
    await assert.rejects(busy, (error) => {
      assert.equal(error.code, 'deadline', 'it certainly was not done');
      assert.equal(error.cause.code, 'store_busy');
      return true;
    });
    assert.equal(text(await orders.get(key)), 'before', 'readers are not held up');
    setTimeout(() => other.exec('COMMIT'), 40);
    await orders.put(key, 'after');
    assert.equal(text(await orders.get(key)), 'after');
    other.close();
  });

  inFolder('damage is said, not guessed around', async ({ path, store }) => {
    const damaged = store();
    await damaged.setUp(snapshot);
    const client = await open(snapshot, { store: damaged, policy: { deadlineMs: 60 } });
    const orders = client.keyspace('orders');
    const raw = new Database(path(orders.shardOf('k')));
    raw.exec('UPDATE ringshift_guard SET authority_epoch = -4');
    raw.close();
    await assert.rejects(orders.put('k', 'v'), (error) => {
      assert.equal(error.code, 'deadline');
      assert.equal(error.cause.code, 'store_damaged');
      return true;
    });
  });
}

const major = Number(process.versions.node.split('.')[0]);
const skip = major < 22 && 'this Node has no SQLite of its own: `npm run test:24`';
test('both kinds of SQLite were tested', { skip }, () => {
  assert.deepEqual(Object.keys(databases), ['node:sqlite', 'better-sqlite3']);
});
