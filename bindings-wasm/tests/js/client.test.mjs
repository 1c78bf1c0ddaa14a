import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, RingshiftError, fixed } from 'ringshift';
import { memory } from 'ringshift/local';
import { between, demo, keysIn, moving, open, resting, text } from './clusters.mjs';

const lost = { reply: { type: 'failed', failure: 'maybe_applied' } };
const notSent = { reply: { type: 'failed', failure: 'not_sent' } };
const rejection = (code, more = {}) => (error) => {
  assert.ok(error instanceof RingshiftError, String(error));
  assert.equal(error.code, code);
  for (const [name, value] of Object.entries(more)) assert.deepEqual(error[name], value, name);
  return true;
};

test('puts, gets, deletes, and puts if', async () => {
  const orders = (await open(resting())).keyspace('orders');
  assert.equal(await orders.get('user:42'), null);
  const first = await orders.put('user:42', 'one');
  assert.equal(typeof first.version, 'bigint');
  assert.equal(first.lagging, null);
  assert.deepEqual(await orders.get('user:42'), {
    value: new TextEncoder().encode('one'),
    version: first.version,
  });
  const second = await orders.putIf('user:42', 'two', first.version);
  assert.ok(second.version > first.version);
  await assert.rejects(
    orders.putIf('user:42', 'three', first.version),
    (error) => {
      assert.equal(text(error.row), 'two');
      return rejection('version_conflict', { key: 'user:42', found: second.version })(error);
    },
  );
  await assert.rejects(orders.putIf('user:42', 'x', null), rejection('version_conflict'));
  const gone = await orders.delete('user:42');
  assert.ok(gone.version > second.version);
  assert.equal(await orders.get('user:42'), null);
  const again = await orders.putIf('user:42', '', null);
  assert.ok(again.version > gone.version);
  assert.equal(text(await orders.get('user:42')), '');
});

test('keys of every type, in the order that they were asked for', async () => {
  const orders = (await open(resting())).keyspace('orders');
  const keys = ['a', 7, 7n, new Uint8Array([1, 2]), ['order', 5], 'ключ', 'missing'];
  for (const key of keys.slice(0, -1)) await orders.put(key, String(key));
  const found = (await orders.getMany(keys)).map(text);
  assert.deepEqual(found, ['a', '7', '7', '1,2', 'order,5', 'ключ', null]);
  for (const key of [null, undefined, 1.5, {}, [['nested']]]) {
    await assert.rejects(async () => orders.get(key), rejection('key_type'));
  }
  await assert.rejects(async () => orders.get('a\ud800'), rejection('key_encoding'));
});

test('what a caller may not give is refused before anything is sent', async () => {
  let sent = 0;
  const store = between(memory(), (_attempt, _request, send) => (sent++, send()));
  const orders = (await open(resting(), { store })).keyspace('orders');
  await assert.rejects(orders.put('k', 5), rejection('argument'));
  await assert.rejects(orders.put('k', 'a\ud800'), rejection('argument'));
  await assert.rejects(orders.putIf('k', 'v', undefined), rejection('argument'));
  await assert.rejects(orders.putIf('k', 'v', 5), rejection('argument'));
  assert.equal(sent, 0);
});

test('routes as the machine does, and fans out', async () => {
  const client = await open(resting());
  const orders = client.keyspace('orders');
  assert.equal(orders.shardOf('k'), client.snapshot.shards[orders.route('k')].name);
  assert.equal(orders.describe('k').shard, orders.shardOf('k'));
  assert.deepEqual([...orders.routeMany(['k'])], [orders.route('k')]);
  assert.equal(orders.explain('k').slots, 64);
  assert.deepEqual([...orders.groupByShard(['k']).keys()], [orders.shardOf('k')]);
  assert.equal(orders.replicas('k', 2).length, 2);
  const shares = await orders.forEachShard(async (share) => share.slots);
  assert.equal([...shares.values()].reduce((a, b) => a + b), 64);
  assert.deepEqual([...shares.keys()], ['pg-1', 'pg-2', 'pg-3']);
  assert.throws(() => client.keyspace('nothing'), rejection('unknown_keyspace'));
});

test('race 11: a thousand stale operations make one refresh', async () => {
  const [before, after] = [demo('at home'), demo('in ended-to')];
  const topology = moving(before);
  const store = memory();
  const client = await open(before, { store, topology });
  const orders = client.keyspace('orders');
  // What pg-2 holds on both sides of the change, and what no wave touches.
  const keys = keysIn(orders, 1_000, (slot) => slot === 13);
  assert.equal(orders.shardOf(keys[0]), 'pg-2');
  store.shard(2).home(after, 2);
  topology.now = after;
  topology.asked = 0;
  const heard = [];
  const off = client.on('change', (snapshot) => heard.push(snapshot.epoch));
  await Promise.all(keys.map((key) => orders.put(key, key)));
  assert.equal(topology.asked, 1);
  assert.equal(client.figures().refreshes, 1);
  assert.equal(client.epoch, after.epoch);
  assert.equal(client.figures().operations.written, 1_000);
  assert.ok(client.figures().retries >= 1_000);
  assert.deepEqual(heard, [after.epoch]);
  assert.deepEqual((await orders.getMany(keys)).map(text), keys);
  off();
});

test('a topology that fails is asked again, and one without news not all the time', async () => {
  const [before, after] = [demo('at home'), demo('in ended-to')];
  const topology = moving(before);
  const store = memory();
  const client = await open(before, { store, topology });
  const orders = client.keyspace('orders');
  const [key] = keysIn(orders, 1, (slot) => slot === 13);
  store.shard(2).home(after, 2);
  const { fetch } = topology;
  let asked = 0;
  topology.fetch = async (newerThan) => {
    asked += 1;
    if (asked % 2 === 1) throw new Error('unplugged');
    return fetch.call(topology, newerThan);
  };
  setTimeout(() => (topology.now = after), 300);
  await orders.put(key, 'v');
  assert.ok(asked >= 3 && asked < 40, `asked ${asked} times`);
  assert.equal(client.epoch, after.epoch);
});

test('who pauses goes on by the map that somebody else has brought', async () => {
  const [before, after] = [demo('at home'), demo('in ended-to')];
  const shards = memory();
  const epochs = [];
  const store = between(shards, (attempt, _request, send) => {
    epochs.push(attempt.epoch);
    const barrier = { type: 'refused', refusal: { code: 'not_ready', current: attempt.epoch } };
    return attempt.epoch === after.epoch ? send() : { reply: barrier };
  });
  const client = await open(before, { store });
  const orders = client.keyspace('orders');
  const [key] = keysIn(orders, 1, (slot) => slot === 13);
  const put = orders.put(key, 'v');
  shards.shard(2).home(after, 2);
  client.install(after);
  await put;
  assert.deepEqual(epochs, [1, after.epoch]);
  assert.equal(client.figures().refreshes, 0);
});

test('a barrier is waited for, with the map at hand', async () => {
  let open_ = false;
  const closed = { reply: { type: 'refused', refusal: { code: 'not_ready', current: 1 } } };
  const store = between(memory(), (_attempt, _request, send) => (open_ ? send() : closed));
  const client = await open(resting(), { store });
  setTimeout(() => (open_ = true), 60);
  await client.keyspace('orders').put('k', 'v');
  const { refreshes, retries } = client.figures();
  assert.equal(refreshes, 0);
  assert.ok(retries > 0);
});

test('a deadline says what the last refusal was, and what the store said', async () => {
  const refusal = { code: 'not_ready', current: 1 };
  const busy = new Error('the pool is empty');
  const answers = [{ ...notSent, error: busy }, { reply: { type: 'refused', refusal } }];
  const store = { send: () => answers.shift() ?? { reply: { type: 'refused', refusal } } };
  const client = await open(resting(), { store, policy: { deadlineMs: 80 } });
  const begun = performance.now();
  await assert.rejects(
    client.keyspace('orders').put('k', 'v'),
    rejection('deadline', { key: 'k', last: refusal, cause: busy }),
  );
  const ms = performance.now() - begun;
  assert.ok(ms >= 79 && ms < 1_000, `${ms} ms`);
  assert.equal(client.figures().operations.deadline, 1);
});

test('a write whose answer was lost is confirmed', async () => {
  let losing = true;
  const store = between(memory(), (attempt, _request, send) => {
    const response = send();
    if (attempt.kind !== 'write' || !losing) return response;
    losing = false;
    return lost;
  });
  const orders = (await open(resting(), { store })).keyspace('orders');
  const { version } = await orders.put('k', 'v');
  assert.equal((await orders.get('k')).version, version);
});

test('a write that nobody confirms is indeterminate', async () => {
  const store = between(memory(), (attempt, _request, send) => {
    const response = send();
    return attempt.kind === 'read' ? response : lost;
  });
  const policy = { deadlineMs: 100, attemptMs: 20 };
  const client = await open(resting(), { store, policy });
  const orders = client.keyspace('orders');
  await assert.rejects(orders.put('k', 'v'), rejection('indeterminate', { version: null }));
  assert.equal(text(await orders.get('k')), 'v');
  const without = await open(resting(), { store, policy: { confirm: false } });
  await assert.rejects(without.keyspace('orders').put('k', 'v'), rejection('indeterminate'));
});

test('what a store throws is a lost answer, and the cause', async () => {
  const bug = new TypeError('a bug');
  let sent = 0;
  const store = {
    send() {
      sent += 1;
      throw bug;
    },
  };
  const client = await open(resting(), { store, policy: { deadlineMs: 60 } });
  const orders = client.keyspace('orders');
  await assert.rejects(orders.put('k', 'v'), rejection('indeterminate', { cause: bug }));
  await assert.rejects(orders.get('k'), rejection('deadline', { cause: bug }));
  assert.ok(sent > 2);
  const final = new RingshiftError('store_format', 'not a shard');
  const hopeless = await open(resting(), { store: { send: async () => Promise.reject(final) } });
  await assert.rejects(hopeless.keyspace('orders').get('k'), (error) => error === final);
});

test('an attempt without an answer is given up, and its signal says so', async () => {
  const signals = [];
  const store = {
    send(attempt, request, signal) {
      signals.push(signal);
      return signals.length < 3 ? new Promise(() => {}) : { reply: { type: 'missing' } };
    },
  };
  const client = await open(resting(), { store, policy: { attemptMs: 20 } });
  assert.equal(await client.keyspace('orders').get('k'), null);
  assert.deepEqual(signals.map((signal) => signal.aborted), [true, true, false]);
  assert.equal(client.figures().retries, 2);
});

test('an abort throws the reason, whatever is waited for', async () => {
  const reason = new Error('the user went away');
  const waits = {
    reply: { send: (_attempt, _request, _signal) => new Promise(() => {}) },
    pause: { send: () => notSent },
  };
  for (const [what, store] of Object.entries(waits)) {
    const controller = new AbortController();
    const client = await open(resting(), { store });
    const get = client.keyspace('orders').get('k', { signal: controller.signal });
    setTimeout(() => controller.abort(reason), 20);
    await assert.rejects(get, (error) => error === reason, what);
    const later = client.keyspace('orders').get('k', { signal: controller.signal });
    await assert.rejects(later, (error) => error === reason, what);
  }
  const signal = AbortSignal.abort(reason);
  const opening = Client.open({ topology: fixed(resting()), store: memory(), signal });
  await assert.rejects(opening, (error) => error === reason);
});

test('a closed client throws, also where it was waiting', async () => {
  const store = { send: () => new Promise(() => {}) };
  const client = await open(resting(), { store });
  const orders = client.keyspace('orders');
  const waiting = orders.get('k');
  const begun = performance.now();
  await client.close();
  await assert.rejects(waiting, rejection('disposed'));
  assert.ok(performance.now() - begun < 500, 'at once');
  await assert.rejects(orders.put('k', 'v'), rejection('disposed'));
  await assert.rejects(orders.forEachShard(() => 1), rejection('disposed'));
  assert.throws(() => client.keyspace('orders'), rejection('disposed'));
  assert.throws(() => client.install(resting()), rejection('disposed'));
  assert.throws(() => orders.route('k'), rejection('disposed'));
  await assert.rejects(client.refresh(), rejection('disposed'));
  await client.close();
});

test('a snapshot of another history is refused, and the one in force stays', async () => {
  const client = await open(demo('in prepare'));
  assert.throws(() => client.install(resting()), rejection('foreign_cluster'));
  assert.throws(() => client.install(demo('at home')), rejection('older_snapshot'));
  assert.throws(() => client.install(demo('forked')), rejection('forked_snapshot'));
  assert.equal(client.install(demo('in prepare')), false);
  assert.equal(client.install(demo('in double-write').encode()), true);
  assert.equal(client.epoch, 7);
});

test('nothing to open with', async () => {
  const topology = { fetch: async () => null };
  const opening = Client.open({ topology, store: memory() });
  await assert.rejects(opening, rejection('topology_missing'));
});

test('run: a function of one’s own in place of the store', async () => {
  const shards = memory();
  const client = await open(resting(), { store: shards });
  const orders = client.keyspace('orders');
  const kinds = [];
  const ended = await orders.run('k', 'write', (attempt, request) => {
    kinds.push(attempt.kind);
    const change = { type: 'put', value: new TextEncoder().encode('by hand') };
    return shards.send(attempt, { ...request, change }).reply;
  });
  assert.equal(ended.outcome.type, 'written');
  const found = await orders.run('k', 'read', async (attempt, request) => {
    kinds.push(attempt.kind);
    const { reply, found } = shards.send(attempt, request);
    return { reply, found: Buffer.from(found.value).toString() };
  });
  assert.equal(found.found, 'by hand');
  assert.equal(found.outcome.version, ended.outcome.version);
  assert.deepEqual(kinds, ['write', 'read']);
  const bug = new Error('a bug');
  const thrown = orders.run('k', 'read', () => {
    throw bug;
  });
  await assert.rejects(thrown, (error) => error === bug);
});
