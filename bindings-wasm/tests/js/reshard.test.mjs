// A reshard by Rust, of files that this process reads and writes meanwhile.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, file } from 'ringshift';
import { sqlite } from 'ringshift/stores/sqlite';
import { text } from './clusters.mjs';
import { databases } from './databases.mjs';
import { reshard } from './rust.mjs';

const WORKERS = 4;
const KEYS = 40;

for (const [name, database] of Object.entries(databases)) {
  test(`${name}: nothing is lost while another language moves the data`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ringshift-'));
    let over = false;
    const ended = reshard(folder, '--records', '500', '--threads', '2').finally(() => (over = true));
    const store = sqlite({ path: (_name, shard) => join(folder, shard.endpoint), database });
    const topology = file(join(folder, 'topology.ringshift'));
    const client = await opened(topology, store, () => over);
    const records = client.keyspace('records');
    const phases = new Set();
    let done = 0;

    /** Reads and writes keys of its own, and knows what each must say. */
    async function work(worker) {
      const known = new Map();
      for (let turn = 0; !over; turn++, done++) {
        const key = `js:${worker}:${turn % KEYS}`;
        phases.add(records.describe(key).phase);
        const row = await records.get(key);
        assert.equal(text(row), known.get(key) ?? null, key);
        const value = `${worker}:${turn}`;
        if (turn % 7 === 3) await records.delete(key);
        else if (turn % 5 === 1) await records.putIf(key, value, row?.version ?? null);
        else await records.put(key, value);
        if (turn % 7 === 3) known.delete(key);
        else known.set(key, value);
        await sleep(1);
      }
      return known;
    }

    try {
      const known = await Promise.all([...Array(WORKERS).keys()].map(work));
      const { ending, checked } = await ended;
      assert.equal(ending, 'complete');
      assert.deepEqual([checked.lost, checked.resurrected, checked.wrong_reads], [0, 0, 0]);
      await client.refresh();
      assert.equal(client.snapshot.shards.length, 5);
      const moved = new Set();
      for (const [key, value] of known.flatMap((one) => [...one])) {
        assert.equal(text(await records.get(key)), value, key);
        moved.add(records.shardOf(key));
      }
      assert.equal(moved.size, 5);
      assert.ok(phases.has('double-write') || phases.has('reversed'), [...phases].join());
      assert.ok(done > 100, `${done} turns`);
    } finally {
      over = true;
      await client.close();
      store.close();
      rmSync(folder, { recursive: true });
    }
  });
}

/** A client, as soon as there is a topology. */
async function opened(topology, store, over) {
  for (;;) {
    try {
      return await Client.open({ topology, store });
    } catch (error) {
      if (error.code !== 'topology_missing' || over()) throw error;
      await sleep(2);
    }
  }
}
