/**
 * Shards in SQLite files, over the core's recipe. Rust and Python processes may have the same files
 * open at the same time.
 */

import { RingshiftError } from 'ringshift';
import type {
  Attempt,
  Batch,
  BatchResponse,
  Request,
  Response,
  ShardInfo,
  Snapshot,
  Store,
} from 'ringshift';
import { CommitFailed, batch, read, setUp, write } from './attempt.js';
import { BUSY, CONSTRAINT, databaseClass, errorNumber, LOCKED, TOO_BIG } from './driver.js';
import type { Column, Database, DatabaseClass, Parameter } from './driver.js';
import { open } from './open.js';

export type { Column, DatabaseClass, Parameter } from './driver.js';

/** A second: as long as an attempt waits. */
const BUSY_MS = 1_000;

/** What may be chosen about {@link sqlite}. */
export interface SqliteOptions {
  /** Where the file of a shard is, by the shard's name, or by its endpoint. */
  readonly path: (name: string, shard: ShardInfo) => string;
  /** How long a request waits, and the whole thread with it, while another process writes. 1 s. */
  readonly busyMs?: number | undefined;
  /** The class that opens databases. Node's own `DatabaseSync`, else that of `better-sqlite3`. */
  readonly database?: DatabaseClass | undefined;
}

/** Runs one statement, and answers its rows; read them to their end. Integers are bigints. */
export type Run = (text: string, parameters: Parameter[]) => Iterable<Column[]>;

/** Shards in SQLite files: one connection each, opened when it is first needed. */
export class SqliteStore implements Store {
  readonly #options: SqliteOptions;
  readonly #shards = new Map<number, ShardInfo>();
  readonly #open = new Map<number, Database>();
  #class: DatabaseClass | undefined;

  constructor(options: SqliteOptions) {
    this.#options = options;
    this.#class = options.database;
  }

  install(snapshot: Snapshot): void {
    for (const shard of snapshot.shards) this.#shards.set(shard.id, shard);
  }

  /** @throws `store_format` for a file that is no shard, or one of a later version. */
  send(attempt: Attempt, request: Request): Response | Promise<Response> {
    if (this.#class !== undefined) return this.#send(attempt, request);
    return databaseClass().then((found) => {
      this.#class = found;
      return this.#send(attempt, request);
    });
  }

  batch(asked: Batch, requests: readonly Request[]): BatchResponse | Promise<BatchResponse> {
    if (this.#class !== undefined) return this.#batch(asked, requests);
    return databaseClass().then((found) => {
      this.#class = found;
      return this.#batch(asked, requests);
    });
  }

  #batch(asked: Batch, requests: readonly Request[]): BatchResponse {
    try {
      return batch(this.#database(asked.shard), asked, requests);
    } catch (fault) {
      const { reply, error } = failed(fault);
      return { reply: { type: 'not-done', part: 0, reply }, found: [], error };
    }
  }

  /**
   * Sets the files of a new cluster up: each shard that no coordinator has been at is given the
   * homes that the snapshot says. The others stay as they are.
   */
  async setUp(snapshot: Snapshot): Promise<void> {
    this.install(snapshot);
    this.#class ??= await databaseClass();
    const bytes = snapshot.encode();
    for (const { id } of snapshot.shards) setUp(this.#database(id), bytes, id);
  }

  /**
   * Runs statements on the file of the shard of that number: for a coordinator's commands, which
   * the core carries out by it. The file is made when there is none.
   *
   * @throws `store_io` for a shard that no snapshot has named, and `store_format`.
   */
  async connection(shard: number): Promise<Run> {
    this.#class ??= await databaseClass();
    const database = this.#database(shard);
    return (text, parameters) => {
      try {
        return explaining(database.rows(text, parameters));
      } catch (cause) {
        throw explained(cause, errorNumber(cause));
      }
    };
  }

  /** Closes the files. They are opened again when they are needed. */
  close(): void {
    for (const database of this.#open.values()) database.close();
    this.#open.clear();
  }

  #send(attempt: Attempt, request: Request): Response {
    try {
      const database = this.#database(attempt.shard);
      const writes = attempt.kind === 'write' || attempt.kind === 'apply';
      return (writes ? write : read)(database, attempt, request);
    } catch (error) {
      return failed(error);
    }
  }

  #database(id: number): Database {
    let database = this.#open.get(id);
    if (database !== undefined) return database;
    const shard = this.#shards.get(id);
    if (shard === undefined) throw new RingshiftError('store_io', `no snapshot has shard ${id}`);
    const path = this.#options.path(shard.name, shard);
    database = open(path, this.#class!, this.#options.busyMs ?? BUSY_MS);
    this.#open.set(id, database);
    return database;
  }
}

/** Shards in SQLite files. */
export function sqlite(options: SqliteOptions): SqliteStore {
  return new SqliteStore(options);
}

/** The reply to a request that failed in the store. */
function failed(fault: unknown): Response {
  const unknown = fault instanceof CommitFailed;
  const error = unknown ? fault.cause : fault;
  if (error instanceof RingshiftError && error.code === 'store_format') throw error;
  const number = errorNumber(error);
  const rejected = number === TOO_BIG || number === CONSTRAINT || error instanceof RangeError;
  const failure = rejected ? 'rejected' : unknown ? 'maybe_applied' : 'not_sent';
  return { reply: { type: 'failed', failure }, error: explained(error, number) };
}

/** The same rows, and an error on the way to one of them explained. */
function* explaining(rows: Iterable<Column[]>): Generator<Column[], void> {
  try {
    yield* rows;
  } catch (cause) {
    throw explained(cause, errorNumber(cause));
  }
}

function explained(cause: unknown, number: number): unknown {
  if (cause instanceof RingshiftError) return cause;
  if (number === BUSY || number === LOCKED) {
    const text = 'another process held the database for too long; try again';
    return new RingshiftError('store_busy', text, { cause });
  }
  return new RingshiftError('store_io', `the database failed: ${cause}`, { cause });
}
