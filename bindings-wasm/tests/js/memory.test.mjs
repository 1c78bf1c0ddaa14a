// The module's memory never shrinks, so it must not grow.
import assert from 'node:assert/strict';
import { it } from 'node:test';

// The package doesn't hand its memory out; this sees it made.
const memories = [];
WebAssembly.Instance = class extends WebAssembly.Instance {
  constructor(...of) {
    super(...of);
    memories.push(this.exports.memory);
  }
};
const whole = await import('../../../dist/npm/package/dist/node-migrate.mjs');
const { topology } = await import('./built.mjs');
const { Coordinator, MemoryShard, Operation, Router, Snapshot, TopologyRecord, fromTopology, plan } = whole;

const grown = () => memories.reduce((sum, { buffer }) => sum + buffer.byteLength, 0);

it('a million routes, 10,000 installs and 10,000 operations', { timeout: 300_000 }, () => {
  const snapshot = fromTopology(topology({ bits: 8 }));
  const router = new Router(snapshot);
  const orders = router.keyspace('orders');
  const shard = new MemoryShard();
  shard.home(snapshot, 1);
  const record = TopologyRecord.create(snapshot);
  const wanted = plan(snapshot, { reweight: [{ id: 2, weight: 3 }] });
  // A second snapshot, of a later epoch, to go between.
  const coordinator = new Coordinator(record.drawTerm(), undefined, wanted, 0);
  for (let step = 0; record.snapshot.epoch === 1 && step < 100; step++) {
    const { do: { id, shard: of, command } } = coordinator.poll();
    coordinator.handleAnswer(0, id, of === null ? record.command(command) : 'done' in command ? 'done' : command.guards ? { guards: [] } : 'done');
  }
  const later = record.snapshot.encode();
  assert.ok(Snapshot.decode(later).epoch > 1);
  const first = snapshot.encode();

  const keys = Array.from({ length: 1_000 }, (_, i) => `user:${i}${'ы'.repeat(i % 3)}`);
  const work = (times) => {
    for (let i = 0; i < 100_000 * times; i++) orders.route(keys[i % 1_000]);
    for (let i = 0; i < 100 * times; i++) orders.routeMany(keys);
    for (let i = 0; i < 500 * times; i++) {
      const one = new Router(first);
      one.install(later);
      assert.equal(one.install(later), 'same');
      one.free();
    }
    for (let i = 0; i < 1_000 * times; i++) {
      const operation = Operation.read(orders, keys[i % 1_000], { seed: i }, i);
      const { attempt } = operation.poll();
      operation.handleReply(i, attempt.id, shard.attempt(attempt, new Uint8Array(8), null).reply);
      operation.poll();
      orders.explain(keys[i % 1_000]);
      try { orders.route(null); } catch { /* also what fails is given back */ }
      try { orders.route('x'.repeat(70_000)); } catch { /* and this */ }
      operation.free();
    }
  };
  work(1);
  const before = grown();
  assert.ok(before > 1_000_000);
  work(10);
  assert.equal(grown(), before);
});
