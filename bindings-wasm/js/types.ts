// The vocabulary, as plain data. The same words as in every other language.
export type * from './migration-types.js';

/** One part of a key. A number must be a safe integer; it is its decimal digits. */
export type KeyPart = string | number | bigint | Uint8Array;
/** A key: text (as UTF-8), bytes, an integer, or several of these as one composite key. */
export type Key = KeyPart | readonly KeyPart[];
/** Keys back to back, and where in `bytes` each ends. */
export interface Packed { readonly bytes: Uint8Array; readonly ends: Uint32Array }

/** A shard of a snapshot. */
export interface ShardInfo {
  /** Its number, never used again. */
  readonly id: number;
  readonly name: string;
  /** Its share, 1 unless the topology says otherwise. */
  readonly weight: number;
  readonly endpoint: string;
  readonly zone: string;
  readonly tags: readonly string[];
  readonly state: 'active' | 'draining';
  /** Whether it checks no fence: operations on its keys are refused (`unfenced`), since this client has no leases. */
  readonly unfenced: boolean;
}

/** A phase in which clients take part. */
export type Phase = 'double-write' | 'shadow-read' | 'read-new' | 'reversed';

/** Where a key is, in short. */
export interface Description {
  /** The name of the shard that orders the key's writes. */
  readonly shard: string;
  readonly slot: number;
  readonly domain: number;
  /** The epoch of the domain. */
  readonly epoch: number;
  readonly phase: Phase | 'switching' | null;
}

/** Each step from a key to its shards. */
export interface Explanation {
  readonly keyspace: string;
  /** The epoch of the snapshot that says so. */
  readonly epoch: number;
  /** The bytes of the key that were hashed. */
  readonly routingPart: Uint8Array;
  /** Their hash, in hex. */
  readonly hash: string;
  /** How many slots there are. */
  readonly slots: number;
  readonly slot: number;
  /** Whether an override for exactly this key decided. */
  readonly pinned: boolean;
  readonly domain: number;
  readonly domainEpoch: number;
  readonly phase: Phase | 'switching' | null;
  /** The ramp of the key's wave, in keys of a million, and whether the key is inside. */
  readonly ramp: readonly [number, boolean] | null;
  /** The name of the shard that orders the writes. */
  readonly authority: string;
  /** The one that gets each write after it. */
  readonly mirror: string | null;
  /** Where reads go, in the order of asking. */
  readonly reads: readonly string[];
  /** Whether a write is answered only after the mirror has it. */
  readonly strict: boolean;
}

/** A shard as a fan-out sees it. */
export interface ShardShare {
  readonly name: string;
  /** Slots that it orders the writes of. */
  readonly slots: number;
  /** Slots that it holds a copy of, as the mirror of a wave. */
  readonly mirrored: number;
  /** The furthest phase among the waves that it takes part in. */
  readonly phase: Phase | null;
}

/** How long and how often an operation tries. What is left out is as usual. */
export interface Policy {
  /** The budget of the whole operation, in milliseconds; 5,000 unless told. */
  readonly deadlineMs?: number | undefined;
  /** After how long without an answer one attempt counts as lost; 0: never; 1,000 unless told. */
  readonly attemptMs?: number | undefined;
  /** Attempts at most; 1,000 unless told. */
  readonly attemptsMax?: number | undefined;
  /** Whether a write without an answer is asked for; true unless told. */
  readonly confirm?: boolean | undefined;
  /** Spreads the waits of operations that were refused together; another one for each. */
  readonly seed?: number | bigint | undefined;
}

/** Why a shard's guard refused. */
export interface Refusal {
  readonly code: 'stale_epoch' | 'not_ready' | 'not_owner' | 'wrong_role' | 'lease_over' | 'stale_term';
  /** The shard's epoch of the domain. */
  readonly current?: number;
  /** With `stale_epoch`: the epoch that the last draining barrier led to. */
  readonly drained?: number;
  /** With `stale_term`: the highest term seen. */
  readonly seen?: number;
}

/** What a shard answered, as facts. */
export type Reply =
  | { readonly type: 'found' | 'deleted' | 'written'; readonly version: bigint }
  | { readonly type: 'missing' | 'superseded' }
  | { readonly type: 'conflict'; readonly found: bigint | null }
  | { readonly type: 'refused'; readonly refusal: Refusal }
  | { readonly type: 'failed'; readonly failure: 'not_sent' | 'maybe_applied' | 'rejected' };

/** One request to one shard. */
export interface Attempt {
  /** Names the request to the driver, and the reply to the operation. */
  readonly id: number;
  /** The number of the shard to send it to. */
  readonly shard: number;
  /** The number of the keyspace. */
  readonly keyspace: number;
  readonly slot: number;
  /** The top 20 bits of the key's hash, which the store keeps with the row. */
  readonly storedSlot: number;
  /** What the shard's guard is to check. */
  readonly domain: number;
  readonly epoch: number;
  readonly kind: 'read' | 'write' | 'confirm' | 'apply';
  /** With `apply`: the version that the authority gave. */
  readonly version: bigint | null;
  /** With `apply`: whose reply brought the content; null: it is the caller's own. */
  readonly foundBy: number | null;
  /** Whether the operation waits for the reply. */
  readonly blocking: boolean;
}

/** What a transaction's batch says of one key. */
export interface BatchPart {
  /** The key's place among those of the transaction. */
  readonly key: number;
  readonly attempt: Attempt;
}

/** One request to one shard about several keys: all of it is carried out in one step, or nothing. */
export interface Batch {
  readonly id: number;
  readonly shard: number;
  readonly parts: readonly BatchPart[];
  /** Whether it may change rows. */
  readonly changes: boolean;
  /** Whether what it finds is what the caller's work sees. */
  readonly begins: boolean;
  /** Whether the transaction waits for the reply. */
  readonly blocking: boolean;
  /** The same, as the core says it: what `decideBatch` takes. */
  readonly numbers: BigInt64Array;
}

/** What a shard answered to a batch: all was carried out, or nothing. */
export type BatchReply =
  | { readonly type: 'done'; readonly replies: readonly Reply[] }
  | { readonly type: 'not-done'; readonly part: number; readonly reply: Reply };

/** How a transaction ended. */
export type TransactionOutcome =
  | { readonly type: 'done'; readonly versions: readonly (bigint | null)[]; readonly lagging: boolean }
  | {
    readonly type: 'failed'; readonly code: string; readonly message: string;
    readonly key: number | null; readonly found: bigint | null;
    readonly shards: ReadonlyMap<number, readonly number[]>;
  };

/** What the driver of a transaction is to do next. */
export type TransactionStep =
  | { readonly type: 'send'; readonly batch: Batch }
  | { readonly type: 'work' }
  | { readonly type: 'refresh'; readonly newerThan: number }
  | { readonly type: 'wait'; readonly until: number }
  | { readonly type: 'done'; readonly outcome: TransactionOutcome };

/** How an operation ended. */
export type Outcome =
  | { readonly type: 'value'; readonly from: number; readonly version: bigint }
  | { readonly type: 'missing' }
  | { readonly type: 'written'; readonly version: bigint; readonly lagging: number | null }
  | { readonly type: 'conflict'; readonly found: bigint | null }
  | {
    readonly type: 'failed'; readonly code: string; readonly message: string;
    readonly version?: bigint | null; readonly last?: Refusal | null;
    readonly shard?: number; readonly current?: number;
  };

/** What a driver is to do next. */
export type Step =
  | { readonly type: 'send'; readonly attempt: Attempt }
  | { readonly type: 'refresh'; readonly newerThan: number }
  | { readonly type: 'wait'; readonly until: number }
  | { readonly type: 'done'; readonly outcome: Outcome };

/** How a comparison ended. */
export type Compared = 'same' | 'missing' | 'extra' | 'stale' | 'different' | 'unsure';

/** What a comparison wants next. */
export type ShadowStep =
  | { readonly type: 'send'; readonly attempt: Attempt }
  | { readonly type: 'wait'; readonly until: number }
  | { readonly type: 'done'; readonly compared: Compared };

/** What an operation that needs a newer map is to do. */
export type RefreshStep =
  | { readonly type: 'in-hand' | 'fetch' | 'join' }
  | { readonly type: 'wait'; readonly until: number };

/** What a caller wants to do to a row. */
export type Change =
  | { readonly type: 'put'; readonly value?: Uint8Array }
  | { readonly type: 'delete' }
  | { readonly type: 'put-if'; readonly value?: Uint8Array; readonly expected?: bigint | null };

/** What goes with an attempt: the caller's own change, or a row as another shard has it. */
export interface Content {
  /** Names the write for good: 16 bytes. */
  readonly op?: Uint8Array | null;
  readonly change?: Change | null;
  readonly row?: {
    readonly op?: Uint8Array; readonly value?: Uint8Array | null; readonly deleted?: boolean;
  } | null;
}

/** What came back with a row or a tombstone. */
export interface Found {
  /** The value; null for a tombstone. */
  readonly value: Uint8Array | null;
  /** The operation that made the row what it is. */
  readonly op: Uint8Array;
}

/** What a store answers to an attempt. */
export interface Response { readonly reply: Reply; readonly found?: Found | null }

/** What a store is to do, and to reply when it is done. */
export interface Decision {
  readonly reply: Reply;
  readonly effect:
    | { readonly type: 'keep' }
    | { readonly type: 'put'; readonly version: bigint; readonly deleted: boolean }
    | { readonly type: 'remove'; readonly floor: bigint };
  /** Whether the row that is there goes with the reply. */
  readonly found: boolean;
  /** The keyspace's slot bits, where this request is the first that tells. */
  readonly learned: number | null;
  /** The shard's present revision. */
  readonly revision: bigint;
}
