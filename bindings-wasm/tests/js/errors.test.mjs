// Everything that can be handed over wrongly, and the slug that says so.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, describe, it } from 'node:test';
import { local, ringshift, router, topology } from './built.mjs';

const {
  Operation, RefreshGate, RingshiftError, Router, Snapshot, errorCodes, rowDigest,
} = ringshift;
const { MemoryShard, decide, fromTopology } = local;
const seen = new Set();

/** `call` throws a RingshiftError of that slug, with a message that fits the style. */
function throws(code, call) {
  assert.throws(call, (error) => {
    assert.ok(error instanceof RingshiftError && error instanceof Error, String(error));
    assert.equal(error.code, code, error.message);
    assert.equal(error.name, 'RingshiftError');
    assert.match(error.message, /^[^A-Z].*[^.]$/s);
    seen.add(code);
    return true;
  });
}

const made = router();
const orders = made.keyspace('orders');
const grouped = router({ key: { parts: 2 } }).keyspace('orders');
const tagged = router({ key: 'hash-tag' }).keyspace('orders');
const NOTHING = [undefined, null, true, 1.5, NaN, Infinity, 2 ** 53, {}, Symbol('s'), () => 1, new Date(0), new ArrayBuffer(4), [[1]], [null], [1.5]];
const ways = (keyspace) => [
  (key) => keyspace.route(key), (key) => keyspace.shardOf(key), (key) => keyspace.describe(key),
  (key) => keyspace.explain(key), (key) => keyspace.routeMany([key]), (key) => keyspace.routeMany(['ok', key, 'ok']),
  (key) => keyspace.groupByShard([key]), (key) => keyspace.replicas(key, 2),
  (key) => Operation.read(keyspace, key, undefined, 0), (key) => Operation.write(keyspace, key, {}, 0),
  (key) => Operation.read(keyspace, ['a', 'b'], {}, 0).handleSnapshot(0, keyspace, key),
];

describe('keys', () => {
  for (const [at, way] of ways(orders).entries()) {
    it(`way ${at}`, () => {
      for (const key of NOTHING) throws('key_type', () => way(key));
      for (const key of ['\ud800', 'a\udc00', 'ключ\ud83d', 'x'.repeat(200) + '\ud83d', ['a', '\ud83d']]) {
        throws('key_encoding', () => way(key));
      }
      for (const key of ['x'.repeat(65_537), 'ы'.repeat(32_769), new Uint8Array(65_537), ['x'.repeat(65_533)],
        new Array(70_000).fill(''), '😀'.repeat(40_000)]) throws('key_too_long', () => way(key));
      throws('key_parts', () => way([]));
      // What fits is taken, to the byte.
      for (const key of ['x'.repeat(65_536), 'ы'.repeat(32_768), new Uint8Array(65_536), ['x'.repeat(65_532)], '',
        0, -7, 7n, -(2n ** 70n), ['a', 7, 7n, new Uint8Array(3)], '😀']) way(key);
    });
  }
  it('parts', () => {
    for (const way of ways(grouped)) {
      for (const key of ['plain text', [1], 7, new Uint8Array(9)]) throws('key_parts', () => way(key));
    }
  });
  it('the same key, however it is written', () => {
    const utf8 = new TextEncoder();
    for (const keyspace of [orders, tagged]) {
      for (const text of ['user:42', '42', '-42', '', 'ключ{тег}', '😀', 'x'.repeat(5_000), 'ы'.repeat(300), '{a}b']) {
        const shard = keyspace.route(text);
        assert.equal(keyspace.route(utf8.encode(text)), shard);
        assert.deepEqual(keyspace.routeMany([text, utf8.encode(text), text]), Uint16Array.of(shard, shard, shard));
      }
      assert.equal(keyspace.route(42), keyspace.route('42'));
      assert.equal(keyspace.route(-42n), keyspace.route('-42'));
      assert.equal(keyspace.route(-0), keyspace.route('0'));
      const pair = ['a', 42, 7n, utf8.encode('b')];
      assert.equal(keyspace.explain(pair).hash, keyspace.explain(['a', '42', '7', 'b']).hash);
      assert.notEqual(keyspace.explain(['ab', 'c']).hash, keyspace.explain(['a', 'bc']).hash);
    }
  });
});

describe('batches', () => {
  const utf8 = new TextEncoder();
  const texts = Array.from({ length: 5_000 }, (_, i) => (i % 5 ? `user:${i}` : `ключ😀${'ы'.repeat(i % 90)}`));
  const wanted = texts.map((text) => orders.route(text));
  const pack = (keys) => {
    const parts = keys.map((key) => utf8.encode(key));
    let end = 0;
    const ends = Uint32Array.from(parts, (part) => (end += part.length));
    return { bytes: new Uint8Array(Buffer.concat(parts)), ends };
  };
  it('say what one by one says', () => {
    assert.deepEqual(Array.from(orders.routeMany(texts)), wanted);
    assert.deepEqual(Array.from(orders.routeMany(pack(texts))), wanted);
    const mixed = texts.slice(0, 2_500).flatMap((text, i) => (i % 3 ? [text] : [text, utf8.encode(text), [text, i]]));
    assert.deepEqual(Array.from(orders.routeMany(mixed)), mixed.map((key) => orders.route(key)));
    const out = new Uint16Array(6_000).fill(999);
    assert.equal(orders.routeManyInto(texts, out), 5_000);
    assert.deepEqual(Array.from(out.subarray(0, 5_000)), wanted);
    assert.equal(out[5_000], 999);
    assert.deepEqual(orders.routeMany([]), new Uint16Array(0));
    assert.deepEqual(orders.routeMany({ bytes: new Uint8Array(0), ends: new Uint32Array(0) }), new Uint16Array(0));
    const groups = orders.groupByShard(texts);
    for (const [name, places] of groups) for (const place of places) assert.equal(orders.shardOf(texts[place]), name);
    assert.equal([...groups.values()].flat().length, 5_000);
  });
  it('are fresh copies', () => {
    const first = orders.routeMany(texts);
    const before = Array.from(first);
    orders.routeMany(texts.map((text) => `other ${text}`));
    new MemoryShard().attempt(read().attempt, new Uint8Array(1_000_000), null);
    assert.deepEqual(Array.from(first), before);
  });
  it('refuse what is no batch', () => {
    for (const keys of [undefined, null, 7, 'text', {}, { bytes: [1], ends: [1] }, new Uint8Array(3), { bytes: new Uint8Array(3) }]) {
      throws('argument', () => orders.routeMany(keys));
    }
    for (const ends of [[5], [3, 2], [2, 2 ** 32 - 1], [4]]) {
      throws('argument', () => orders.routeMany({ bytes: new Uint8Array(3), ends: Uint32Array.from(ends) }));
    }
    throws('argument', () => orders.routeManyInto(texts, new Uint16Array(7)));
    throws('argument', () => orders.routeManyInto(texts, new Uint32Array(7_000)));
    // Two halves that would be one letter, were they written side by side.
    throws('key_encoding', () => orders.routeMany(['a\ud83d', '\ude00b']));
    throws('key_too_long', () => orders.routeMany({ bytes: new Uint8Array(70_000), ends: Uint32Array.of(70_000) }));
  });
});

const read = () => Operation.read(orders, 'k', undefined, 0).poll();

describe('snapshots and routers', () => {
  it('forged bytes', () => {
    const good = made.snapshot.encode();
    for (let at = 0; at < good.length; at++) {
      for (const flip of [1, 0x80]) {
        const bad = Uint8Array.from(good);
        bad[at] ^= flip;
        throws(at < 4 ? 'topology_format' : 'snapshot_format', () => Snapshot.decode(bad));
        throws(at < 4 ? 'topology_format' : 'snapshot_format', () => new Router(bad));
      }
    }
    for (let length = 0; length < good.length; length++) {
      throws(length < 4 ? 'topology_format' : 'snapshot_format', () => Snapshot.decode(good.subarray(0, length)));
    }
    let seed = 7;
    const noise = (length) => Uint8Array.from({ length }, () => (seed = (seed * 1_103_515_245 + 12_345) & 0x7fff_ffff) >> 16);
    for (let i = 0; i < 300; i++) throws('topology_format', () => Snapshot.decode(noise(i)));
    for (let i = 40; i < 300; i++) {
      const record = noise(i);
      record.set([0x52, 0x53, 0x54, 0x52]);
      throws('topology_format', () => Snapshot.decode(record));
    }
    throws('snapshot_format', () => made.install(good.subarray(0, 30)));
    assert.equal(made.snapshot.digest, Snapshot.decode(good).digest);
  });
  it('topologies', () => {
    for (const bad of [{}, [], '', '{', 'null', { ...topology(), more: 1 }, topology({ bits: 3 }), topology({}, []),
      topology({}, [{ id: 1, name: 'a' }, { id: 1, name: 'b' }]), topology({}, [{ id: 1, name: 'a', wait: 1 }])]) {
      throws('topology', () => fromTopology(bad));
    }
    throws('weight', () => fromTopology(topology({}, [{ id: 1, name: 'a', weight: -1 }])));
    const many = Array.from({ length: 17 }, (_, id) => ({ id, name: `s${id}` }));
    throws('no_slots', () => fromTopology(topology({ bits: 4 }, many)));
    for (const bad of [undefined, null, 7, () => 1]) throws('argument', () => fromTopology(bad));
    throws('key_too_long', () => fromTopology(topology({ pins: [{ key: 'x'.repeat(70_000), shard: 1 }] })));
  });
  it('wrong types', () => {
    for (const bad of [undefined, null, 7, 'text', {}, [], new ArrayBuffer(9), orders]) {
      throws('argument', () => Snapshot.decode(bad));
      throws('argument', () => new Router(bad));
      throws('argument', () => made.install(bad));
      throws('argument', () => new MemoryShard().home(bad, 1));
    }
    for (const bad of [undefined, null, 7, {}]) {
      throws('argument', () => made.keyspace(bad));
      throws('argument', () => made.snapshot.owners(bad));
    }
    throws('unknown_keyspace', () => made.keyspace('nope'));
    throws('unknown_keyspace', () => made.snapshot.owners('nope'));
    throws('argument', () => orders.replicas('k', -1));
    throws('argument', () => orders.replicas('k', '2'));
  });
  it('successors', () => {
    const other = fromTopology({ ...topology(), cluster: 'other' });
    throws('foreign_cluster', () => made.install(other));
    throws('forked_snapshot', () => made.install(fromTopology(topology({ seed: '9' }))));
    assert.equal(made.install(made.snapshot), 'same');
    assert.equal(made.install(made.snapshot.encode()), 'same');
  });
});

const ATTEMPT = () => ({ ...read().attempt });
const shard = new MemoryShard();
shard.home(made.snapshot, 1);

describe('machines', () => {
  it('operations', () => {
    for (const bad of [undefined, null, {}, made, 'orders']) throws('argument', () => Operation.read(bad, 'k', {}, 0));
    for (const bad of [undefined, null, -1, NaN, '0', 0n]) throws('argument', () => Operation.read(orders, 'k', {}, bad));
    for (const bad of [null, 7, 'fast', { deadlineMs: '5' }, { deadlineMs: -1 }, { attemptMs: 2 ** 32 },
      { attemptsMax: 65_536 }, { confirm: 1 }, { seed: 1.5 }, { seed: -1n }, { seed: 2n ** 64n }]) {
      throws('argument', () => Operation.read(orders, 'k', bad, 0));
    }
    const operation = Operation.read(orders, 'k', { deadlineMs: 5, seed: 2n ** 64n - 1n }, 0);
    const { attempt: { id } } = operation.poll();
    for (const bad of [undefined, null, 7, {}, { type: 'lost' }, { type: 'found' }, { type: 'found', version: 'x' },
      { type: 'found', version: -1n }, { type: 'written', version: 2n ** 63n }, { type: 'refused' },
      { type: 'refused', refusal: { code: 'found' } }, { type: 'refused', refusal: { code: 'not_ready', current: -1 } },
      { type: 'refused', refusal: { code: 'stale_epoch', current: 2 ** 31 } },
      { type: 'failed', failure: 'not_ready' }, { type: 'failed', failure: 'missing' }]) {
      throws('argument', () => operation.handleReply(0, id, bad));
    }
    throws('argument', () => operation.handleReply(0, '1', { type: 'missing' }));
    throws('unknown_attempt', () => operation.handleReply(0, id + 1, { type: 'missing' }));
    throws('argument', () => operation.handleTimeout('soon'));
    operation.handleTimeout(Infinity);
    assert.equal(operation.poll().outcome.code, 'deadline');
    throws('unknown_attempt', () => operation.handleReply(0, id, { type: 'missing' }));
  });
  it('attempts and contents', () => {
    const key = new Uint8Array(2);
    for (const [name, bad] of Object.entries({
      id: -1, shard: '1', keyspace: 65_536, slot: 1.5, storedSlot: NaN, domain: null, epoch: 2 ** 31, kind: 'steal',
      version: -1n, foundBy: 'x', blocking: 1,
    })) throws('argument', () => shard.attempt({ ...ATTEMPT(), [name]: bad }, key, null));
    throws('argument', () => shard.attempt({ ...ATTEMPT(), kind: 'apply' }, key, null));
    throws('argument', () => shard.attempt(null, key, null));
    throws('argument', () => shard.attempt(ATTEMPT(), 'k', null));
    const op = new Uint8Array(16);
    for (const bad of [{ change: { type: 'put' } }, { op, change: { type: 'rename' } }, { op: new Uint8Array(15), change: { type: 'put' } },
      { op, change: { type: 'put', value: 'text' } }, { op, change: { type: 'put-if', expected: -1n } }, { row: { value: null } },
      { row: { op, value: 7 } }, { op, row: { op: 'x' } }]) throws('argument', () => shard.attempt(ATTEMPT(), key, bad));
    // A read takes no content; what comes with it is left alone.
    assert.equal(shard.attempt(ATTEMPT(), key, { op, change: { type: 'delete' } }).reply.type, 'missing');
    assert.deepEqual(shard.attempt({ ...ATTEMPT(), kind: 'write' }, key, null).reply, { type: 'failed', failure: 'rejected' });
  });
  it('decisions', () => {
    const look = [0, 5n, null, 1, null, 0, 1, 1, 0, 0, 0, 1, null, null, null];
    const attempt = { ...ATTEMPT(), domain: 1, epoch: 1 };
    assert.equal(decide(attempt, null, look).reply.type, 'missing');
    for (const bad of ['x', 1.5, {}]) throws('argument', () => decide(attempt, null, look.with?.(0, bad) ?? [bad]));
    throws('store_damaged', () => decide(attempt, null, []));
    throws('store_damaged', () => decide(attempt, null, [0, 5, null, 1, null, 0, 1, 9, 0, 0, 0, 1]));
    throws('store_damaged', () => decide(attempt, null, [0, 5, null, 1, null, 0, 1, 1, 0, 0, 0, 1, 7n, new Uint8Array(3), 0]));
    throws('argument', () => decide(attempt, null, null));
    throws('argument', () => rowDigest('k', 0n, null));
    throws('argument', () => rowDigest(new Uint8Array(1), -1n, null));
    throws('argument', () => rowDigest(new Uint8Array(1), 0n, 'v'));
  });
  it('gates', () => {
    for (const bad of [[-1, 1, 1], [2 ** 31, 1, 1], [1, 'x', 1], [1, 1, 1.5]]) throws('argument', () => new RefreshGate(...bad));
    const gate = new RefreshGate(1, 10, 7n);
    assert.deepEqual(gate.want(0, 0), { type: 'in-hand' });
    assert.deepEqual(gate.want(0, 1), { type: 'fetch' });
    assert.deepEqual(gate.want(0, 1), { type: 'join' });
    gate.failed(0);
    assert.equal(gate.want(0, 1).type, 'wait');
    assert.ok(gate.want(0, 1).until > 0);
    gate.fetched(1, 2);
    assert.deepEqual([gate.want(1, 1).type, gate.begun], ['in-hand', 1]);
    throws('argument', () => gate.want(0, 2 ** 31));
    throws('argument', () => gate.fetched(0, null));
  });
});

it('nothing freed is used', () => {
  const snapshot = fromTopology(topology());
  const router = new Router(snapshot);
  const keyspace = router.keyspace('orders');
  const operation = Operation.read(keyspace, 'k', undefined, 0);
  const [gate, memory] = [new RefreshGate(1, 1, 1), new MemoryShard()];
  for (const one of [operation, gate, memory, snapshot, router]) {
    one.free();
    one.free();
    one[Symbol.dispose]();
  }
  for (const use of [
    () => snapshot.epoch, () => snapshot.encode(), () => snapshot.shards, () => new Router(snapshot), () => made.install(snapshot),
    () => made.snapshot.equals(snapshot), () => memory.home(snapshot, 1), () => String(snapshot), () => snapshot.owners('orders'),
    () => router.epoch, () => router.snapshot, () => router.install(made.snapshot), () => router.keyspace('orders'),
    () => keyspace.route('k'), () => keyspace.routeMany(['k']), () => keyspace.explain('k'), () => keyspace.shards(),
    () => keyspace.replicas('k', 1), () => Operation.read(keyspace, 'k', undefined, 0),
    () => operation.poll(), () => operation.handleTimeout(0), () => operation.handleReply(0, 1, { type: 'missing' }),
    () => operation.shadow(undefined, 0), () => Operation.read(orders, 'k', undefined, 0).handleSnapshot(0, keyspace, 'k'),
    () => gate.want(0, 1), () => gate.begun, () => memory.rows, () => memory.attempt(ATTEMPT(), new Uint8Array(1), null),
  ]) throws('disposed', use);
  // What was made of it lives on.
  const second = fromTopology(topology());
  const lives = new Router(second);
  second.free();
  assert.equal(lives.keyspace('orders').route('k'), orders.route('k'));
});

it('a keyspace stays valid over an install, and one instance serves both module systems', () => {
  const cjs = createRequire(import.meta.url)('../../../dist/npm/package/dist/index.cjs');
  assert.equal(cjs.Router, Router);
  assert.equal(cjs.RingshiftError, RingshiftError);
});

it('a key at a shard that checks no fence', () => {
  const theirs = {
    ...topology({}, [{ id: 1, name: 'theirs', unfenced: true }]),
    client_lease: { lease_ms: 1_000, attempt_ms: 200, margin_ms: 100 },
  };
  const snapshot = fromTopology(theirs);
  assert.equal(snapshot.shards[0].unfenced, true);
  const keyspace = new Router(snapshot).keyspace('orders');
  assert.equal(keyspace.shardOf('a'), 'theirs');
  throws('unfenced', () => Operation.read(keyspace, 'a', undefined, 0));
  throws('unfenced', () => Operation.write(keyspace, 'a', undefined, 0));
  throws('topology', () => fromTopology({ ...theirs, client_lease: undefined }));
});

// Slugs that this half of the package can't say, and who says them.
const ELSEWHERE = {
  older_snapshot: 'vectors.test.mjs', delta_base: 'deltas.test.mjs', plan: 'migration.test.mjs', stale_term: 'migration.test.mjs',
  // Of operations that the client drives: outcomes here, errors there.
  deadline: 'the client', indeterminate: 'the client', rejected: 'the client', version_conflict: 'the client',
  wrong_role: 'the client',
  transaction_keys: 'transactions.test.mjs', cross_shard: 'transactions.test.mjs', retryable: 'a transaction',
  // Refusals are facts in replies: `operation.test.mjs`.
  stale_epoch: 'a reply', not_ready: 'a reply', not_owner: 'a reply', lease_over: 'a reply',
  store_format: 'the client', store_busy: 'the client', store_io: 'the client',
  topology_missing: 'the client', topology_io: 'the client',
};
after(() => {
  const missed = errorCodes().filter((code) => !seen.has(code) && !(code in ELSEWHERE));
  assert.deepEqual(missed, [], 'no test provokes these slugs');
  assert.deepEqual(Object.keys(ELSEWHERE).filter((code) => !errorCodes().includes(code)), []);
});
