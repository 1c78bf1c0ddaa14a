// A whole migration by this process, on its own embedded stores, while it reads and writes.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'ringshift';
import { TopologyRecord, carryOut, fromTopology, memory, plan } from 'ringshift/migrate';
import { sqlite } from 'ringshift/stores/sqlite';
import { text } from './clusters.mjs';
import { databases } from './databases.mjs';

const KEYS = Array.from({ length: 40 }, (_, n) => `user:${n}`);
const QUICK = {
  shadow_ms: 100, ramps_ppm: [300_000, 1_000_000], ramp_ms: 60, reversed_ms: 60, chunk_rows: 7, retry_ms: 5,
};
const shards = [1, 2, 3].map((id) => ({ id, name: `pg-${id}` }));
const JOINS = { add: [{ id: 4, name: 'pg-4' }] };
const FIRST = () => fromTopology({ cluster: 'demo', keyspaces: { orders: { bits: 6 } }, shards });

/** Counters that clients raise by one each, all the time, while `migrate` runs. */
async function whileWriting(store, record, migrate, check) {
  const client = await Client.open({ topology: record, store, policy: { deadlineMs: 20_000 } });
  const orders = client.keyspace('orders');
  const added = new Map(KEYS.map((key) => [key, 0]));
  const phases = new Set();
  let over = false;

  async function work(turn) {
    for (; !over; turn++) {
      const key = KEYS[turn % KEYS.length];
      phases.add(orders.describe(key).phase);
      const row = await orders.get(key);
      await sleep(0);
      try {
        await orders.putIf(key, String(Number(text(row) ?? 0) + 1), row?.version ?? null);
        added.set(key, added.get(key) + 1);
      } catch (error) {
        if (error.code !== 'version_conflict') throw error;
      }
      await sleep(0);
    }
  }

  const workers = Promise.all([0, 7, 14, 21].map(work));
  try {
    await sleep(50);
    const ended = await Promise.race([migrate(), workers]);
    over = true;
    await workers;
    assert.ok([...added.values()].reduce((sum, one) => sum + one) > 100, 'they wrote all the time');
    await client.refresh();
    for (const row of KEYS.filter((key) => added.get(key) === 0)) await orders.put(row, '0');
    const rows = await orders.getMany(KEYS);
    KEYS.forEach((key, at) => assert.equal(Number(text(rows[at])), added.get(key), key));
    const { shadows } = client.figures();
    assert.equal(shadows.mismatches, 0);
    check({ ended, phases, names: new Set(KEYS.map((key) => orders.shardOf(key))), snapshot: client.snapshot });
  } finally {
    over = true;
    await client.close();
  }
}

function onEveryStore(what, body) {
  test(`${what}, in memory`, () => body(memory()));
  for (const [name, database] of Object.entries(databases)) {
    test(`${what}, on ${name}`, async () => {
      const folder = mkdtempSync(join(tmpdir(), 'ringshift-'));
      const store = sqlite({ path: (name) => join(folder, `${name}.db`), database });
      try {
        await store.setUp(FIRST());
        await body(store);
      } finally {
        store.close();
        rmSync(folder, { recursive: true });
      }
    });
  }
}

/** What `carryOut` is given, and what its coordinator has said at the end. */
function migration(store, record, more = {}) {
  const seen = { commands: 0, mismatches: [] };
  const each = (coordinator, action, answer, error) => {
    seen.commands += 1;
    seen.mismatches = coordinator.mismatches;
    if (error !== undefined) throw error;
    more.each?.(coordinator, action, answer);
  };
  const begun = 'plan' in more ? {} : { plan: plan(record.snapshot, JOINS) };
  const given = { topology: record, store, term: record.drawTerm(), settings: QUICK, ...begun, ...more, each };
  return [() => carryOut(given), seen];
}

onEveryStore('a shard joins, and nothing is lost', async (store) => {
  const record = TopologyRecord.create(FIRST());
  const [migrate, seen] = migration(store, record);
  await whileWriting(store, record, migrate, ({ ended, phases, names, snapshot }) => {
    assert.equal(ended, 'complete');
    assert.ok(names.has('pg-4'), [...names].join());
    assert.equal(snapshot.shards.length, 4);
    // They hear of a phase when they have to, not of each.
    assert.ok(phases.has('read-new') || phases.has('reversed'), [...phases].join());
  });
  assert.deepEqual(seen.mismatches, []);
  assert.ok(seen.commands > 50, `${seen.commands} commands`);
});

onEveryStore('one that is turned back loses nothing either', async (store) => {
  const record = TopologyRecord.create(FIRST());
  const [migrate] = migration(store, record, {
    each: (coordinator) => void (record.snapshot.epoch > 6 && coordinator.rollBack('a test')),
  });
  await whileWriting(store, record, migrate, ({ ended, names, snapshot }) => {
    assert.deepEqual(ended, { 'rolled-back': { reason: 'a test' } });
    assert.deepEqual([...names].sort(), ['pg-1', 'pg-2', 'pg-3']);
    assert.equal(snapshot.shards.length, 3);
  });
});

onEveryStore('one that was stopped is taken over', async (store) => {
  const record = TopologyRecord.create(FIRST());
  const controller = new AbortController();
  const stop = new Error('stop');
  const [first] = migration(store, record, {
    signal: controller.signal,
    each: () => void (record.snapshot.epoch > 4 && controller.abort(stop)),
  });
  await whileWriting(
    store, record,
    async () => {
      await assert.rejects(first(), (error) => error === stop);
      const [second] = migration(store, record, { plan: null });
      return second();
    },
    ({ ended, names }) => {
      assert.equal(ended, 'complete');
      assert.ok(names.has('pg-4'), [...names].join());
    },
  );
});

test('a shard that no snapshot has named is asked again, and says why', async () => {
  const store = sqlite({ path: () => assert.fail('it was opened'), database: class {} });
  const record = TopologyRecord.create(FIRST());
  const controller = new AbortController();
  const seen = [];
  const each = (_coordinator, { shard }, answer, error) => {
    if (shard === null) return;
    seen.push([answer, error?.code]);
    controller.abort('enough');
  };
  // It hears of no names.
  const deaf = { connection: (shard) => store.connection(shard) };
  const given = { topology: record, store: deaf, term: record.drawTerm(), plan: plan(record.snapshot, JOINS), each };
  await assert.rejects(carryOut({ ...given, signal: controller.signal }), (error) => error === 'enough');
  assert.deepEqual(seen, [['unreachable', 'store_io']]);
});
