// The vocabulary of planning and carrying out a migration, as plain data. The same words as in every
// other language.
import type { Phase } from './types.js';

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
  readonly advice: StrategyAdvice;
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
    /** Whether whoever carries the commands out looks after the stores itself; true unless told. */
    readonly watch_stores?: boolean;
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
export interface StrategyAdvice {
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
export interface GateDecision {
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
