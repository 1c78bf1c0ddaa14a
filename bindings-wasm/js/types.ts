// The vocabulary, as plain data. The same words as in every other language.

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

/** What is wished of a topology. */
export interface Changes {
  /** Shards to add. */
  readonly add?: readonly {
    readonly id: number; readonly name: string; readonly weight?: number; readonly endpoint?: string;
    readonly zone?: string; readonly tags?: readonly string[]; readonly unfenced?: boolean;
  }[];
  /** Numbers of shards to empty and strike off the list. */
  readonly remove?: readonly number[];
  /** Shards to give another weight. */
  readonly reweight?: readonly { readonly id: number; readonly weight: number }[];
  /** Numbers of shards to empty and keep. */
  readonly drain?: readonly number[];
  /** What the other shards' shares do; `none` where slots are named, else `full`. */
  readonly balance?: 'full' | 'keep' | 'none';
  /** Slots to move by hand: `'1-50,77'` or numbers. */
  readonly move_slots?: readonly { readonly keyspace: string; readonly slots: string | readonly number[]; readonly to: ShardRef }[];
  /** Keys to pin to a shard. */
  readonly move_key?: readonly { readonly keyspace: string; readonly key: WishKey; readonly to: ShardRef }[];
  /** Prefixes, tenants say, to pin to a shard. */
  readonly move_prefix?: readonly { readonly keyspace: string; readonly prefix: WishKey; readonly to: ShardRef }[];
  /** Ranges of keys to pin to a shard, piece by piece where they are cut. */
  readonly move_range?: readonly {
    readonly keyspace: string; readonly start: WishKey; readonly end: WishKey; readonly to: ShardRef;
    readonly cut_at?: readonly WishKey[];
  }[];
  /** Overrides to take away. */
  readonly unpin?: readonly ({ readonly keyspace: string } & (
    | { readonly key: WishKey } | { readonly prefix: WishKey } | { readonly range: readonly [WishKey, WishKey] }))[];
  /** Ranges with an override, to be cut in two: one half goes to another shard. */
  readonly split_range?: readonly {
    readonly keyspace: string; readonly start: WishKey; readonly end: WishKey; readonly at: WishKey;
    readonly half?: 'low' | 'high'; readonly to: ShardRef;
  }[];
  /** Ranges with overrides, to be brought to one shard. */
  readonly merge_ranges?: readonly {
    readonly keyspace: string; readonly ranges: readonly (readonly [WishKey, WishKey])[]; readonly to: ShardRef;
  }[];
  /** Keyspaces to give more slots. Alone in its plan. */
  readonly grow_bits?: readonly { readonly keyspace: string; readonly bits: number }[];
}

/** A shard, by number or by name. */
export type ShardRef = number | string;

/** A key, a prefix or the end of a range: text, bytes in hex, or a composite's parts. */
export type WishKey = string | { readonly hex: string } | { readonly parts: readonly (string | number)[] };

/** A way to carry a migration out; `core/docs/STRATEGIES.md` compares them. */
export type Strategy =
  | 'online' | 'maintenance-window' | 'shadow' | 'incremental' | 'canary' | 'big-bang' | 'over-shard-move' | 'adopt';

/** How to plan. */
export interface PlanOptions {
  /** Online unless told. */
  readonly strategy?: Strategy;
  /** In place of the strategy's settings. */
  readonly settings?: Settings;
  /** In place of the strategy's way to move reads. */
  readonly cutover?:
    | 'at-once' | { readonly percentage: { readonly steps_ppm?: readonly number[]; readonly soak_ms?: number } }
    | { readonly ranges: { readonly slots: number } } | { readonly 'reads-first': { readonly soak_ms: number } };
  /** No wave has more slots than this. */
  readonly wave_slots_max?: number;
  /** What each keyspace holds, by its name: as a whole, or slot by slot. */
  readonly sizes?: Readonly<Record<string, {
    readonly keys?: number; readonly bytes?: number;
    readonly slots?: readonly { readonly slot: number; readonly keys: number; readonly bytes?: number }[];
  }>>;
  /** How fast copying is. */
  readonly rate?: { readonly rows_per_s?: number; readonly bytes_per_s?: number };
  /** For how long writes may be held, in milliseconds. */
  readonly downtime_ms?: number;
  /** How careful to be. */
  readonly risk?: 'lowest' | 'low' | 'medium' | 'high';
}

/** A plan as data. */
export interface PlanData {
  readonly cluster: string;
  readonly digest: string;
  readonly strategy: Strategy;
  readonly log: Log;
  readonly figures: readonly PlanFigures[];
  readonly shards: readonly object[];
  readonly waves: readonly object[];
  readonly time: object;
  readonly refreshes: readonly object[];
  readonly undo: readonly { readonly phase: string; readonly undo: boolean; readonly how: string }[];
  readonly advice: Advice;
  readonly notes: readonly string[];
}

/** What moves in one keyspace. */
export interface PlanFigures {
  readonly keyspace: string;
  readonly slots: number;
  readonly slots_moved: number;
  /** The least that any plan could move for the same shares. */
  readonly slots_least: number;
  /** Slots that `hash % N` would move. */
  readonly slots_modulo: number;
  readonly waves: number;
}

/** How a migration is carried out. What is left out is as usual. Times are in milliseconds. */
export interface Settings {
  /** Whether writes in double-write and reversed are answered after both shards have them. */
  readonly strict?: boolean;
  /** Keys of a million whose reads are compared in shadow-read; 0 skips the phase. */
  readonly shadow_ppm?: number;
  readonly shadow_ms?: number;
  /** Whether the two sides are compared, slot by slot, before reads move. */
  readonly verify?: boolean;
  /** The steps of read-new, in keys of a million. */
  readonly ramps_ppm?: readonly number[];
  readonly ramp_ms?: number;
  /** How long reversed lasts: the rollback window. */
  readonly reversed_ms?: number;
  /** Rows of a chunk of backfill, catch-up or purge. */
  readonly chunk_rows?: number;
  readonly lag_rows_max?: number;
  readonly checkpoint_chunks?: number;
  readonly barrier_ms?: number;
  readonly retry_ms?: number;
  /** What must hold before a wave advances. */
  readonly gates?: {
    readonly error_ppm_limit?: number;
    readonly p99_percent_limit?: number;
    readonly p99_us_limit?: number | null;
    readonly mirror_failures_ppm_limit?: number;
    readonly shadow_mismatches_max?: number;
    readonly health_ms_max?: number;
    readonly unknown?: 'pass' | 'wait';
    readonly recheck_ms?: number;
    readonly patience_ms?: number;
    readonly after_patience?: 'step-back' | 'pause' | 'wait';
    readonly steps_back_max?: number;
    readonly finish?: 'automatic' | 'asked';
  };
  /** How fast rows are copied and removed. */
  readonly throttle?: {
    readonly rows_per_s_min?: number;
    readonly rows_per_s_start?: number;
    readonly rows_per_s_max?: number;
    readonly adjust_ms?: number;
  };
  /** When the migration may work: hours as `02:00-06:00`, dates as `2026-12-24`, in local time. */
  readonly calendar?: {
    readonly hours?: readonly string[];
    readonly days_off?: readonly ('mon' | 'tue' | 'wed' | 'thu' | 'fri' | 'sat' | 'sun')[];
    readonly dates_off?: readonly string[];
    readonly peak?: readonly string[];
    readonly peak_rows_per_s_max?: number;
    readonly off_peak_rows_per_s_max?: number | null;
  };
  /** How many keys are compared all the while. */
  readonly checks?: { readonly keys_per_minute?: number; readonly keys_per_round?: number; readonly seed?: number };
  /** What an open item of the risk checklist does. */
  readonly checklist?: 'advise' | 'strict';
}

/** How the application and its stores are, as far as it is known. */
export interface Health {
  readonly error_ppm?: number | null;
  readonly p99_us?: number | null;
  readonly baseline_p99_us?: number | null;
  readonly mirror_failures_ppm?: number | null;
  readonly shadow_compared?: number | null;
  readonly shadow_mismatches?: number | null;
  readonly stores?: readonly { readonly shard: number; readonly healthy: boolean }[];
}
/** What a gate has found. */
export interface Verdict {
  readonly gate: string | { readonly store: number };
  readonly state: 'passes' | 'fails' | 'unknown';
  readonly found: bigint | null;
  readonly limit: bigint | null;
}
/** A verdict, and whether it holds the migration back. */
export interface Judged extends Verdict {
  readonly holds: boolean;
}
/** What a coordinator knows itself. */
export interface OwnFacts {
  /** Mismatches that it has confirmed. */
  readonly mismatches?: number;
  /** `shadow_mismatches` of the health when the phase began. */
  readonly shadow_base?: number;
}
/** What a calendar allows at a moment. */
export interface Allowed {
  readonly open: boolean;
  /** 0 when it is open, null when it isn't for 400 days, or without a clock. */
  readonly opens_in_ms: bigint | null;
  /** Rows a second; null: as many as the throttle. */
  readonly rows_per_s_max: number | null;
}
/** Somebody's words on the risk checklist; of several on one item the last counts. */
export interface Checklist {
  readonly marks?: readonly {
    readonly item: string; readonly by: string; readonly unix_ms: number;
    readonly waived?: boolean; readonly note?: string;
  }[];
}
/** Where an item of the risk checklist stands. */
export interface ItemState {
  readonly item: string;
  readonly state: 'checked' | 'confirmed' | 'waived' | 'open';
}
/** What a strategy is chosen by. */
export interface Circumstances {
  /** Bytes that move, where known. */
  readonly bytes?: number | null;
  /** How long copying takes, in milliseconds, where known. */
  readonly copy_ms?: number | null;
  /** For how long writes may be held, in milliseconds. */
  readonly downtime_ms?: number;
  readonly risk?: 'lowest' | 'low' | 'medium' | 'high';
  /** Only whole slots move, by hand, to shards that are told. */
  readonly whole_slots?: boolean;
  /** The placement was somebody else's. */
  readonly adopts?: boolean;
}
/** A strategy, and why. */
export interface Advice {
  readonly strategy: Strategy;
  readonly reasons: readonly string[];
  readonly against: readonly [Strategy, string][];
}
/** Where a migration stands. */
export interface Status {
  readonly term: number;
  readonly epoch: number | null;
  readonly wish: 'forward' | 'back' | 'pause';
  readonly reason: string;
  readonly doing: string | Readonly<Record<string, unknown>>;
  readonly waves: readonly Readonly<Record<string, unknown>>[];
  readonly planned: number;
  readonly held: { readonly goal: unknown; readonly wave: number | null; readonly since: bigint; readonly verdicts: readonly Verdict[] } | null;
  readonly gates: readonly Verdict[];
  readonly rows_per_s: number | null;
  readonly open: boolean;
  readonly opens_in_ms: bigint | null;
  readonly checks: { readonly rounds: bigint; readonly keys: bigint; readonly suspects: bigint; readonly mismatches: bigint };
  readonly mismatches: number;
  readonly open_items: readonly string[];
}
/** Something that the gates have made a coordinator decide, and why. */
export interface Decision {
  readonly number: bigint;
  readonly at: bigint;
  readonly what: 'held' | 'passed' | 'stepped-back' | 'rolled-back' | 'paused';
  readonly wave: number | null;
  readonly why: string;
}

/** A coordinator's command: one name, and its fields. */
export type Command = Readonly<Record<string, unknown>>;
/** An answer to one: a name, or one name and its fields. */
export type Answer = string | Readonly<Record<string, unknown>>;
/** What a coordinator keeps beside the snapshot. */
export type Log = Readonly<Record<string, unknown>>;
/** A key on which the two sides of a wave differ. */
export interface Mismatch { readonly key: readonly number[]; readonly kind: 'missing' | 'extra' | 'stale' | 'different' }

/** A run of slots, `end` not in it. */
export interface SlotRange { readonly start: number; readonly end: number }
/** One of the two shards of a wave. */
export type Side = 'from' | 'to';
/** What a shard may do for a domain. */
export type Role = 'none' | 'authority' | 'mirror' | 'readable-mirror' | 'leased-mirror';

/** A wave: slots that move together between one pair of shards. */
export interface Wave {
  /** Its fencing domain, which is also its name. */
  readonly domain: number;
  readonly epoch: number;
  readonly drained: number;
  readonly authority_epoch: number;
  /** Whose guard takes this epoch first. */
  readonly first: Side;
  readonly from: number;
  readonly to: number;
  readonly phase: 'prepare' | Phase | { readonly ended: Side };
  /** Keys of a million that are read from `to` in read-new. */
  readonly ramp_ppm: number;
  readonly shadow_ppm: number;
  readonly strict: boolean;
  /** Sorted, disjoint. */
  readonly slots: readonly SlotRange[];
  /** Whether writes are paused, since a shard that checks no fence can't hold them back. */
  readonly switching: boolean;
}

/** A row of the phase table. */
export interface PhaseRow {
  /** `ended-from` and `ended-to` say which side has won. */
  readonly name: string;
  /** The side that orders the writes. */
  readonly authority: Side;
  /** Whether the wave's keys are fenced by the wave's own domain. */
  readonly carved: boolean;
  /** The role of each side in that domain. */
  readonly from: Role;
  readonly to: Role;
}

/** What a coordinator wants next. */
export type Action =
  | {
    readonly do: {
      /** Names the command to its answer. */
      readonly id: number;
      /** Where in the migration it stands. */
      readonly point: { readonly goal: string | Readonly<Record<string, number>>; readonly stage: string };
      /** The domain of the wave that it is about. */
      readonly wave: number | null;
      /** The number of the shard that it goes to; null: to the topology store. */
      readonly shard: number | null;
      readonly command: Command;
    };
  }
  | { readonly wait: { readonly until: number } }
  | { readonly over: Ending };
/** How a migration ended: `'complete'`, or an object with `rolled-back`, `paused`, `stepped-down` or `stuck`. */
export type Ending = string | Readonly<Record<string, unknown>>;

/** What a request wants to do. */
export type Access = 'read' | 'write' | 'apply' | 'copy' | 'purge' | 'collect';

/** What a shard durably knows of one domain. */
export interface GuardRow {
  readonly domain: number;
  readonly keyspace: number;
  readonly epoch: number;
  readonly role: Role;
  readonly closed: boolean;
  readonly drained: number;
  readonly in_wave: boolean;
  readonly authority_epoch: number;
}
/** A row of an install, and what its domain takes hold of. */
export interface InstallRow { readonly row: GuardRow; readonly claims: readonly unknown[] }
