// What a coordinator judges by, one question at a time. Facts and answers are the core's own data:
// names in kebab-case, fields in snake_case, numbers of 64 bits as bigints.
import * as raw from 'ringshift-gen';
import * as check from './check.js';
import { Held } from './held.js';
import type {
  StrategyAdvice, Allowed, Checklist, Circumstances, Health, ItemState, Judged, OwnFacts, Settings,
} from './types.js';

/** Data, or the JSON of it. */
type Told<T> = T | string;
const json = (value: object | string, what: string): string =>
  typeof value === 'string' ? value : JSON.stringify(check.object(value, what));
const micros = (value: unknown, what: string): bigint => check.wide(value, what, 64);

/**
 * The verdict of each gate on what is known of the application and its stores, for a wave between `shards`, and
 * whether it holds the migration back. `own` is what the coordinator knows itself.
 */
export function judge(
  gates: Told<NonNullable<Settings['gates']>>, health: Told<Health> | null, own: Told<OwnFacts> = {},
  shards: readonly number[] = [],
): Judged[] {
  const seen = health === null ? undefined : json(health, 'the health');
  const ids = Uint32Array.from(shards, (shard) => check.uint(shard, 'a shard'));
  return raw.judge(json(gates, 'the gates'), seen, json(own, 'the own facts'), ids);
}

/**
 * What a calendar allows at a moment of the clock on the wall: milliseconds since 1970-01-01 UTC, and how many
 * minutes local time is ahead of UTC. `null`: without a clock.
 */
export function allowed(
  calendar: Told<NonNullable<Settings['calendar']>>, unixMs: number | null, utcOffsetMin = 0,
): Allowed {
  const at = check.or(unixMs, check.wide, 'unixMs');
  return raw.allowed(json(calendar, 'the calendar'), at, check.offset(utcOffsetMin));
}

/** How fast rows are copied: slower when live traffic suffers, faster when it doesn't. */
export class Pace extends Held<raw.Pace> {
  /** Within the bounds of a throttle. */
  constructor(throttle: Told<NonNullable<Settings['throttle']>>) {
    super(new raw.Pace(json(throttle, 'the throttle')));
  }
  /** Rows a second at present, and `cap` at most; `null`: as many as there come. */
  rate(cap: number | null = null): number | null {
    return this._raw.rate(check.or(cap, check.uint, 'cap')) ?? null;
  }
  /** The operations' p99, what it must stay below, and what it was before, in microseconds. */
  handleP99(
    now: number, p99Us: number | bigint, limitUs: number | bigint, baselineUs: number | bigint | null = null,
  ): void {
    const before = check.or(baselineUs, micros, 'baselineUs');
    this._raw.p99(check.time(now), micros(p99Us, 'p99Us'), micros(limitUs, 'limitUs'), before);
  }
  /** So many rows have been copied at that rate. */
  spend(now: number, rate: number | null, rows: number): void {
    this._raw.spend(check.time(now), check.or(rate, check.uint, 'rate'), check.uint(rows, 'rows'));
  }
  /** When the next rows may be copied. */
  get readyAt(): number {
    return this._raw.readyAt();
  }
}

/** Where each item of the risk checklist stands. */
export const checklist = (ticks: Told<Checklist>, settings: Told<Settings>): ItemState[] =>
  raw.checklist(json(ticks, 'the ticks'), json(settings, 'the settings'));

/** Which strategy fits, and why. */
export const adviseStrategy = (circumstances: Told<Circumstances>): StrategyAdvice =>
  raw.adviseStrategy(json(circumstances, 'the circumstances'));
