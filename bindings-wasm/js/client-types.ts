/** What a client, a store and a topology source say to each other: data only. */

import type { Snapshot } from './machine.js';
import type { Attempt, Batch, BatchReply, Found, Outcome, Policy, Reply } from './types.js';

/** A value as a caller may give it: bytes, or text as its UTF-8. */
export type Value = Uint8Array | string;

/** What a caller wants to do to a row. */
export type Change =
  | { readonly type: 'put'; readonly value: Uint8Array }
  | { readonly type: 'delete' }
  /** `expected`: the version that the row must have, `null`: there must be no row. */
  | { readonly type: 'put-if'; readonly value: Uint8Array; readonly expected: bigint | null };

/**
 * What goes with an attempt. A read has neither change nor row; a write, a confirm and an apply of
 * the caller's own have the change; an apply of what another shard had has the row.
 */
export interface Request<F = Found> {
  /** The key's bytes. */
  readonly key: Uint8Array;
  /** Names the caller's operation for good: 16 bytes. */
  readonly op: Uint8Array;
  /** The caller's own write. */
  readonly change: Change | null;
  /** What another shard's reply has brought. */
  readonly row: F | null;
}

/** What a store answers. */
export interface Response<F = Found> {
  /** What happened, for the operation. */
  readonly reply: Reply;
  /** The row, with `found`, `deleted` and `conflict`. */
  readonly found?: F | null | undefined;
  /** What went wrong, for people: the `cause` of the error that the operation ends with. */
  readonly error?: unknown;
  /** @internal Whether `error` is to be thrown as it is, when nothing was changed. */
  readonly refused?: boolean;
}

/** What a store answers to a transaction's batch. */
export interface BatchResponse {
  readonly reply: BatchReply;
  /** What was found for each part, where it was carried out. */
  readonly found: readonly (Found | null)[];
  /** What went wrong, for people. */
  readonly error?: unknown;
}

/** What a transaction gave. */
export interface Committed<T> {
  /** What its work has answered, the last time. */
  readonly value: T;
  /** The version that each key was given, in their order; `null` for one that wasn't written. */
  readonly versions: readonly (bigint | null)[];
  /** Whether a mirror hadn't confirmed it by then (relaxed mode). */
  readonly lagging: boolean;
}

/**
 * The shards' storage. One object serves all shards: `attempt.shard` is the shard's id.
 *
 * By a `RingshiftError` that it throws, `send` says that it hasn't carried the attempt out and won't:
 * the caller is thrown that error, unless another shard has taken the write already (then
 * `indeterminate`, with the error as its cause). Any other exception counts as `maybe_applied`.
 */
export interface Store {
  /**
   * Carries an attempt out at its shard, in one step with the guard's check.
   *
   * A store that declares the third parameter is given a signal, aborted when the reply is waited
   * for no longer.
   */
  send(attempt: Attempt, request: Request, signal?: AbortSignal): Response | PromiseLike<Response>;
  /**
   * For transactions: carries all parts of a batch out in one step with the checks of all their
   * fences, or nothing. There is a request for each part.
   */
  batch?(batch: Batch, requests: readonly Request[]): BatchResponse | PromiseLike<BatchResponse>;
  /** Hears of each snapshot before anything is routed by it. */
  install?(snapshot: Snapshot): void;
  /** Called when a client that uses the store is closed. */
  close?(): void;
}

/** What a client says when it asks for a snapshot. */
export interface Asking {
  /** The snapshot at hand, `null` for the first. */
  readonly have: Snapshot | null;
  /** Aborted when the client is closed. */
  readonly signal?: AbortSignal | undefined;
}

/** Where snapshots come from. */
export interface Topology {
  /**
   * The snapshot in force if it is newer than that epoch, else `null`; cheap when there is no
   * news. Bytes may be those of a snapshot or of a topology record.
   */
  fetch(newerThan: number, asking: Asking): PromiseLike<Snapshot | Uint8Array | null>;
  /** The same, but waits for news for a while. */
  watch?(newerThan: number, asking: Asking): PromiseLike<Snapshot | Uint8Array | null>;
}

/** What a client is opened with. */
export interface ClientOptions {
  /** Where snapshots come from. */
  readonly topology: Topology;
  /** Where rows are. */
  readonly store: Store;
  /** How long and how often operations try. */
  readonly policy?: Policy | undefined;
  /** Whether to look for newer snapshots in the background, until the client is closed. */
  readonly watch?: boolean | undefined;
  /** Stops the opening. */
  readonly signal?: AbortSignal | undefined;
}

/** What any call takes. */
export interface CallOptions {
  /** Stops the call: it throws the signal's reason. What a write had sent by then may be done. */
  readonly signal?: AbortSignal | undefined;
}

/** What a read found. */
export interface Row {
  readonly value: Uint8Array;
  readonly version: bigint;
}

/** What a write gave. */
export interface Written {
  readonly version: bigint;
  /** The name of a mirror that hadn't confirmed the write by then (relaxed mode). */
  readonly lagging: string | null;
}

/** How an operation over a caller's own function ended. */
export interface Ended<F> {
  readonly outcome: Exclude<Outcome, { type: 'conflict' } | { type: 'failed' }>;
  /** For a value, what the reply brought that carried it. */
  readonly found: F | null;
  /** Attempts that were sent and waited for. */
  readonly attempts: number;
  /** Refreshes that were asked for. */
  readonly refreshes: number;
}

/** What came of the comparisons of sampled reads. */
export interface ShadowFigures {
  /** The two sides were the same. */
  readonly same: number;
  /** They differed, twice. */
  readonly mismatches: number;
  /** It couldn't be said. */
  readonly unsure: number;
  /** Not compared, since too many were under way. */
  readonly dropped: number;
}

/** A client's counts since it was opened. */
export interface Figures {
  /** The epoch of the snapshot at hand. */
  readonly epoch: number;
  /** Refreshes begun. */
  readonly refreshes: number;
  /** Attempts that were refused, failed or got no answer in time. */
  readonly retries: number;
  /** Operations by how they ended: `value`, `missing`, `written`, or an error's slug. */
  readonly operations: Readonly<Record<string, number>>;
  /** Comparisons in the background. */
  readonly shadows: ShadowFigures;
}
