// A migration's report, fed by whoever carries the commands out. `carryOut` does it when it is given one.
import * as raw from 'ringshift-gen';
import * as check from './check.js';
import { Held, held } from './held.js';
import { Coordinator } from './migrate.js';
import type { Action, Answer, Command, Health } from './types.js';
import type { Progress, Summary } from './report-types.js';

type Do = Extract<Action, { do: unknown }>['do'];
const wave = (domain: number | null | undefined): number | undefined =>
  check.or(domain, (value, what) => check.uint(value, what), 'the wave');
const json = (health: Health): string => JSON.stringify(check.object(health, 'the health'));

/** Collects a migration's story. `JSON.stringify` makes its data of it, `String` makes Markdown. */
export class Report extends Held<raw.Report> {
  /** One that begins now. `now` is of the same clock as later ones: that of `carryOut` unless told. */
  constructor(now: number = performance.now(), unixMs: number = Date.now()) {
    super(new raw.Report(check.time(now), check.wide(unixMs, 'unixMs')));
  }
  /** A command was carried out. `goal` is the coordinator's, from before the answer. */
  handleCommand(
    now: number, point: Do['point'], goal: unknown, domain: number | null, command: Command, answer: Answer,
  ): void {
    this._raw.command(check.time(now), point, goal ?? null, wave(domain), command, answer);
  }
  /** What the coordinator knows: its snapshot, decisions and mismatches, and how it ended. */
  handleCoordinator(now: number, coordinator: Coordinator): void {
    this._raw.coordinator(check.time(now), held(coordinator, Coordinator, 'the coordinator'));
  }
  /** A barrier is over; writers of the wave have waited for `pauseUs` microseconds. */
  handleBarrier(now: number, goal: unknown, domain: number | null, pauseUs: number): void {
    this._raw.barrier(check.time(now), goal, wave(domain), check.wide(Math.round(pauseUs), 'pauseUs'));
  }
  /** How the application is. */
  handleHealth(now: number, health: Health): void {
    this._raw.health(check.time(now), json(health), false);
  }
  /** What was seen of the stores. It stands for the application's figures until those are told. */
  handleSeen(now: number, seen: Health): void {
    this._raw.health(check.time(now), json(seen), true);
  }
  /** How many rows a wave's backfill is expected to copy. */
  handleEstimate(domain: number, rows: number): void {
    this._raw.estimate(check.uint(domain, 'the wave'), check.wide(rows, 'rows'));
  }
  /** How far each wave has come, in the order in which they began. */
  get progress(): Progress[] {
    return JSON.parse(this._raw.progress()) as Progress[];
  }
  /** All that is to be said by now. */
  get summary(): Summary {
    return JSON.parse(this._raw.json()) as Summary;
  }
  /** The same as the text of a `report.json`. */
  json(): string {
    return this._raw.json();
  }
  /** The same for people, in Markdown: a `report.md`. */
  text(): string {
    return this._raw.text();
  }
  toJSON(): Summary {
    return this.summary;
  }
  override toString(): string {
    return this.text();
  }
}

/** Feeds a report with what a loop over a coordinator does. */
export class Reporter {
  #closedAt: number | undefined;
  #goal: unknown = null;

  constructor(readonly report: Report, readonly now: () => number) {}

  /** A command is about to be carried out. */
  before({ point }: Do, coordinator: Coordinator): void {
    this.#goal = coordinator.goal;
    if (point.stage === 'close-from') this.#closedAt ??= performance.now();
  }
  /** It was; the coordinator knows the answer. */
  after({ point, wave, command }: Do, answer: Answer, coordinator: Coordinator): void {
    const now = this.now();
    this.report.handleCommand(now, point, this.#goal, wave, command, answer);
    this.report.handleCoordinator(now, coordinator);
    if (point.stage !== 'install-other' || answer !== 'done' || this.#closedAt === undefined) return;
    this.report.handleBarrier(now, this.#goal ?? point.goal, wave, 1_000 * (performance.now() - this.#closedAt));
    this.#closedAt = undefined;
  }
}
