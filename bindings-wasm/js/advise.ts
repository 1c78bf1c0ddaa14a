// Counting what a router sees, and what to do about it.
import * as raw from 'ringshift-gen';
import * as check from './check.js';
import { Held, held, text } from './held.js';
import { put } from './keys.js';
import * as machine from './machine.js';
import type { Key } from './types.js';
import type { Advice, KeyspaceLoad, Loads, Triggers } from './advise-types.js';

const json = (value: object | string, what: string): string =>
  typeof value === 'string' ? value : JSON.stringify(check.object(value, what));

/**
 * Counts the operations on one keyspace, one in `rate` of them on average, and forgets half of what it
 * has counted every half-life.
 */
export class Meter extends Held<raw.Meter> {
  /**
   * A meter of the keyspace of that name, of `2^bits` slots. `rate` is how many operations one that is
   * counted stands for, `halfLifeMs` the time after which counts are halved (0: never), and `seed` what
   * draws the sample: random, so that two clients don't count in step.
   */
  constructor(keyspace: string, bits: number, rate: number, halfLifeMs: number, seed: number | bigint) {
    super(new raw.Meter(
      text(keyspace, 'a keyspace'), check.uint(bits, 'bits', 20), check.uint(rate, 'rate'),
      check.time(halfLifeMs), check.wide(seed, 'seed', 64)));
  }
  /** An operation on a key whose routing part is `part`, in `slot`, on the shard of that number. */
  record(now: number, shard: number, slot: number, part: Uint8Array): void {
    this._raw.record(
      check.time(now), check.uint(shard, 'shard'), check.uint(slot, 'slot'), check.binary(part, 'a routing part'));
  }
  /** An operation on a key, wherever the router has it. */
  recordKey(now: number, keyspace: machine.Keyspace, key: Key): void {
    if (!(keyspace instanceof machine.Keyspace)) throw check.bad('a keyspace', 'a Keyspace', keyspace);
    const router = held(keyspace._router, machine.Router, 'its router');
    this._raw.recordKey(check.time(now), router, keyspace.id, put(key));
  }
  /** An operation that had to ask more than one shard. Record its keys, too. */
  recordSpread(): void {
    this._raw.recordSpread();
  }
  /** What was counted: one of the `keyspaces` of loads. */
  get loads(): KeyspaceLoad {
    return JSON.parse(this._raw.loads()) as KeyspaceLoad;
  }
}

/**
 * What is wrong with a cluster by its loads, and what to do about it, the most urgent first. What isn't
 * known is left out, and nothing is advised about it. `triggers` says above what something is wrong.
 */
export function advise(
  snapshot: machine.Snapshot | Uint8Array, loads: Loads | string, triggers: Triggers | string = {},
): Advice[] {
  const [known, above] = [json(loads, 'the loads'), json(triggers, 'the triggers')];
  return JSON.parse(machine.withSnapshot(snapshot, (held) => raw.advise(held, known, above))) as Advice[];
}

/** Loads of two processes, added up. Of what isn't a count, the higher is kept. */
export const addLoads = (ours: Loads | string, theirs: Loads | string): Loads =>
  JSON.parse(raw.addLoads(json(ours, 'the loads'), json(theirs, 'the loads'))) as Loads;
