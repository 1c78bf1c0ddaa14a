// What is measured, and told afterwards: a client's health, a migration's report, a router's counters.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'ringshift';
import {
  Chunks, Coordinator, Meter, Pulse, Report, Router, StoreWatch, TopologyRecord, addLoads, advise, carryOut, fromTopology,
  measured, memory, plan,
} from 'ringshift/migrate';
import { sqlite } from 'ringshift/stores/sqlite';
import { databases } from './databases.mjs';

const shards = [1, 2].map((id) => ({ id, name: `pg-${id}` }));
const FIRST = () => fromTopology({ cluster: 'demo', keyspaces: { orders: { bits: 6 } }, shards });
const JOINS = { add: [{ id: 3, name: 'pg-3' }] };
const QUICK = { shadow_ms: 20, ramps_ppm: [1_000_000], ramp_ms: 20, reversed_ms: 20, retry_ms: 5 };
const KEYS = Array.from({ length: 60 }, (_, n) => `user:${n}`);

async function fill(record, store) {
  const client = await Client.open({ topology: record, store });
  const orders = client.keyspace('orders');
  for (const key of KEYS) await orders.put(key, 'here');
  return { client, orders };
}

/** What every report of a whole migration says, in any language. */
function told(report) {
  const summary = JSON.parse(report.json());
  assert.deepEqual(summary, report.summary);
  assert.deepEqual(summary, JSON.parse(JSON.stringify(report)));
  assert.equal(summary.ending, 'complete');
  assert.ok(summary.moves.some(({ goal }) => goal === 'switch'), JSON.stringify(summary.moves));
  assert.ok(summary.barriers.length >= 2);
  assert.ok(summary.barriers.every(({ pause_us }) => pause_us > 0 && pause_us < 60_000_000));
  assert.ok(summary.rows_copied > 0);
  assert.ok(summary.waves.every(({ to, over, caught_up }) => to === 3 && over && caught_up));
  assert.ok(summary.latency.p99_before_us > 0, 'it has looked at the stores itself');
  assert.equal(summary.mismatches, 0);
  assert.match(report.text(), /complete/);
  assert.equal(String(report), report.text());
  return summary;
}

for (const [name, database] of Object.entries(databases)) {
  test(`a migration on files of ${name} ends with a report`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ringshift-'));
    const store = sqlite({ path: (shard) => join(folder, `${shard}.db`), database });
    try {
      await store.setUp(FIRST());
      const record = TopologyRecord.create(FIRST());
      const { client } = await fill(record, store);
      const report = new Report();
      const given = { topology: record, store, term: record.drawTerm(), settings: QUICK, report };
      assert.equal(await carryOut({ ...given, plan: plan(record.snapshot, JOINS) }), 'complete');
      told(report);
      assert.equal(report.progress.length, report.summary.waves.length);
      report.free();
      await client.close();
    } finally {
      store.close();
      rmSync(folder, { recursive: true });
    }
  });
}

test('the figures of the application are those of the report where there are any', async () => {
  const [record, store] = [TopologyRecord.create(FIRST()), memory()];
  const { client } = await fill(record, store);
  const report = new Report();
  const health = () => ({ p99_us: 1_234, baseline_p99_us: 1_200, error_ppm: 7 });
  const given = { topology: record, store, term: record.drawTerm(), settings: QUICK, report, health };
  assert.equal(await carryOut({ ...given, plan: plan(record.snapshot, JOINS) }), 'complete');
  const { latency } = report.summary;
  assert.deepEqual(latency, { p99_before_us: 1_200, p99_now_us: 1_234, p99_max_us: 1_234, error_ppm_max: 7 });
  await client.close();
});

/** A store in memory whose third shard falls silent for looks: in shadow-read, until the gates notice. */
function silencing(inner) {
  const state = { silent: false, held: false };
  const command = (told, chunks) => {
    const [[kind, { shard }]] = Object.entries(told);
    const answers = !(state.silent && shard === 3 && kind === 'guards');
    return answers ? (inner.shard(shard)?.command(told, chunks) ?? 'unreachable') : 'unreachable';
  };
  return { state, store: { command, install: (snapshot) => inner.install(snapshot) } };
}

test('a store that falls silent holds a migration that is told nothing', async () => {
  const alone = fromTopology({ cluster: 'demo', keyspaces: { orders: { bits: 6 } }, shards: shards.slice(0, 1) });
  const [record, inner] = [TopologyRecord.create(alone), memory()];
  const { client } = await fill(record, inner);
  const { state, store } = silencing(inner);
  const decided = [];
  const each = (coordinator, { point }) => {
    if (point.goal === 'shadow') state.silent ||= decided.length === 0;
    const { decisions } = coordinator;
    decided.splice(0, decided.length, ...decisions.map(({ what, why }) => `${what} ${why}`));
    if (decided.length > 0) state.silent = false;
  };
  const settings = { ...QUICK, shadow_ms: 6_000, checks: { keys_per_minute: 600, keys_per_round: 10 } };
  const given = { topology: record, store, term: record.drawTerm(), settings, each };
  assert.equal(await carryOut({ ...given, plan: plan(record.snapshot, JOINS) }), 'complete');
  assert.match(decided[0], /^held .*store of shard 3: it isn't healthy/);
  assert.match(decided[1], /^passed /);
  await client.close();
});

test('a pulse says what a store that is measured has done', async () => {
  const record = TopologyRecord.create(FIRST());
  const pulse = new Pulse({ baseline_us_min: 0 });
  const inner = memory();
  const trouble = { ms: 0, failing: false };
  const store = {
    install: (snapshot) => inner.install(snapshot),
    async send(attempt, request) {
      await sleep(trouble.ms);
      if (trouble.failing) throw new Error('the disk is gone');
      return inner.send(attempt, request);
    },
  };
  assert.equal(pulse.health.p99_us, null);
  const { client, orders } = await fill(record, measured(store, pulse));
  const well = pulse.health;
  assert.equal(well.error_ppm, 0);
  assert.ok(well.stores.every(({ healthy }) => healthy) && well.stores.length === 2);
  pulse.takeBaseline();
  assert.equal(pulse.hasBaseline, true);
  trouble.ms = 400;
  await Promise.all(KEYS.slice(0, 4).map((key) => orders.get(key)));
  const slow = pulse.health;
  assert.ok(slow.p99_us >= 390_000 && slow.p99_us > slow.baseline_p99_us, JSON.stringify(slow));
  [trouble.ms, trouble.failing] = [0, true];
  await Promise.allSettled(KEYS.slice(0, 40).map((key) => orders.put(key, 'there')));
  const sick = pulse.health;
  assert.ok(sick.error_ppm > 10_000);
  assert.ok(sick.stores.every(({ healthy }) => !healthy), JSON.stringify(sick.stores));
  pulse.dropBaseline();
  assert.equal(pulse.health.baseline_p99_us, null);
  await client.close();
});

test('a pulse counts mirrors, forgets, and takes its baseline when a wave begins', () => {
  const pulse = new Pulse({ window_ms: 1_000, samples_min: 10, slow_us: 50, baseline_us_min: 0 });
  for (let n = 0; n < 10; n++) {
    pulse.handleOperation(n, 15, false);
    pulse.handleMirror(n, n < 1);
    pulse.handleRequest(n, 1, 51, false);
  }
  assert.deepEqual(pulse.health, {
    error_ppm: 0, p99_us: 15, baseline_p99_us: null, mirror_failures_ppm: 100_000,
    shadow_compared: null, shadow_mismatches: null, stores: [{ shard: 1, healthy: false }],
  });
  pulse.handleSnapshot(20, FIRST());
  assert.equal(pulse.hasBaseline, false);
  pulse.handleTimeout(5_000);
  assert.equal(pulse.health.p99_us, null);
  assert.throws(() => new Pulse({ window: 1 }), { code: 'argument' });
  assert.throws(() => pulse.handleRequest(0, -1, 1, false), { code: 'argument' });
});

test('a watch looks at the stores of a migration and not of none', () => {
  const [record, store, chunks] = [TopologyRecord.create(FIRST()), memory(), new Chunks()];
  store.install(record.snapshot);
  const coordinator = new Coordinator(record.drawTerm(), QUICK, plan(record.snapshot, JOINS), 0);
  const watch = new StoreWatch();
  let look;
  for (let commands = 0; (look = watch.poll(1, coordinator)) === null; commands++) {
    assert.ok(commands < 10, 'it takes office, and then it begins');
    const { id, shard, command } = coordinator.poll().do;
    const answer = shard === null ? record.command(command) : store.shard(shard).command(command, chunks);
    coordinator.handleAnswer(0, id, answer);
  }
  let looks = 0;
  for (; look !== null; look = watch.poll(1, coordinator), looks++) watch.handleLook(1, look, { guards: [] }, 200);
  assert.equal(looks, 100);
  watch.handleCommand(2, { time: { shard: 1 } }, 'unreachable', 5);
  const { p99_us, baseline_p99_us, stores } = watch.health;
  assert.ok(p99_us >= 200 && p99_us < 213);
  assert.equal(baseline_p99_us, 100_000);
  assert.deepEqual(stores, [{ shard: 1, healthy: true }, { shard: 2, healthy: true }]);
  coordinator.handleSeen(3, watch.health);
  const latency = coordinator.status.gates.find(({ gate }) => gate === 'latency');
  assert.equal(latency, undefined, 'no wave is at work yet');
});

test('counters at a router lead to advice, and its wish to a plan', () => {
  const router = new Router(FIRST());
  const orders = router.keyspace('orders');
  const meter = new Meter('orders', 6, 1, 0, 7n);
  for (let n = 0; n < 3_000; n++) meter.recordKey(n, orders, n % 10 < 8 ? 'celebrity' : `user:${n}`);
  const { slot, routingPart } = orders.explain('celebrity');
  meter.record(3_000, router.snapshot.shards[orders.route('celebrity')].id, slot, routingPart);
  meter.recordSpread();
  const { loads } = meter;
  assert.equal(loads.ops, 3_001);
  assert.equal(loads.spread_ops, 1);
  assert.equal(loads.hot[0].ops, 2_401);
  assert.equal(Buffer.from(loads.hot[0].key).toString(), 'celebrity');
  const twice = addLoads({ keyspaces: [loads] }, { keyspaces: [loads] });
  assert.equal(twice.keyspaces[0].ops, 6_002);
  const advice = advise(router.snapshot, twice, { load_percent: 120 });
  const isolates = advice.find(({ action }) => action === 'isolate-key' || action['spread-key']);
  assert.ok(isolates, JSON.stringify(advice));
  assert.match(isolates.text, /celebrity/);
  const wished = advice.find(({ wish }) => wish !== null);
  if (wished) assert.ok(plan(router.snapshot, wished.wish).figures.length > 0);
  assert.deepEqual(advise(router.snapshot, {}), []);
  assert.throws(() => advise(router.snapshot, { keyspace: [] }), { code: 'argument' });
  assert.throws(() => new Meter('orders', 21, 1, 0, 7), { code: 'argument' });
});
