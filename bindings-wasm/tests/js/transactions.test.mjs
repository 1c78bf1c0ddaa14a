import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { RingshiftError } from 'ringshift';
import { fromTopology } from 'ringshift/local';
import { sqlite } from 'ringshift/stores/sqlite';
import { transaction } from 'ringshift/transactions';
import { open } from './clusters.mjs';
import { databases } from './databases.mjs';

const SNAPSHOT = fromTopology({
  cluster: 'demo',
  keyspaces: { orders: { key: { parts: 1 } } },
  shards: [1, 2, 3].map((id) => ({ id, name: `pg-${id}` })),
});
const [A, B] = [['user:42', 'profile'], ['user:42', 'cart']];
const text = (value) => (value === null ? null : new TextDecoder().decode(value));
const rejection = (code) => (error) => {
  assert.ok(error instanceof RingshiftError, String(error));
  assert.equal(error.code, code, error.message);
  return true;
};

/** Runs a test over each store. */
function onEveryStore(what, body) {
  test(`${what}, in memory`, async () => {
    const client = await open(SNAPSHOT);
    await body(client.keyspace('orders'));
    await client.close();
  });
  for (const [name, database] of Object.entries(databases)) {
    test(`${what}, on ${name}`, async () => {
      const folder = mkdtempSync(join(tmpdir(), 'ringshift-'));
      const store = sqlite({ path: (name) => join(folder, `${name}.db`), database });
      try {
        await store.setUp(SNAPSHOT);
        const client = await open(SNAPSHOT, { store });
        await body(client.keyspace('orders'));
        await client.close();
      } finally {
        store.close();
        rmSync(folder, { recursive: true });
      }
    });
  }
}

onEveryStore('several keys are changed together', async (orders) => {
  const { versions, lagging, value } = await transaction(orders, [A, B], async (tx) => {
    assert.equal(tx.get(A), null);
    tx.put(A, 'a');
    assert.equal(text(tx.get(A)), 'a');
    await null;
    tx.put(B, 'b');
    return 7;
  });
  assert.deepEqual([value, lagging, versions.length], [7, false, 2]);
  assert.equal((await orders.get(A)).version, versions[0]);
  await transaction(orders, [A, B], (tx) => {
    assert.equal(tx.version(A), versions[0]);
    tx.delete(B);
    assert.equal(tx.get(B), null);
  });
  assert.equal(await orders.get(B), null);
});

onEveryStore('work that throws changes nothing', async (orders) => {
  const stop = new Error('stop');
  const work = (tx) => {
    tx.put(A, 'a');
    throw stop;
  };
  await assert.rejects(transaction(orders, [A, B], work), (error) => error === stop);
  await assert.rejects(transaction(orders, [A], (tx) => tx.get(B)), rejection('transaction_keys'));
  assert.equal(await orders.get(A), null);
});

onEveryStore('keys of several shards are listed', async (orders) => {
  const keys = Array.from({ length: 8 }, (_, n) => [`user:${n}`, 'x']);
  const never = () => assert.fail('it was begun');
  await assert.rejects(transaction(orders, keys, never), (error) => {
    const listed = {};
    for (const key of keys) (listed[orders.shardOf(key)] ??= []).push(key);
    assert.deepEqual(error.shards, listed);
    return rejection('cross_shard')(error);
  });
  for (const wrong of [[], [A, A]]) {
    await assert.rejects(transaction(orders, wrong, never), rejection('transaction_keys'));
  }
});

onEveryStore('a change in between is seen by the next run', async (orders) => {
  await orders.put(A, '1');
  const seen = [];
  await transaction(orders, [A, B], async (tx) => {
    seen.push(text(tx.get(A)));
    if (seen.length === 1) await orders.put(A, '2');
    tx.put(B, seen.at(-1));
  });
  assert.deepEqual(seen, ['1', '2']);
  assert.equal(text((await orders.get(B)).value), '2');
});

onEveryStore('transfers at the same time lose nothing', async (orders) => {
  const accounts = Array.from({ length: 4 }, (_, n) => ['bank', n]);
  const number = (value) => Number(text(value) ?? 0);
  await transaction(orders, accounts, (tx) => tx.put(accounts[0], '1000'));
  const transfer = (turn) => {
    const [one, other] = [accounts[turn % 4], accounts[(turn + 1 + (turn % 3)) % 4]];
    return transaction(orders, [one, other], async (tx) => {
      const amount = Math.min(number(tx.get(one)), 7 + (turn % 5));
      await null;
      tx.put(one, String(number(tx.get(one)) - amount));
      tx.put(other, String(number(tx.get(other)) + amount));
    });
  };
  await Promise.all(Array.from({ length: 40 }, (_, turn) => transfer(turn)));
  const { value } = await transaction(orders, accounts, (tx) =>
    accounts.reduce((sum, account) => sum + number(tx.get(account)), 0));
  assert.equal(value, 1_000);
});

test('a store without batches says so', async () => {
  const store = { send: () => assert.fail('it was sent') };
  const client = await open(SNAPSHOT, { store });
  await assert.rejects(transaction(client.keyspace('orders'), [A], () => 1), rejection('argument'));
});
