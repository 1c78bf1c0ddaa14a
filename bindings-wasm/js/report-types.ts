// What a migration's report says, as plain data: the same as its file, and as in every other language.
import type { Ending } from './types.js';

/** How far a wave has come: what a progress bar shows. */
export interface Progress {
  readonly wave: number;
  /** The shard that the keys leave, and the one that they go to. */
  readonly from: number;
  readonly to: number;
  /** Its phase; the last that was seen, once it is gone. */
  readonly phase: string | Readonly<Record<string, string>>;
  /** Keys of a million that are read from `to`. */
  readonly ramp_ppm: number;
  /** Whether it has left the snapshot. */
  readonly over: boolean;
  /** Rows that were copied, those that catch-up copied again too. */
  readonly rows: number;
  /** Rows that the backfill is expected to copy, if somebody has counted them. */
  readonly rows_estimated: number | null;
  readonly rows_per_s: number | null;
  /** Rows that are behind; null while it can't be told. */
  readonly lag_rows: number | null;
  /** Milliseconds until the backfill is through, at that rate. */
  readonly eta_ms: number | null;
  /** Whether the mirror has caught up at least once. */
  readonly caught_up: boolean;
}

/** All that a report says. Moments are in milliseconds since its beginning. */
export interface Summary {
  readonly began_unix_ms: number;
  readonly took_ms: number;
  /** How it ended; null while it runs. */
  readonly ending: Ending | null;
  /** The moves, in their order, from the first command to the last answer of each. */
  readonly moves: readonly {
    readonly goal: string; readonly wave: number | null; readonly from_ms: number; readonly to_ms: number;
    readonly commands: number; readonly rows: number;
  }[];
  /** The barriers: how long writers of a wave had to wait. */
  readonly barriers: readonly {
    readonly goal: string; readonly wave: number | null; readonly at_ms: number; readonly pause_us: number;
  }[];
  /** What the gates have decided, and why. */
  readonly decisions: readonly {
    readonly number: number; readonly at: number; readonly wave: number | null; readonly why: string;
    readonly what: 'held' | 'passed' | 'stepped-back' | 'rolled-back' | 'paused';
  }[];
  readonly waves: readonly Progress[];
  /** The application's latency and errors; where nobody tells them, the latency of looks at the stores. */
  readonly latency: {
    readonly p99_before_us: number | null; readonly p99_now_us: number | null;
    readonly p99_max_us: number | null; readonly error_ppm_max: number | null;
  };
  readonly rows_copied: number;
  readonly rows_removed: number;
  /** Commands that were refused or got no answer. */
  readonly failed_commands: number;
  readonly keys_checked: number;
  readonly mismatches: number;
  /** Moves, barriers and decisions that didn't fit in. */
  readonly left_out: number;
}

/** What a pulse holds samples against. What is left out is as usual. */
export interface PulseOptions {
  /** How far back it looks; 30,000 unless told. */
  readonly window_ms?: number;
  /** Fewer operations than this in the window say nothing; 20 unless told. */
  readonly samples_min?: number;
  /** A request that takes longer is as bad for its store as one that fails; 1,000,000 unless told. */
  readonly slow_us?: number;
  /** A baseline below this counts as this; 10,000 unless told. */
  readonly baseline_us_min?: number;
}
