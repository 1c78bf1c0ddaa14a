// Whatever is asked, and in whatever order it arrives, a shard in memory and one in a file say the
// same.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { memory } from 'ringshift/local';
import { sqlite } from 'ringshift/stores/sqlite';
import { open, resting } from './clusters.mjs';
import { databases } from './databases.mjs';

const snapshot = resting();
const key = fc.constantFrom('a', 'b', 'c');
const value = fc.uint8Array({ maxLength: 4 });
const command = fc.oneof(
  fc.record({ do: fc.constant('put'), key, value }),
  fc.record({ do: fc.constant('delete'), key }),
  // The version that the client knew of so many answers ago, none, or one that never was.
  fc.record({
    do: fc.constant('putIf'), key, value,
    expected: fc.oneof(fc.nat(3), fc.constantFrom('none', 'never')),
  }),
  fc.record({ do: fc.constant('get'), key }),
);
/** What is sent together, and for how many turns each attempt is on its way, and its answer. */
const round = fc.record({
  commands: fc.array(command, { minLength: 1, maxLength: 6 }),
  delays: fc.array(fc.nat(5), { minLength: 1, maxLength: 12 }),
});

/** Plays the rounds, and tells everything that was answered. */
async function play(rounds, store) {
  let delays = [];
  const turns = async () => {
    for (let left = delays.shift() ?? 0; left > 0; left--) await null;
  };
  const order = [];
  const slow = {
    install: (snapshot) => store.install(snapshot),
    async send(attempt, request) {
      await turns();
      const response = await store.send(attempt, request);
      order.push(`${request.change?.type ?? attempt.kind} ${Buffer.from(request.key)}`);
      await turns();
      return response;
    },
  };
  const orders = (await open(snapshot, { store: slow })).keyspace('orders');
  const versions = [];
  const answers = [];
  for (const { commands, delays: now } of rounds) {
    delays = [...now];
    const settled = await Promise.allSettled(commands.map((one) => carryOut(orders, one, versions)));
    for (const { status, value, reason } of settled) {
      if (value?.version !== undefined) versions.push(value.version);
      if (status === 'rejected') assert.equal(reason.code, 'version_conflict');
      answers.push(value ?? (reason && [reason.code, reason.found]) ?? null);
    }
  }
  return { answers, order, last: await orders.getMany(['a', 'b', 'c']) };
}

function carryOut(orders, { do: what, key, value, expected }, versions) {
  if (what !== 'putIf') return value === undefined ? orders[what](key) : orders[what](key, value);
  if (expected === 'none') return orders.putIf(key, value, null);
  const known = versions.at(-1 - expected) ?? null;
  return orders.putIf(key, value, expected === 'never' ? 1n << 62n : known);
}

for (const [name, database] of Object.entries(databases)) {
  test(`memory and ${name} answer alike`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ringshift-'));
    let run = 0;
    try {
      await fc.assert(
        fc.asyncProperty(fc.array(round, { minLength: 1, maxLength: 4 }), async (rounds) => {
          run += 1;
          const files = sqlite({ path: (shard) => join(folder, `${run}-${shard}.db`), database });
          await files.setUp(snapshot);
          try {
            assert.deepEqual(await play(rounds, files), await play(rounds, memory()));
          } finally {
            files.close();
          }
        }),
        { numRuns: 40 },
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}
