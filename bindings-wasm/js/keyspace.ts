/** A client's keyspace: where keys are routed, read and written. */

import type { Client, Sender } from './client.js';
import type {
  CallOptions,
  Change,
  Ended,
  Request,
  Response,
  Row,
  Value,
  Written,
} from './client-types.js';
import { Keyspace } from './machine.js';
import { RingshiftError } from './shapes.js';
import { bytes } from './values.js';
import type { Attempt, Found, Key, Reply, ShardShare } from './types.js';

/** What a caller's own function is given and answers: see {@link ClientKeyspace.run}. */
export type Runner<F> = (
  attempt: Attempt,
  request: Request<F>,
  signal: AbortSignal,
) => Reply | Response<F> | PromiseLike<Reply | Response<F>>;

/** A client's keyspace: routes as every keyspace does, and reads and writes. */
export class ClientKeyspace extends Keyspace {
  /** @internal */
  readonly _client: Client;

  /** @internal */
  constructor(client: Client, keyspace: Keyspace) {
    super(keyspace._router, keyspace.name, keyspace.id);
    this._client = client;
  }

  /** The key's value and version, `null` when there is no row. */
  async get(key: Key, options?: CallOptions): Promise<Row | null> {
    const { outcome, found } = await this.#run(key, 'read', null, this.#send, options);
    if (outcome.type !== 'value') return null;
    return { value: found?.value ?? new Uint8Array(), version: outcome.version };
  }

  /** Puts a value, whatever is there. */
  put(key: Key, value: Value, options?: CallOptions): Promise<Written> {
    return this.#write(key, () => ({ type: 'put', value: bytes(value) }), options);
  }

  /** Deletes the row, whatever is there. */
  delete(key: Key, options?: CallOptions): Promise<Written> {
    return this.#write(key, () => ({ type: 'delete' }), options);
  }

  /**
   * Puts a value if the row has that version; `null`: if there is no row.
   *
   * @throws `version_conflict`, with the version that is there as `found`, and `row`: what it has.
   */
  putIf(key: Key, value: Value, expected: bigint | null, options?: CallOptions): Promise<Written> {
    return this.#write(
      key,
      () => {
        if (expected === null || typeof expected === 'bigint') {
          return { type: 'put-if', value: bytes(value), expected };
        }
        const text = `the expected version is a bigint or null, not ${typeof expected}`;
        throw new RingshiftError('argument', text);
      },
      options,
    );
  }

  /** Each key's value, in the order of the keys; all are asked for at the same time. */
  getMany(keys: readonly Key[], options?: CallOptions): Promise<(Row | null)[]> {
    return Promise.all(keys.map((key) => this.get(key, options)));
  }

  /**
   * Calls `fn` with each shard's share, all at the same time. Its answers by shard name.
   *
   * While a wave runs, two shards hold the same keys: a share says so by `mirrored`.
   */
  async forEachShard<T>(fn: (share: ShardShare) => T | PromiseLike<T>): Promise<Map<string, T>> {
    this._client.checkOpen();
    const answers = this.shards().map(async (share) => [share.name, await fn(share)] as const);
    return new Map(await Promise.all(answers));
  }

  /**
   * Carries an operation out by a function of your own, in place of the store: it is called once
   * for each attempt, fences its query by the attempt, and answers a reply, or a reply with what
   * was found. What it throws ends the operation; answer `failed` to have it tried again.
   */
  run<F = Found>(
    key: Key,
    kind: 'read' | 'write',
    fn: Runner<F>,
    options?: CallOptions,
  ): Promise<Ended<F>> {
    const send: Sender<F> = (attempt, request, signal) => {
      const answer = fn(attempt, request, signal());
      return 'then' in answer ? answer.then(response) : response(answer);
    };
    return this.#run(key, kind, null, send, options);
  }

  readonly #send: Sender<Found> = (attempt, request, signal) => {
    const { store } = this._client;
    try {
      // A signal costs more than many an attempt, so that it is made only for who wants one.
      const wanted = store.send.length > 2 ? signal() : undefined;
      const answer = store.send(attempt, request, wanted);
      return 'then' in answer ? answer.then(undefined, lost) : answer;
    } catch (error) {
      return lost(error);
    }
  };

  async #write(key: Key, change: () => Change, options?: CallOptions): Promise<Written> {
    const { outcome } = await this.#run(key, 'write', change(), this.#send, options);
    if (outcome.type !== 'written') throw new RingshiftError('rejected', 'the write was a read');
    const { version, lagging } = outcome;
    return { version, lagging: lagging === null ? null : this._client.shardName(lagging) };
  }

  #run<F>(
    key: Key,
    kind: 'read' | 'write',
    change: Change | null,
    send: Sender<F>,
    options?: CallOptions,
  ): Promise<Ended<F>> {
    return this._client.run({ keyspace: this, key, kind, change, send, options });
  }
}

/**
 * A store's exception as an answer. By an error of ours it says that it hasn't carried the attempt
 * out; by any other, nobody knows. What that means for the operation, of which another shard may
 * have taken its part already, isn't decided here.
 */
function lost(error: unknown): Response {
  const refused = error instanceof RingshiftError;
  const failure = refused ? 'rejected' : 'maybe_applied';
  return { reply: { type: 'failed', failure }, error, refused };
}

function response<F>(answer: Reply | Response<F>): Response<F> {
  return 'reply' in answer ? answer : { reply: answer };
}
