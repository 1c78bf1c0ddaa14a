import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { test } from 'node:test';
import { demo, moving, open } from './clusters.mjs';

test('channels tell of snapshots, refreshes and operations', async () => {
  const heard = [];
  const hear = (message, name) => heard.push([name, message]);
  const names = ['install', 'refresh', 'operation'].map((name) => `ringshift:${name}`);
  const topology = moving(demo('at home'));
  const client = await open(topology.now, { topology });
  const orders = client.keyspace('orders');
  await orders.get('unheard');
  for (const name of names) subscribe(name, hear);
  try {
    await orders.put('k', 'v');
    await assert.rejects(orders.putIf('k', 'v', null), { code: 'version_conflict' });
    topology.now = demo('in double-write');
    await client.refresh();
  } finally {
    for (const name of names) unsubscribe(name, hear);
  }
  await client.refresh();
  assert.deepEqual(heard.map(([name]) => name.split(':')[1]), [
    'operation', 'operation', 'install', 'refresh',
  ]);
  const [put, conflict, install, refresh] = heard.map(([, message]) => message);
  const plain = { kind: 'write', keyspace: 'orders', attempts: 1, refreshes: 0 };
  assert.deepEqual(put, { ...plain, ended: 'written' });
  assert.deepEqual(conflict, { ...plain, ended: 'version_conflict' });
  const { cluster, epoch, digest } = topology.now;
  assert.deepEqual(install, { cluster, epoch, digest, before: 5 });
  assert.deepEqual({ ...refresh, ms: 0 }, { newerThan: 5, epoch: 7, ms: 0, error: undefined });
});
