/** A client: routes, and reads and writes through a store, while data move under it. */

import { drive, Waits } from './drive.js';
import type { Answer, Driven, World } from './drive.js';
import { ClientKeyspace } from './keyspace.js';
import { keyBytes } from './keys.js';
import { Operation, RefreshGate, Router } from './machine.js';
import { RingshiftError } from './shapes.js';
import type { Keyspace, Snapshot } from './machine.js';
import type { Attempt, Key, Policy, ShardInfo } from './types.js';
import { channel } from './observe.js';
import { Shadows } from './shadows.js';
import { snapshotIn } from './snapshot.js';
import type { Session } from './session.js';
import type {
  CallOptions,
  Change,
  ClientOptions,
  Ended,
  Figures,
  Request,
  Response,
  Store,
  Topology,
} from './client-types.js';

/** Two refreshes that found nothing new are about this far apart. */
const REFRESH_GAP_MS = 5;
/** Mirror writes in the background; whoever has begun one more than that waits for it. */
const TRAILING_MAX = 1_024;
/** How long a watcher rests after a failure, or where a topology can't be watched. */
const WATCH_GAP_MS = 1_000;

const installs = channel('install');
const refreshes = channel('refresh');
const operations = channel('operation');

/** @internal How one attempt of a call is carried out. */
export type Sender<F> = (
  attempt: Attempt,
  request: Request<F>,
  signal: () => AbortSignal,
) => Answer<F>;

/** @internal One operation on one key. */
export interface Call<F> {
  readonly keyspace: Keyspace;
  readonly key: Key;
  readonly kind: 'read' | 'write';
  readonly change: Change | null;
  readonly send: Sender<F>;
  readonly options: CallOptions | undefined;
}

/**
 * Reads and writes keys wherever they are. One client serves a whole process; make it with
 * {@link Client.open}.
 */
export class Client {
  readonly #router: Router;
  readonly #gate: RefreshGate;
  readonly #topology: Topology;
  readonly #policy: Policy;
  readonly #shadows: Shadows;
  /** Tells this client's operations from every other's. */
  readonly #name = crypto.getRandomValues(new Uint32Array(2));
  readonly #origin = performance.now();
  readonly #closing = new AbortController();
  readonly #waiting = new Set<Waits>();
  readonly #trailing = new Set<Promise<unknown>>();
  readonly #listeners = new Set<(snapshot: Snapshot) => void>();
  readonly #outcomes: Record<string, number> = {};
  /** Every shard there ever was, by id. */
  readonly #shards = new Map<number, ShardInfo>();
  #snapshot: Snapshot;
  #fetching: Promise<unknown> = Promise.resolve();
  #refreshError: unknown;
  #operations = 0;
  #retries = 0;

  /** The store that was given to {@link Client.open}. */
  readonly store: Store;

  private constructor(snapshot: Snapshot, options: ClientOptions) {
    this.#snapshot = snapshot;
    this.#topology = options.topology;
    this.#policy = options.policy ?? {};
    this.store = options.store;
    this.#router = new Router(snapshot);
    this.#gate = new RefreshGate(snapshot.epoch, REFRESH_GAP_MS, this.#name[0]!);
    this.#shadows = new Shadows(this.now);
    this.#learn(snapshot);
    if (options.watch === true) void this.#watch();
  }

  /**
   * Fetches the first snapshot and opens a client over it.
   *
   * @throws what the topology throws, and `topology_missing` when it has no snapshot yet.
   */
  static async open(options: ClientOptions): Promise<Client> {
    const { signal, topology } = options;
    signal?.throwIfAborted();
    const fetched = await topology.fetch(0, { have: null, signal });
    if (fetched === null) {
      const text = 'the topology has no snapshot yet; make one first';
      throw new RingshiftError('topology_missing', text);
    }
    return new Client(snapshotIn(fetched), options);
  }

  /** The keyspace of that name. Look it up once, not for each key. */
  keyspace(name: string): ClientKeyspace {
    this.checkOpen();
    return new ClientKeyspace(this, this.#router.keyspace(name));
  }

  /** The snapshot at hand. */
  get snapshot(): Snapshot {
    return this.#snapshot;
  }

  /** Its epoch. */
  get epoch(): number {
    return this.#snapshot.epoch;
  }

  /**
   * Puts a newer snapshot in force. Answers whether it was newer.
   *
   * @throws `foreign_cluster`, `older_snapshot` or `forked_snapshot`: the one in force stays.
   */
  install(news: Snapshot | Uint8Array): boolean {
    this.checkOpen();
    const snapshot = snapshotIn(news);
    if (this.#router.install(snapshot) === 'same') return false;
    const before = this.#snapshot.epoch;
    this.#snapshot = snapshot;
    this.#gate.fetched(this.now(), snapshot.epoch);
    this.#learn(snapshot);
    if (installs?.hasSubscribers) {
      const { cluster, epoch, digest } = snapshot;
      installs.publish({ cluster, epoch, digest, before });
    }
    for (const listener of this.#listeners) listener(snapshot);
    return true;
  }

  /** Looks for a newer snapshot now. Answers whether there was one. */
  async refresh(): Promise<boolean> {
    this.checkOpen();
    const { epoch } = this;
    const error = await this.#fetch(epoch);
    if (error !== undefined) throw error;
    return this.epoch > epoch;
  }

  /** Calls `listener` with each snapshot that comes into force. Answers how to stop that. */
  on(_event: 'change', listener: (snapshot: Snapshot) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** What the client has counted so far. */
  figures(): Figures {
    return {
      epoch: this.epoch,
      refreshes: this.#gate.begun,
      retries: this.#retries,
      operations: { ...this.#outcomes },
      shadows: this.#shadows.figures(),
    };
  }

  /**
   * Ends the client: what is under way throws `disposed`, as every later call does. The promise
   * waits for mirror writes in the background. The store stays open: it is the caller's.
   */
  async close(): Promise<void> {
    if (!this.#closing.signal.aborted) {
      const reason = disposed();
      this.#closing.abort(reason);
      for (const waits of this.#waiting) waits.stop(reason);
      this.#shadows.close(reason);
      this.#router.free();
    }
    await Promise.allSettled(this.#trailing);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @internal */
  checkOpen(): void {
    if (this.#closing.signal.aborted) throw disposed();
  }

  /** @internal Milliseconds since the client was opened. */
  readonly now = (): number => Math.floor(performance.now() - this.#origin);

  /** @internal */
  shardName(id: number): string {
    return this.#shards.get(id)?.name ?? String(id);
  }

  /** @internal Carries an operation to its end. */
  async run<F>(call: Call<F>): Promise<Ended<F>> {
    this.checkOpen();
    const { keyspace, key, kind, change } = call;
    const signal = call.options?.signal;
    signal?.throwIfAborted();
    const number = this.#operations++;
    const policy = this.#policyOf(number);
    const own = { key: keyBytes(key), op: this.#operationKey(number) };
    const operation = Operation[kind](keyspace, key, policy, this.now());
    let [cause, refusal, trailing]: [unknown, unknown, Promise<unknown>?] = [undefined, undefined];
    const send: World<F>['send'] = (attempt, row, signal) => {
      const request =
        attempt.kind === 'read'
          ? { ...own, change: null, row: null }
          : { ...own, change: row === null ? change : null, row };
      const note = (response: Response<F>): Response<F> => {
        cause = response.error ?? cause;
        refusal = response.refused === true ? response.error : undefined;
        return response;
      };
      const answer = call.send(attempt, request, signal);
      return 'then' in answer ? answer.then(note) : note(answer);
    };
    const world: World<F> = {
      keyspace,
      key,
      waits: new Waits(this.now),
      send,
      trail: (attempt) => {
        trailing = this.#trail(() => send(attempt, null, () => new AbortController().signal));
      },
      refresh: (newerThan) => this.#refresh(newerThan),
    };
    const stop = (): void => world.waits.stop(signal?.reason);
    signal?.addEventListener('abort', stop);
    this.#waiting.add(world.waits);
    try {
      const driven = await drive(operation, world);
      this.#retries += driven.lost;
      if (kind === 'read' && !this.#closing.signal.aborted) {
        this.#shadows.compare(operation.shadow(policy, this.now()), world, own.key);
      }
      if (this.#trailing.size > TRAILING_MAX) await trailing;
      return this.#settle(call, driven, cause, refusal);
    } finally {
      signal?.removeEventListener('abort', stop);
      this.#waiting.delete(world.waits);
      operation.free();
    }
  }

  /** @internal Begins something of its own that isn't one operation. */
  session(signal?: AbortSignal): Session {
    this.checkOpen();
    signal?.throwIfAborted();
    const number = this.#operations++;
    const waits = new Waits(this.now);
    const stop = (): void => waits.stop(signal?.reason);
    signal?.addEventListener('abort', stop);
    this.#waiting.add(waits);
    return {
      policy: this.#policyOf(number),
      op: this.#operationKey(number),
      waits,
      refresh: (newerThan) => this.#refresh(newerThan),
      ended: (slug) => this.#count(slug),
      close: () => {
        signal?.removeEventListener('abort', stop);
        this.#waiting.delete(waits);
      },
    };
  }

  #policyOf(number: number): Policy {
    return { ...this.#policy, seed: (this.#name[1]! ^ number) >>> 0 };
  }

  #count(slug: string): void {
    this.#outcomes[slug] = (this.#outcomes[slug] ?? 0) + 1;
  }

  #operationKey(number: number): Uint8Array {
    const key = new Uint8Array(16);
    const view = new DataView(key.buffer);
    this.#name.forEach((half, at) => view.setUint32(4 * at, half, true));
    view.setUint32(8, number >>> 0, true);
    view.setUint32(12, Math.floor(number / 2 ** 32), true);
    return key;
  }

  /** Counts how an operation ended, and throws what its caller is to hear of as an error. */
  #settle<F>(call: Call<F>, driven: Driven<F>, cause: unknown, refusal: unknown): Ended<F> {
    const { outcome, found, attempts, refreshes } = driven;
    const conflict = outcome.type === 'conflict';
    const slug = conflict
      ? 'version_conflict'
      : outcome.type === 'failed'
        ? outcome.code
        : outcome.type;
    this.#count(slug);
    if (operations?.hasSubscribers) {
      const { kind, keyspace } = call;
      operations.publish({ kind, keyspace: keyspace.name, ended: slug, attempts, refreshes });
    }
    if (!conflict && outcome.type !== 'failed') return { outcome, found, attempts, refreshes };
    // The operation confirms what the store has said: nothing was changed.
    if (slug === 'rejected' && refusal !== undefined) throw refusal;
    const key = typeof call.key === 'string' ? JSON.stringify(call.key) : String(call.key);
    const where = `key ${key} of keyspace \`${call.keyspace.name}\``;
    if (conflict) {
      const is = outcome.found === null ? 'no row' : `version ${outcome.found}`;
      const text = `${where} has ${is}; read it and decide again`;
      throw new RingshiftError(slug, text, { key: call.key, found: outcome.found, row: found });
    }
    const { type: _, code, message, shard, ...facts } = outcome;
    const details: Record<string, unknown> = { key: call.key, ...facts };
    if (shard != null) details['shard'] = this.shardName(shard);
    const reason = cause ?? (code === 'deadline' ? this.#refreshError : undefined);
    if (reason !== undefined) details['cause'] = reason;
    throw new RingshiftError(code, `${where}: ${message}`, details);
  }

  /** Nobody waits for it; catch-up carries what it can't. */
  #trail(send: () => Answer<unknown>): Promise<unknown> {
    const sent = Promise.resolve()
      .then(send)
      .catch(() => undefined)
      .finally(() => this.#trailing.delete(sent));
    this.#trailing.add(sent);
    return sent;
  }

  #learn(snapshot: Snapshot): void {
    for (const shard of snapshot.shards) this.#shards.set(shard.id, shard);
    this.store.install?.(snapshot);
  }

  /** One refresh for all operations that want one. */
  async #refresh(newerThan: number): Promise<void> {
    const step = this.#gate.want(this.now(), newerThan);
    switch (step.type) {
      case 'in-hand':
        return;
      case 'join':
        return void (await this.#fetching);
      case 'wait':
        return void (await new Waits(this.now).first(null, step.until));
      case 'fetch':
        this.#fetching = this.#fetch(this.epoch);
        return void (await this.#fetching);
    }
  }

  /** Whatever comes of it, the gate hears that the fetch is over. Answers what went wrong. */
  async #fetch(newerThan: number): Promise<unknown> {
    const begun = this.now();
    let error: unknown;
    try {
      const fetched = await this.#topology.fetch(newerThan, this.#asking());
      if (fetched !== null) this.install(fetched);
      this.#gate.fetched(this.now(), this.epoch);
    } catch (thrown) {
      error = thrown;
      this.#gate.failed(this.now());
    }
    this.#refreshError = error;
    if (refreshes?.hasSubscribers) {
      refreshes.publish({ newerThan, epoch: this.epoch, ms: this.now() - begun, error });
    }
    return error;
  }

  #asking(): { have: Snapshot; signal: AbortSignal } {
    return { have: this.#snapshot, signal: this.#closing.signal };
  }

  async #watch(): Promise<void> {
    const { signal } = this.#closing;
    const waits = new Waits(this.now);
    this.#waiting.add(waits);
    while (!signal.aborted) {
      try {
        if (this.#topology.watch === undefined) await waits.first(null, this.now() + WATCH_GAP_MS);
        const ask = this.#topology.watch ?? this.#topology.fetch;
        const news = await ask.call(this.#topology, this.epoch, this.#asking());
        if (news !== null && !signal.aborted) this.install(news);
      } catch (error) {
        this.#refreshError = error;
        await waits.first(null, this.now() + WATCH_GAP_MS).catch(() => undefined);
      }
    }
  }
}

function disposed(): RingshiftError {
  return new RingshiftError('disposed', 'the client was closed; open another one');
}
