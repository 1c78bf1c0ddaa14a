import type { Snapshot } from 'ringshift';
import { MemoryShard } from '../local.js';
import type { Attempt, Batch } from '../types.js';
import type { BatchResponse, Request, Response, Store } from '../client-types.js';

/**
 * Shards in memory, as they are: the core's own, one for each shard of the first snapshot that the
 * store hears of, with the homes that it gives them. A shard that joins later starts empty.
 *
 * For tests, for examples, and for pages that show what happens. Clients of one process may share
 * one.
 */
export class MemoryStore<S extends MemoryShard = MemoryShard> implements Store {
  readonly #kind: new () => S;
  readonly #shards = new Map<number, S>();

  constructor(kind: new () => S) {
    this.#kind = kind;
  }

  /** The shard of that id; that of `ringshift/migrate` takes a coordinator's commands. */
  shard(id: number): S | undefined {
    const shard = this.#shards.get(id);
    shard?.handleTime(performance.now());
    return shard;
  }

  install(snapshot: Snapshot): void {
    const first = this.#shards.size === 0;
    for (const { id } of snapshot.shards) {
      if (!this.#shards.has(id)) this.open(id);
      if (first) this.#shards.get(id)?.home(snapshot, id);
    }
  }

  /** Opens a shard that is to join, before any snapshot has it. */
  open(id: number): S {
    const shard = new this.#kind();
    this.#shards.set(id, shard);
    return shard;
  }

  send(attempt: Attempt, request: Request): Response {
    const shard = this.shard(attempt.shard);
    if (shard === undefined) return { reply: { type: 'failed', failure: 'not_sent' } };
    return shard.attempt(attempt, request.key, request);
  }

  batch(batch: Batch, requests: readonly Request[]): BatchResponse {
    const shard = this.shard(batch.shard);
    if (shard !== undefined) return shard.batch(batch, requests);
    const reply = { type: 'failed', failure: 'not_sent' } as const;
    return { reply: { type: 'not-done', part: 0, reply }, found: [] };
  }
}

/** A store of its own, in memory. */
export function memory(): MemoryStore {
  return new MemoryStore(MemoryShard);
}
