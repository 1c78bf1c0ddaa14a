// A whole migration in memory, with writers beside it: what a page does.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import * as whole from '../../../dist/npm/package/dist/node-migrate.mjs';
import { ringshift, slug, topology } from './built.mjs';

const { Chunks, Coordinator, Guard, MemoryShard, Operation, Router, Snapshot, TopologyRecord, homeInstalls, plan } = whole;
const bytes = (text) => new TextEncoder().encode(text);
const SETTINGS = { shadow_ms: 5, ramp_ms: 5, reversed_ms: 5, chunk_rows: 50, strict: true };

class Cluster {
  now = 1;
  chunks = new Chunks();
  shards = new Map();
  names = new Map();
  ops = 0;

  constructor(snapshot) {
    this.record = TopologyRecord.create(snapshot);
    this.router = new Router(snapshot);
    this.orders = this.router.keyspace('orders');
    for (const { id } of snapshot.shards) {
      this.shards.set(id, new MemoryShard());
      this.shards.get(id).home(snapshot, id);
    }
  }

  /** One operation to its end; what it found, or its version. */
  run(key, change) {
    const op = change ? Uint8Array.from({ length: 16 }, (_, at) => (at < 4 ? (this.ops >> (8 * at)) & 255 : 7)) : null;
    this.ops += 1;
    const operation = change
      ? Operation.write(this.orders, key, undefined, this.now) : Operation.read(this.orders, key, undefined, this.now);
    const found = new Map();
    for (;;) {
      const step = operation.poll();
      if (step.type === 'done') {
        operation.free();
        return { ...step.outcome, value: found.get(step.outcome.from)?.value };
      }
      if (step.type === 'wait') {
        this.now = step.until;
        operation.handleTimeout(this.now);
      } else if (step.type === 'refresh') {
        this.router.install(this.record.snapshot);
        operation.handleSnapshot(this.now, this.orders, key);
      } else {
        const { attempt } = step;
        const row = attempt.foundBy === null ? null : found.get(attempt.foundBy);
        const shard = this.shards.get(attempt.shard);
        const got = shard.attempt(attempt, bytes(key), row ? { row } : change ? { op, change } : null);
        if (got.found) found.set(attempt.id, got.found);
        if (attempt.blocking) operation.handleReply(this.now, attempt.id, got.reply);
      }
    }
  }

  /** Drives a coordinator to its end; `between` runs after each command. */
  drive(coordinator, between) {
    for (let steps = 0; steps < 100_000; steps++) {
      const action = coordinator.poll();
      if (action.over) return action.over;
      if (action.wait) {
        this.now = action.wait.until;
        coordinator.handleTimeout(this.now);
        continue;
      }
      const { id, shard, command } = action.do;
      if (shard !== null && !this.shards.has(shard)) this.shards.set(shard, new MemoryShard());
      const answer = shard === null
        ? this.record.command(command) : this.shards.get(shard).command(command, this.chunks);
      coordinator.handleAnswer(this.now, id, answer);
      between(action.do, coordinator);
    }
    throw new Error('it never ends');
  }
}

function cluster(rows) {
  const made = new Cluster(Snapshot.fromTopology(topology({ bits: 6 })));
  for (let i = 0; i < rows; i++) {
    assert.equal(made.run(`user:${i}`, { type: 'put', value: bytes(`first ${i}`) }).type, 'written');
  }
  return made;
}

it('adds a shard under writers, and loses nothing', () => {
  const made = cluster(300);
  const wanted = plan(made.record.snapshot, { add: [{ id: 3, name: 'c' }] });
  const [figures] = wanted.figures;
  assert.equal(figures.slots_moved, figures.slots_least);
  assert.ok(figures.slots_modulo > figures.slots_moved);
  assert.equal(wanted.log.planned.length, figures.waves);

  const latest = new Map(Array.from({ length: 300 }, (_, i) => [`user:${i}`, [`first ${i}`]]));
  const phases = new Set();
  let turn = 0;
  const over = made.drive(new Coordinator(made.record.drawTerm(), SETTINGS, wanted, made.now), () => {
    const key = `user:${turn % 300}`;
    turn += 7;
    const text = `later ${turn}`;
    const done = made.run(key, { type: 'put', value: bytes(text) });
    // Nobody carries the coordinator on while this writer waits, so at a barrier it waits in vain.
    if (done.type === 'written') latest.set(key, [text]);
    else if (done.code === 'indeterminate') latest.get(key).push(text);
    else assert.equal(done.code, 'deadline');
    phases.add(made.orders.describe(key).phase);
  });
  assert.equal(over, 'complete');
  assert.ok(['double-write', 'read-new', 'reversed'].every((phase) => phases.has(phase)), [...phases].join());
  made.router.install(made.record.snapshot);
  assert.deepEqual(made.router.snapshot.shards.map(({ name }) => name), ['a', 'b', 'c']);
  for (const [key, texts] of latest) {
    const text = new TextDecoder().decode(made.run(key).value);
    assert.ok(texts.includes(text), `${key}: ${text}, not ${texts}`);
  }
  const sure = [...latest.values()].filter((texts) => texts.length === 1);
  assert.ok(sure.length > 250, `${sure.length}`);
  assert.ok(made.shards.get(3).rows > 0);
  // A snapshot crosses to the other entry, which has a module of its own.
  const other = new ringshift.Router(made.record.snapshot);
  assert.equal(other.keyspace('orders').shardOf('user:1'), made.orders.shardOf('user:1'));
  assert.ok(made.record.snapshot.equals(other.snapshot));
});

it('goes back when it is told to, and is handed over', () => {
  const made = cluster(60);
  const before = made.record.snapshot;
  const wanted = plan(before, JSON.stringify({ add: [{ id: 3, name: 'c' }] }), 4);
  let commands = 0;
  const first = new Coordinator(made.record.drawTerm(), JSON.stringify(SETTINGS), wanted, made.now);
  const over = made.drive(first, (_, coordinator) => {
    commands += 1;
    if (commands === 40) coordinator.pause('lunch');
  });
  assert.deepEqual(over, { paused: { reason: 'lunch' } });
  assert.ok(first.snapshot.epoch > before.epoch);
  first.resume();
  const second = new Coordinator(made.record.drawTerm(), SETTINGS, null, made.now);
  second.rollBack('we thought again');
  // A file's bytes hold all of it.
  made.record = TopologyRecord.decode(made.record.encode());
  made.drive(second, (_, coordinator) => coordinator.rollBack('we thought again'));
  assert.deepEqual(made.drive(first, () => {}), { 'stepped-down': { term: 2 } });
  assert.deepEqual(made.record.snapshot.shards.map(({ name }) => name), ['a', 'b']);
  assert.deepEqual(second.mismatches, []);
  for (let i = 0; i < 60; i++) assert.equal(made.run(`user:${i}`).type, 'value');
});

it('has the core\'s guard', () => {
  const snapshot = Snapshot.fromTopology(topology({ bits: 4 }));
  const guard = new Guard();
  const rows = homeInstalls(snapshot, 1);
  guard.install(1, rows);
  assert.deepEqual(guard.rows, rows.map(({ row }) => row));
  const orders = new Router(snapshot).keyspace('orders');
  const key = Array.from({ length: 50 }, (_, i) => `k${i}`).find((key) => orders.shardOf(key) === 'a');
  const { keyspace, slot, domain, epoch } = Operation.read(orders, key, undefined, 0).poll().attempt;
  const request = { keyspace, slot, key, domain, epoch };
  assert.equal(guard.admit(request, 'write').row.role, 'authority');
  assert.deepEqual(guard.admit(request, 'apply').refusal, { code: 'wrong_role', current: 1 });
  assert.deepEqual(guard.admit({ ...request, epoch: 9 }, 'read').refusal, { code: 'not_ready', current: 1 });
  assert.equal(guard.close(2, domain, 1).closed, true);
  assert.deepEqual(guard.admit(request, 'write').refusal, { code: 'not_ready', current: 1 });
  assert.equal(slug(() => guard.claim(1)), 'stale_term');
  assert.equal(slug(() => guard.install(3, [{ row: 1 }])), 'argument');
  assert.equal(slug(() => guard.admit(request, 'steal')), 'argument');
  assert.equal(guard.term, 2);
});

it('refuses what can\'t be planned', () => {
  const snapshot = Snapshot.fromTopology(topology());
  assert.equal(slug(() => plan(snapshot, {})), 'plan');
  assert.equal(slug(() => plan(snapshot, { remove: [9] })), 'plan');
  assert.equal(slug(() => plan(snapshot, { ad: [] })), 'plan');
  assert.equal(slug(() => plan({}, { remove: [1] })), 'argument');
  assert.equal(slug(() => new Coordinator(1, { strickt: true }, null, 0)), 'argument');
  assert.equal(slug(() => new Coordinator(1, {}, {}, 0)), 'argument');
  assert.equal(slug(() => new Coordinator(1, {}, null, 0).handleAnswer(0, 0, { nonsense: 1 })), 'argument');
  assert.equal(slug(() => new MemoryShard().command({ claim: { shard: 1, term: -1 } }, new Chunks())), 'argument');
  assert.equal(slug(() => new MemoryShard().command('lead', {})), 'argument');
});

it('waits where health is bad, steps back, and says why', () => {
  const made = cluster(100);
  const wanted = plan(made.record.snapshot, { add: [{ id: 3, name: 'c' }] });
  const settings = { ...SETTINGS, gates: { patience_ms: 50, recheck_ms: 5, finish: 'asked' } };
  const coordinator = new Coordinator(made.record.drawTerm(), settings, wanted, made.now);
  const tell = (p99_us) => coordinator.handleHealth(made.now, { p99_us, baseline_p99_us: 1000 });
  tell(2000);
  const over = made.drive(coordinator, () => tell(2000));
  assert.match(over['rolled-back'].reason, /latency: 2000 µs, the limit is 1500 µs/);
  assert.deepEqual(coordinator.decisions.map((one) => one.what), ['held', 'rolled-back']);
  const { doing, gates, checks, open, open_items } = coordinator.status;
  assert.deepEqual(doing, { over });
  assert.equal(open, true);
  assert.deepEqual(gates, []);
  assert.equal(typeof checks.keys, 'bigint');
  assert.ok(open_items.includes('backup-verified'));
  assert.equal(slug(() => coordinator.handleHealth(made.now, { p99: 1 })), 'argument');
  assert.equal(slug(() => coordinator.handleHealth(made.now, null)), 'argument');
  assert.equal(slug(() => coordinator.handleWallClock(made.now, Date.now(), 1441)), 'argument');
});

it('asks before the point of no return, and keeps to the hours', () => {
  const made = cluster(100);
  const wanted = plan(made.record.snapshot, { add: [{ id: 3, name: 'c' }] });
  const calendar = { hours: ['02:00-06:00'] };
  const settings = { ...SETTINGS, calendar, gates: { finish: 'asked' } };
  const coordinator = new Coordinator(made.record.drawTerm(), settings, wanted, made.now);
  const seen = new Set();
  let waits = 0;
  const handleTimeout = coordinator.handleTimeout.bind(coordinator);
  coordinator.handleTimeout = (now) => {
    handleTimeout(now);
    const gate = coordinator.status.held?.verdicts[0]?.gate;
    if (gate) seen.add(gate);
    waits += gate ? 1 : 0;
    if (gate === 'hours' && waits > 3) coordinator.handleWallClock(now, Date.UTC(2026, 10, 21, 1, 30), 60);
    if (gate === 'consent') coordinator.agreeToFinish();
  };
  assert.equal(made.drive(coordinator, () => {}), 'complete');
  assert.deepEqual([...seen], ['hours', 'consent']);
});
