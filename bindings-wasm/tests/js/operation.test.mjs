// The core's traces of operations: each event in, exactly its steps out.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { read, ringshift, slug, unhex } from './built.mjs';
import { attempt, policy, refusal, reply, variant, wide } from './words.mjs';

const { Operation, Router } = ringshift;

function outcome(told) {
  const [type, of] = variant(told);
  if (type === 'failed') {
    const { code } = of;
    const more = {};
    if ('version' in of) more.version = wide(of.version);
    if ('last' in of) more.last = of.last === null ? null : refusal(of.last);
    if ('shard' in of) Object.assign(more, { shard: of.shard, current: of.current });
    return { type, code, ...more };
  }
  if (type === 'conflict') return { type, found: wide(of.found) };
  return of.version === undefined ? { type } : { type, ...of, version: BigInt(of.version) };
}

function step(told) {
  const [type, of] = variant(told);
  switch (type) {
    case 'send': return { type, attempt: attempt(of) };
    case 'refresh': return { type, newerThan: of.newer_than };
    case 'wait': return { type, until: of.until };
    default: return { type, outcome: outcome(of) };
  }
}

for (const one of read('operation').traces.cases) {
  it(one.name, () => {
    const key = unhex(one.key);
    const keyspaces = one.snapshots.map((bytes) => new Router(unhex(bytes)).keyspace('orders'));
    const begin = one.kind === 'read' ? Operation.read : Operation.write;
    const operation = begin(keyspaces[0], key, policy(one.policy), one.events[0].at);
    for (const event of one.events) {
      if (event.reply !== undefined) {
        const got = slug(() => operation.handleReply(event.at, event.id, reply(event.reply)));
        assert.equal(got, event.unknown ? 'unknown_attempt' : undefined);
      } else if (event.snapshot !== undefined) {
        operation.handleSnapshot(event.at, keyspaces[event.snapshot], key);
      } else if (event.timeout) {
        operation.handleTimeout(event.at);
      }
      const said = [];
      do {
        const next = operation.poll();
        if (next.type === 'done') delete next.outcome.message;
        said.push(next);
      } while (said.at(-1).type !== 'wait' && said.at(-1).type !== 'done');
      assert.deepEqual(said, event.then.map(step));
    }
  });
}
