// What a snapshot says of its waves while a coordinator carries a migration out, and the phase table.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { topology } from './built.mjs';
import {
  Chunks, Coordinator, MemoryShard, RingshiftError, TopologyRecord, fromTopology, phases, plan, waves,
} from '../../../dist/npm/package/dist/node-migrate.mjs';

const SETTINGS = { shadow_ms: 0, ramps_ppm: [500_000], ramp_ms: 0, reversed_ms: 0 };
const named = (phase) => (typeof phase === 'string' ? phase : `ended-${phase.ended}`);

it('shows each wave in each phase of the table, one after the other', () => {
  const first = fromTopology(topology());
  const record = TopologyRecord.create(first);
  const [shards, chunks] = [new Map([[1, new MemoryShard()], [2, new MemoryShard()], [3, new MemoryShard()]]), new Chunks()];
  for (const { id } of first.shards) shards.get(id).home(first, id);
  const wanted = plan(first, { add: [{ id: 3, name: 'c' }] });
  const coordinator = new Coordinator(record.drawTerm(), SETTINGS, wanted, 0);
  assert.deepEqual(waves(first, 'orders'), []);

  const seen = new Map();
  for (let now = 0; ; now++) {
    const { do: doing, over } = coordinator.poll();
    if (over) {
      assert.equal(over, 'complete');
      break;
    }
    coordinator.handleTimeout(now);
    if (!doing) continue;
    const store = doing.shard === null ? record : shards.get(doing.shard);
    coordinator.handleAnswer(now, doing.id, store.command(doing.command, chunks));
    for (const wave of waves(record.snapshot, 'orders')) {
      const phase = `${named(wave.phase)} ${wave.ramp_ppm}`;
      const of = seen.get(wave.from) ?? seen.set(wave.from, [wave.slots]).get(wave.from);
      assert.deepEqual(wave.slots, of[0], 'its slots stay');
      assert.equal(wave.to, 3);
      if (of.at(-1) !== phase) of.push(phase);
    }
  }
  const way = [
    'prepare 0', 'double-write 0', 'shadow-read 0', 'read-new 500000', 'read-new 1000000', 'reversed 0', 'ended-to 0',
  ];
  assert.deepEqual([...seen].map(([from, [, ...phases]]) => [from, phases]), [[1, way], [2, way]]);
  assert.deepEqual(waves(record.snapshot, 'orders'), []);
  assert.equal(seen.get(1)[0].reduce((sum, { start, end }) => sum + end - start, 0), Math.floor(65_536 / 6));
});

it('has one authority in each carved phase, and none elsewhere', () => {
  const table = phases();
  assert.deepEqual(table.map(({ name }) => name), [
    'prepare', 'double-write', 'shadow-read', 'read-new', 'reversed', 'ended-from', 'ended-to',
  ]);
  for (const { authority, carved, from, to } of table) {
    const roles = { from, to };
    if (carved) assert.equal(roles[authority], 'authority');
    assert.equal([from, to].filter((role) => role === 'authority').length, carved ? 1 : 0);
  }
});

it('refuses a keyspace that isn\'t there', () => {
  const snapshot = fromTopology(topology());
  assert.throws(() => waves(snapshot, 'nothing'), (error) => error instanceof RingshiftError && error.code === 'unknown_keyspace');
});
