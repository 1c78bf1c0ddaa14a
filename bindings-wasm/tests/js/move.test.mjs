// A whole cluster in this process: shards in memory, a coordinator that moves their rows, and
// clients that read and write meanwhile, over a network that loses some of what it carries.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Chunks, Client, Coordinator, TopologyRecord, fromTopology, memory, plan } from 'ringshift/migrate';
import { text } from './clusters.mjs';

const WORKERS = 6;
const KEYS = 30;
const SETTINGS = {
  shadow_ppm: 300_000, shadow_ms: 60, ramps_ppm: [100_000, 500_000, 1_000_000], ramp_ms: 40,
  reversed_ms: 80, chunk_rows: 16, retry_ms: 5,
};
const now = () => Math.floor(performance.now());

/** Numbers that look random, and are the same for the same seed. */
function randomly(seed) {
  let state = BigInt(seed) * 2_654_435_761n + 1n;
  return () => {
    state = (state * 6_364_136_223_846_793_005n + 1_442_695_040_888_963_407n) & (2n ** 64n - 1n);
    return Number(state >> 40n) / 2 ** 24;
  };
}

/** The shards as the network shows them: late, and one message of fifty is lost. */
function network(shards, random, sent) {
  const late = () => (random() < 0.5 ? null : sleep(random() * 3));
  return {
    install: (snapshot) => shards.install(snapshot),
    async send(attempt, request) {
      sent.push(attempt.kind);
      await late();
      if (random() < 0.01) return { reply: { type: 'failed', failure: 'not_sent' } };
      const response = shards.send(attempt, request);
      await late();
      return random() < 0.01 ? { reply: { type: 'failed', failure: 'maybe_applied' } } : response;
    },
  };
}

/** Moves what is wanted, from taking office to the end. */
async function coordinate(record, shards, wanted, settings, turn) {
  const chunks = new Chunks();
  const coordinator = new Coordinator(record.drawTerm(), settings, wanted, now());
  for (;;) {
    turn?.(coordinator);
    const { do: step, wait, over } = coordinator.poll();
    if (over !== undefined) return { over, mismatches: coordinator.mismatches };
    if (wait !== undefined) {
      await sleep(Math.max(0, Math.min(wait.until - now(), 20)));
      coordinator.handleTimeout(now());
      continue;
    }
    const { id, shard, command } = step;
    const at = shard === null ? record : (shards.shard(shard) ?? shards.open(shard));
    const answer = at.command(command, chunks);
    await sleep(0);
    coordinator.handleAnswer(now(), id, answer);
  }
}

/** Reads and writes keys of its own until `over()`; what each may say then. */
async function work(records, worker, over, figures) {
  const may = new Map();
  for (let turn = 0; !over(); turn++, figures.turns++) {
    const key = `w${worker}:${turn % KEYS}`;
    figures.phases.add(records.describe(key).phase);
    const row = await records.get(key);
    const allowed = may.get(key) ?? [null];
    assert.ok(allowed.includes(text(row)), `${key} is ${text(row)}, not ${allowed}`);
    const value = turn % 7 === 3 ? null : `${worker}:${turn}`;
    may.set(key, [...allowed, value]);
    try {
      if (value === null) await records.delete(key);
      else if (turn % 5 === 1) await records.putIf(key, value, row?.version ?? null);
      else await records.put(key, value);
      may.set(key, [value]);
    } catch (error) {
      // Whether it was done isn't known: a lost answer that could not be asked for any more.
      if (error.code === 'version_conflict' && turn % 5 === 1) may.set(key, [...allowed, value]);
      else if (error.code !== 'indeterminate') throw error;
      figures.unknown++;
    }
    await sleep(1);
  }
  return may;
}

async function scenario({ seed, strict, changes, turn, after }) {
  const random = randomly(seed);
  const shardsBefore = [1, 2, 3].map((id) => ({ id, name: `s${id}` }));
  const topology = { cluster: 'c', keyspaces: { records: { bits: 8 } }, shards: shardsBefore };
  const record = TopologyRecord.create(fromTopology(topology));
  const shards = memory();
  const source = {
    fetch: async (newerThan) => {
      await sleep(random() * 4);
      const { snapshot } = record;
      return snapshot.epoch > newerThan ? snapshot : null;
    },
  };
  const sent = [];
  const store = network(shards, random, sent);
  const clients = await Promise.all(
    [1, 2].map(() => Client.open({ topology: source, store, policy: { attemptMs: 50 } })),
  );
  let over = false;
  const figures = { turns: 0, unknown: 0, phases: new Set() };
  const keyspaces = clients.map((client) => client.keyspace('records'));
  const workers = [...Array(WORKERS).keys()].map((worker) =>
    work(keyspaces[worker % 2], worker, () => over, figures));
  const failed = Promise.all(workers);
  await sleep(50);
  const settings = { ...SETTINGS, strict };
  const ended = coordinate(record, shards, plan(record.snapshot, changes), settings, turn);
  await Promise.race([ended, failed.then(() => ended)]);
  over = true;
  const known = await failed;
  const { mismatches } = await ended;
  assert.deepEqual(mismatches, []);
  const [client] = clients;
  await client.refresh();
  const records = client.keyspace('records');
  for (const [key, allowed] of known.flatMap((may) => [...may])) {
    assert.ok(allowed.includes(text(await records.get(key))), key);
  }
  const rows = client.snapshot.shards.map(({ id }) => shards.shard(id).rows);
  const { shadows } = client.figures();
  assert.equal(shadows.mismatches, 0);
  await Promise.all(clients.map((one) => one.close()));
  after({ ended: (await ended).over, snapshot: client.snapshot, figures, rows, shadows, sent });
}

const joining = { add: [{ id: 4, name: 's4' }] };

for (const strict of [false, true]) {
  test(`a shard joins while clients read and write, ${strict ? 'strict' : 'relaxed'}`, () =>
    scenario({
      seed: strict ? 1 : 2,
      strict,
      changes: joining,
      after({ ended, snapshot, figures, rows, sent }) {
        assert.deepEqual(snapshot.shards.map(({ name }) => name), ['s1', 's2', 's3', 's4']);
        assert.ok(rows.every((count) => count > 0), rows.join());
        // Double-write is over before a client hears of it, when there is little to copy.
        for (const phase of ['shadow-read', 'read-new', 'reversed', null]) {
          assert.ok(figures.phases.has(phase), `${phase} in ${[...figures.phases]}`);
        }
        assert.ok(sent.includes('confirm') && sent.includes('apply'));
        assert.ok(figures.turns > 300, `${figures.turns} turns`);
        assert.equal(ended, 'complete');
      },
    }));
}

test('a shard leaves, and its rows with it', () =>
  scenario({
    seed: 3,
    strict: false,
    changes: { remove: [2] },
    after({ snapshot }) {
      assert.deepEqual(snapshot.shards.map(({ name }) => name), ['s1', 's3']);
    },
  }));

test('a migration that turns round loses nothing either', () =>
  scenario({
    seed: 4,
    strict: false,
    changes: joining,
    turn(coordinator) {
      if ((coordinator.snapshot?.epoch ?? 0) > 6) coordinator.rollBack('a test');
    },
    after({ ended, snapshot }) {
      assert.deepEqual(snapshot.shards.map(({ name }) => name), ['s1', 's2', 's3']);
      assert.deepEqual(ended, { 'rolled-back': { reason: 'a test' } });
    },
  }));
