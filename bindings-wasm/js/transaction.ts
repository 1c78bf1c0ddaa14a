/**
 * One loop over a transaction. It decides nothing: it steps the core's machine, and keeps the rows
 * that were read and what the caller's work makes of them.
 */

import { RingshiftError, keyBytes } from 'ringshift';
import type { Client, ClientKeyspace } from 'ringshift';
import { Pins, Transaction } from './pins.js';
import { bytes } from './values.js';
import type { Batch, Found, Key, TransactionOutcome } from './types.js';
import type { BatchResponse, CallOptions, Change, Committed, Request, Value } from './client-types.js';
import type { Session } from './session.js';

/** What the loop needs of the world. */
interface World extends Session {
  /** What pins the keys, by the client's snapshot of the moment. */
  pins(): Pins;
  /** Carries a batch out at its shard. */
  send(batch: Batch, requests: readonly Request[]): PromiseLike<BatchResponse>;
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

/** What pins the keys of each client's transactions. */
const pinning = new WeakMap<Client, Pins>();

function pinsOf(client: Client): Pins {
  const known = pinning.get(client);
  if (known === undefined) {
    const made = new Pins(client.snapshot);
    pinning.set(client, made);
    return made;
  }
  if (known.epoch < client.epoch) known.install(client.snapshot);
  return known;
}

/**
 * Reads and changes several keys of one shard together: all of it, or nothing.
 *
 * `work` sees all keys as they were at one moment, and may be called again, with new reads, when
 * a key was changed or rerouted before the commit. What it throws changes nothing.
 *
 * @throws `cross_shard` for keys on several shards, with the keys of each as `shards`.
 */
export async function transaction<T>(
  keyspace: ClientKeyspace,
  keys: readonly Key[],
  work: (tx: Tx) => T | PromiseLike<T>,
  options?: CallOptions,
): Promise<Committed<T>> {
  const client = keyspace?._client;
  if (client === undefined) {
    throw new RingshiftError('argument', "a transaction's keyspace is one of a client's");
  }
  const session = client.session(options?.signal);
  let cause: unknown;
  const send: World['send'] = async (batch, requests) => {
    try {
      const response = await client.store.batch!(batch, requests);
      cause = response.error ?? cause;
      return response;
    } catch (error) {
      cause = error;
      const reply = { type: 'failed', failure: 'maybe_applied' } as const;
      return { reply: { type: 'not-done', part: 0, reply }, found: [] };
    }
  };
  try {
    if (client.store.batch === undefined) {
      const text = "the store has no method `batch`, so that it can't carry transactions out";
      throw new RingshiftError('argument', text);
    }
    const pins = (): Pins => pinsOf(client);
    const all = keys.map((key) => keyBytes(key));
    const { outcome, value } = await drive(keyspace.name, all, { ...session, pins, send }, work);
    session.ended(outcome.type === 'done' ? 'committed' : outcome.code);
    if (outcome.type === 'done') {
      return { value: value as T, versions: outcome.versions, lagging: outcome.lagging };
    }
    const details: Record<string, unknown> = { found: outcome.found };
    if (outcome.key !== null) details['key'] = keys[outcome.key];
    if (outcome.shards.size > 0) {
      details['shards'] = Object.fromEntries(
        Array.from(outcome.shards, ([shard, places]) => [
          client.shardName(shard),
          places.map((place) => keys[place]),
        ]),
      );
    }
    if (cause !== undefined) details['cause'] = cause;
    const text = `a transaction of keyspace \`${keyspace.name}\`: ${outcome.message}`;
    throw new RingshiftError(outcome.code, text, details);
  } finally {
    session.close();
  }
}

/** Drives a transaction to its end. What `work` throws is thrown, and nothing is changed. */
async function drive<T>(
  keyspace: string,
  keys: readonly Uint8Array[],
  world: World,
  work: (tx: Tx) => T | PromiseLike<T>,
): Promise<{ readonly outcome: TransactionOutcome; readonly value: T | undefined }> {
  const { waits } = world;
  const places = new Map(keys.map((key, place) => [name(key), place]));
  const machine = new Transaction(world.pins(), keyspace, keys, true, world.policy, waits.now());
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
          if (await waits.first(refreshed, wait.until)) machine.handleSnapshot(waits.now(), world.pins());
          else machine.handleTimeout(waits.now());
          break;
        }
        case 'wait': {
          if (inFlight === null) {
            await waits.first(null, step.until);
            machine.handleSnapshot(waits.now(), world.pins());
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
