// Several keys of one shard, changed together, as a machine. Its module is not the client's:
// snapshots go from one to the other as bytes.
import * as raw from 'ringshift-gen';
import type { Snapshot } from 'ringshift';
import * as check from './check.js';
import { Held, held, text } from './held.js';
import { read } from './read.js';
import { packed } from './requests.js';
import type { BatchReply, Policy, TransactionStep } from './types.js';

/** What pins a transaction's keys, by one snapshot after another. */
export class Pins extends Held<raw.Pins> {
  /** By a snapshot, or by its bytes. */
  constructor(snapshot: Snapshot | Uint8Array) {
    super(read(snapshot, (held) => new raw.Pins(held)));
  }
  /** Puts a newer snapshot in force. One that isn't newer, or of another history, is refused. */
  install(snapshot: Snapshot | Uint8Array): void {
    read(snapshot, (held) => this._raw.install(held));
  }
  /** The epoch of the one in force. */
  get epoch(): number {
    return this._raw.epoch();
  }
}

/** Several keys of one shard, changed together, as a machine. */
export class Transaction extends Held<raw.Transaction> {
  readonly #keyspace: number;
  readonly #keys: [Uint8Array, Uint32Array];
  /** Begins one; `again`: whether the caller's work can be done once more. */
  constructor(
    pins: Pins, keyspace: string, keys: readonly Uint8Array[], again: boolean, policy: Policy | undefined, now: number,
  ) {
    const by = held(pins, Pins, 'what pins');
    const number = by.keyspace(text(keyspace, 'a keyspace'));
    const all = packed(keys.map((key) => check.binary(key, 'a key')));
    super(new raw.Transaction(
      by, number, ...all, check.flag(again, '`again`'), check.time(now), ...check.limits(policy)));
    this.#keyspace = number;
    this.#keys = all;
  }
  /** What to do next. */
  poll(): TransactionStep {
    return this._raw.poll();
  }
  /** What the work did with each key: 1 for a read one, 2 for a written one, 3 for both. */
  commit(now: number, uses: Uint8Array): void {
    this._raw.commit(check.time(now), check.binary(uses, 'what was done'));
  }
  /** Nothing is to be changed. */
  rollBack(): void {
    this._raw.rollBack();
  }
  /** What a shard answered to batch `id`; throws `unknown_attempt` for one that isn't waited for. */
  handleReply(now: number, id: number, said: BatchReply): void {
    const replies = said.type === 'done' ? said.replies : [said.reply];
    const numbers = replies.flatMap((reply) => {
      const [code, version, a, b] = check.reply(reply);
      return [BigInt(code), version ?? -1n, BigInt(a), BigInt(b)];
    });
    const part = said.type === 'done' ? -1 : said.part;
    this._raw.reply(check.time(now), check.uint(id, 'id'), part, BigInt64Array.from(numbers));
  }
  /** Pins the keys by the snapshot that is in force now. */
  handleSnapshot(now: number, pins: Pins): void {
    this._raw.snapshot(check.time(now), held(pins, Pins, 'what pins'), this.#keyspace, ...this.#keys);
  }
  /** Time has passed. */
  handleTimeout(now: number): void {
    this._raw.timeout(check.time(now));
  }
}
