// Loads and advice, as plain data: the same as in every other language, and as `ringshift advise` reads.
import type { Changes } from './types.js';

/** The loads and sizes of a cluster. Whatever isn't known is left out. */
export interface Loads {
  readonly shards?: readonly ShardLoad[];
  readonly keyspaces?: readonly KeyspaceLoad[];
}

/** What is known of one shard. */
export interface ShardLoad {
  readonly shard: number;
  /** Bytes that it holds; without it, those of its slots. */
  readonly bytes?: number | null;
  readonly capacity_bytes?: number | null;
  /** Bytes that it held `days` ago. */
  readonly bytes_before?: number | null;
  readonly days?: number;
  readonly p99_us?: number | null;
  /** What that usually is. */
  readonly p99_before_us?: number | null;
}

/** What is known of one keyspace. */
export interface KeyspaceLoad {
  readonly keyspace: string;
  /** Operations. */
  readonly ops?: number;
  /** Operations that had to ask more than one shard. */
  readonly spread_ops?: number;
  /** About how many different routing parts there are; 0: not known. */
  readonly distinct?: number;
  /** Operations by shard. */
  readonly shards?: readonly (readonly [shard: number, ops: number])[];
  /** By slot; slots that aren't there have nothing. */
  readonly slots?: readonly {
    readonly slot: number; readonly ops?: number; readonly rows?: number; readonly bytes?: number;
  }[];
  /** The routing parts that come most often: at most `ops` times, which may be too high by `error`. */
  readonly hot?: readonly { readonly key: readonly number[]; readonly ops: number; readonly error?: number }[];
  /** Ranges that have an override; about half of the operations are below `middle`. */
  readonly ranges?: readonly {
    readonly shard: number; readonly start: readonly number[]; readonly end: readonly number[];
    readonly middle: readonly number[]; readonly ops?: number;
  }[];
}

/** Above what something is wrong. What is left out is as usual. */
export interface Triggers {
  /** Of a shard's capacity, per cent; 80 unless told. */
  readonly storage_percent?: number;
  /** Of a shard's fair share of the operations, per cent; 300 unless told. */
  readonly load_percent?: number;
  /** Of a shard's usual p99, per cent; 200 unless told. */
  readonly p99_percent?: number;
  /** Operations that ask more than one shard, per cent; 50 unless told. */
  readonly spread_percent?: number;
  /** Different routing parts a shard; fewer can't be spread. 10 unless told. */
  readonly keys_a_shard?: number;
  /** How far ahead growth is looked at, in days; 183 unless told. */
  readonly forecast_days?: number;
  /** Operations below which loads say nothing; 1,000 unless told. */
  readonly ops_min?: number;
}

/** One thing that is wrong, and what to do about it. */
export interface Advice {
  readonly trigger: 'distinct' | 'load' | 'latency' | 'spread' | 'storage' | 'forecast';
  readonly urgency: 'critical' | 'high' | 'medium';
  /** The shard, or the keyspace, that it is about. */
  readonly shard: number | null;
  readonly keyspace: string | null;
  readonly action:
    | 'move-slots' | 'isolate-key' | 'split-range' | 'grow-slots' | 'change-key' | 'look-into'
    | { readonly 'spread-key': { readonly over: number } }
    | { readonly 'add-shards': { readonly count: number } };
  /** Both in words. */
  readonly text: string;
  /** What `plan` takes to do it; null where it isn't a migration. */
  readonly wish: Changes | null;
}
