// The core's traces of transactions: each event in, exactly its steps out.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { read, slug, unhex } from './built.mjs';
import { attempt, policy, refusal, reply, variant, wide } from './words.mjs';
import { Pins, Transaction } from '../../../dist/npm/package/dist/node-transactions.mjs';
import * as whole from '../../../dist/npm/package/dist/node-migrate.mjs';

function said(told) {
  const [type, of] = variant(told);
  if (type === 'done') return { type, replies: of.map(reply) };
  if (type === 'conflict') return { type: 'not-done', part: of.part, reply: { type, found: wide(of.found) } };
  const why = type === 'refused' ? { type, refusal: refusal(of) } : { type, failure: of };
  return { type: 'not-done', part: 0, reply: why };
}

function outcome(told) {
  const [type, of] = variant(told);
  if (type === 'rolled_back') return { type: 'done', versions: [], lagging: false };
  if (type === 'committed') return { type: 'done', versions: of.versions.map(wide), lagging: of.lagging };
  return { type, ...of, found: wide(of.found), shards: new Map(of.shards) };
}

function step(told) {
  const [type, of] = variant(told);
  switch (type) {
    case 'send': {
      const parts = of.parts.map((part) => (
        { key: part.key, attempt: { ...attempt(part.attempt), blocking: of.blocking } }));
      return { type, batch: { ...of, parts } };
    }
    case 'work': return { type };
    case 'refresh': return { type, newerThan: of.newer_than };
    case 'wait': return { type, until: of.until };
    default: return { type, outcome: outcome(of) };
  }
}

const LAST = ['work', 'wait', 'done'];
for (const [name, of] of [['transactions', { Pins, Transaction }], ['migrate', whole]]) {
  for (const one of read('transactions').traces.cases) {
    it(`${one.name}, by ringshift/${name}`, () => {
      const keys = one.keys.map(unhex);
      const pins = one.snapshots.map((bytes) => new of.Pins(unhex(bytes)));
      const { again, events } = one;
      const machine = new of.Transaction(pins[0], 'orders', keys, again, policy(one.policy), events[0].at);
      for (const event of events) {
        if (event.reply !== undefined) {
          const got = slug(() => machine.handleReply(event.at, event.id, said(event.reply)));
          assert.equal(got, event.unknown ? 'unknown_attempt' : undefined);
        } else if (event.commit !== undefined) {
          machine.commit(event.at, Uint8Array.from(event.commit, ([read, write]) => Number(read) + 2 * Number(write)));
        } else if (event.roll_back) {
          machine.rollBack();
        } else if (event.snapshot !== undefined) {
          machine.handleSnapshot(event.at, pins[event.snapshot]);
        } else if (event.timeout) {
          machine.handleTimeout(event.at);
        }
        const steps = [];
        do {
          const next = machine.poll();
          if (next.type === 'done') delete next.outcome.message;
          if (next.type === 'send') delete next.batch.numbers;
          steps.push(next);
        } while (!LAST.includes(steps.at(-1).type));
        assert.deepEqual(steps, event.then.map(step));
      }
    });
  }
}
