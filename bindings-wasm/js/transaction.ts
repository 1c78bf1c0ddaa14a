/**
 * One loop over a transaction. It decides nothing: it steps the core's machine, and keeps the rows
 * that were read and what the caller's work makes of them.
 */

import { keyBytes } from './keys.js';
import { Transaction } from './machine.js';
import { RingshiftError } from './shapes.js';
import type { Keyspace } from './machine.js';
import type { Batch, Found, Key, Policy, TransactionOutcome } from './types.js';
import type { BatchResponse, Change, Request, Value } from './client-types.js';
import type { Waits } from './drive.js';

/** What the loop needs of the world. */
export interface TransactionWorld {
  readonly waits: Waits;
  readonly op: Uint8Array;
  /** Carries a batch out at its shard. */
  send(batch: Batch, requests: readonly Request[]): PromiseLike<BatchResponse>;
  /** Gets a snapshot past that epoch, if there is one. */
  refresh(newerThan: number): Promise<void>;
}

interface Row {
  found: Found | null;
  version: bigint | null;
  read: boolean;
  change: Change | null;
}

/** The keys of a transaction: as they were read at one moment, with its own changes. */
export class Tx {
  readonly #places: ReadonlyMap<string, number>;
  readonly #rows: readonly Row[];

  /** @internal */
  constructor(places: ReadonlyMap<string, number>, rows: readonly Row[]) {
    this.#places = places;
    this.#rows = rows;
  }

  /** The key's value, `null` when there is no row. A change of one's own is seen. */
  get(key: Key): Uint8Array | null {
    const row = this.#row(key);
    if (row.change !== null) return row.change.type === 'delete' ? null : row.change.value;
    row.read = true;
    return row.found?.value ?? null;
  }

  /** The version of the row that was read, `null` when there was none. */
  version(key: Key): bigint | null {
    const row = this.#row(key);
    row.read = true;
    return row.version;
  }

  /** Puts a value. */
  put(key: Key, value: Value): void {
    this.#row(key).change = { type: 'put', value: bytes(value) };
  }

  /** Deletes the row. */
  delete(key: Key): void {
    this.#row(key).change = { type: 'delete' };
  }

  #row(key: Key): Row {
    const place = this.#places.get(name(keyBytes(key)));
    if (place !== undefined) return this.#rows[place]!;
    const text = "the key isn't one of the transaction's; name all of its keys when it begins";
    throw new RingshiftError('transaction_keys', text, { key });
  }
}

/** How a transaction ended. */
export interface Transacted<T> {
  readonly outcome: TransactionOutcome;
  readonly value: T | undefined;
}

/** Drives a transaction to its end. What `work` throws is thrown, and nothing is changed. */
export async function transact<T>(
  keyspace: Keyspace,
  keys: readonly Uint8Array[],
  policy: Policy,
  world: TransactionWorld,
  work: (tx: Tx) => T | PromiseLike<T>,
): Promise<Transacted<T>> {
  const { waits } = world;
  const places = new Map(keys.map((key, place) => [name(key), place]));
  const machine = new Transaction(keyspace, keys, true, policy, waits.now());
  let rows: Row[] = [];
  let inFlight: Batch | null = null;
  let value: T | undefined;
  const requests = (batch: Batch): Request[] =>
    batch.parts.map(({ key, attempt }) => {
      const row = attempt.foundBy === null ? null : (rows[key]?.found ?? null);
      const own = attempt.kind === 'read' || row !== null ? null : (rows[key]?.change ?? null);
      return { key: keys[key]!, op: world.op, change: own, row };
    });
  try {
    for (;;) {
      const step = machine.poll();
      switch (step.type) {
        case 'done':
          return { outcome: step.outcome, value };
        case 'send':
          // What nobody waits for is sent before the answer, too; catch-up carries the rest.
          if (step.batch.blocking) inFlight = step.batch;
          else await waits.first(world.send(step.batch, requests(step.batch)), waits.now() + 1_000);
          break;
        case 'work':
          try {
            value = await work(new Tx(places, rows));
          } catch (error) {
            machine.rollBack();
            throw error;
          }
          machine.commit(
            waits.now(),
            Uint8Array.from(rows, ({ read, change }) => Number(read) + (change === null ? 0 : 2)),
          );
          break;
        case 'refresh': {
          const wait = machine.poll();
          if (wait.type !== 'wait') break;
          const refreshed = world.refresh(step.newerThan).then(() => true);
          if (await waits.first(refreshed, wait.until)) machine.handleSnapshot(waits.now(), keyspace);
          else machine.handleTimeout(waits.now());
          break;
        }
        case 'wait': {
          if (inFlight === null) {
            await waits.first(null, step.until);
            machine.handleSnapshot(waits.now(), keyspace);
            machine.handleTimeout(waits.now());
            break;
          }
          const batch: Batch = inFlight;
          inFlight = null;
          const response = await waits.first(world.send(batch, requests(batch)), step.until);
          if (response === undefined) {
            machine.handleTimeout(waits.now());
            break;
          }
          const { reply, found } = response;
          if (batch.begins && reply.type === 'done') {
            rows = reply.replies.map((said, at) => ({
              found: found[at] ?? null,
              version: said.type === 'found' ? said.version : null,
              read: false,
              change: null,
            }));
          }
          machine.handleReply(waits.now(), batch.id, reply);
          break;
        }
      }
    }
  } finally {
    machine.free();
  }
}

const name = (key: Uint8Array): string => key.join();

/** A caller's value as bytes. */
export function bytes(value: Value): Uint8Array {
  if (value instanceof Uint8Array) return value;
  const text = value as string & { isWellFormed?(): boolean };
  if (typeof text === 'string' && text.isWellFormed?.() !== false) {
    return new TextEncoder().encode(text);
  }
  const what = typeof text === 'string' ? 'text with half a surrogate pair' : typeof value;
  throw new RingshiftError('argument', `a value is bytes or text, not ${what}`);
}
