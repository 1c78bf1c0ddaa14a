/** One loop over a coordinator. It decides nothing: it carries commands to where they belong. */

import { Waits } from './drive.js';
import { Chunks, Coordinator, sqliteCommand } from './migrate.js';
import { StoreWatch } from './pulse.js';
import { Reporter } from './report.js';
import { RingshiftError } from './shapes.js';
import type { Report } from './report.js';
import type { Plan } from './migrate.js';
import type { Snapshot } from './machine.js';
import type { Action, Answer, Command, Ending, Health, Settings } from './types.js';

/** A longer wait isn't waited through at once: whoever turns the coordinator meanwhile is heard. */
const NAP_MS = 20;
/** How often health is asked for. */
const HEALTH_MS = 1_000;

/** What keeps the snapshot and the coordinator's log: a `TopologyRecord`, say. */
export interface TopologyStore {
  /** Carries out a command that names no shard. */
  command(command: Command): Answer | PromiseLike<Answer>;
}

/** What keeps the rows. */
export type Shards =
  /** `memory()` of this entry. */
  | Heard & {
    shard(id: number): { command(command: Command, chunks: Chunks): Answer } | undefined;
  }
  /** `sqlite(…)` of `ringshift/stores/sqlite`: what runs statements on a shard's database. */
  | Heard & { connection(shard: number): PromiseLike<Parameters<typeof sqliteCommand>[0]> }
  /** A store of your own, which carries the commands out where its shards are. */
  | Heard & { command(command: Command, chunks: Chunks): Answer | PromiseLike<Answer> };

interface Heard {
  /** Hears of the shards' names. */
  install?(snapshot: Snapshot): void;
}

/** What a migration is carried out with. */
export interface CarryOutOptions {
  readonly topology: TopologyStore;
  readonly store: Shards;
  /** One that no other coordinator was given: `topology.drawTerm()`. */
  readonly term: number;
  /** What is to be begun, unless the topology's log says what is under way. */
  readonly plan?: Plan | null | undefined;
  readonly settings?: Settings | string | undefined;
  /**
   * How the application and its stores are; asked once a second: `() => pulse.health`, say. Gates
   * wait for it. Where it says nothing, what `carryOut` sees of the stores itself counts.
   */
  readonly health?: (() => Health | undefined) | undefined;
  /** Is told everything. Its clock must be `performance.now()`, as it is unless told. */
  readonly report?: Report | undefined;
  /**
   * Called after each command. It may call `pause` or `rollBack`, also later. `error` is why a
   * shard didn't answer, if it didn't; the coordinator asks again.
   */
  readonly each?:
    | ((coordinator: Coordinator, action: Do, answer: Answer, error: unknown) => void)
    | undefined;
  /** Stops it between two commands: it throws the signal's reason, and another one may go on. */
  readonly signal?: AbortSignal | undefined;
}

type Do = Extract<Action, { do: unknown }>['do'];

/**
 * Runs a migration to its end, while clients of this process go on reading and writing. Its clock is
 * `performance.now()`. Answers how it ended: `'complete'`, or an object with `rolled-back`,
 * `paused`, `stepped-down` or `stuck`.
 */
export async function carryOut(options: CarryOutOptions): Promise<Ending> {
  const { topology, store, term, plan, settings, each, health, report, signal } = options;
  signal?.throwIfAborted();
  const now = (): number => Math.floor(performance.now());
  const [waits, chunks, watch] = [new Waits(now), new Chunks(), new StoreWatch()];
  const reporter = report && new Reporter(report, now);
  const coordinator = new Coordinator(term, settings, plan ?? null, now());
  const stop = (): void => waits.stop(signal?.reason);
  signal?.addEventListener('abort', stop);
  let [epoch, asked, news] = [0, -HEALTH_MS, false];
  try {
    for (;;) {
      signal?.throwIfAborted();
      if (now() >= asked + HEALTH_MS) {
        asked = now();
        coordinator.handleWallClock(asked, Date.now(), -new Date().getTimezoneOffset());
        const given = health?.();
        if (given !== undefined) coordinator.handleHealth(asked, given);
        if (given !== undefined) report?.handleHealth(asked, given);
        news = true;
      }
      for (;;) {
        const look = watch.poll(now(), coordinator);
        if (look === null) break;
        const [{ shard } = { shard: 0 }] = Object.values(look) as { shard: number }[];
        const began = performance.now();
        const { answer } = await answered(at(store, shard, look, chunks));
        watch.handleLook(now(), look, answer, 1_000 * (performance.now() - began));
        news = true;
      }
      if (news) {
        // Also before the first second is over, in which a small migration ends.
        news = false;
        const seen = watch.health;
        coordinator.handleSeen(now(), seen);
        report?.handleSeen(now(), seen);
      }
      const action = coordinator.poll();
      if ('over' in action) {
        report?.handleCoordinator(now(), coordinator);
        return action.over;
      }
      if ('wait' in action) {
        await waits.first(null, Math.min(action.wait.until, now() + NAP_MS));
        coordinator.handleTimeout(now());
        continue;
      }
      const { id, shard, command } = action.do;
      reporter?.before(action.do, coordinator);
      const began = performance.now();
      const { answer, error } =
        shard === null
          ? { answer: await topology.command(command), error: undefined }
          : await answered(at(store, shard, command, chunks));
      coordinator.handleAnswer(now(), id, answer);
      watch.handleCommand(now(), command, answer, 1_000 * (performance.now() - began));
      reporter?.after(action.do, answer, coordinator);
      epoch = told(store, coordinator.snapshot, epoch);
      each?.(coordinator, action.do, answer, error);
      // Whoever reads and writes in this thread comes before the next one.
      await turn();
    }
  } finally {
    signal?.removeEventListener('abort', stop);
    coordinator.free();
    chunks.free();
    watch.free();
  }
}

async function at(store: Shards, shard: number, command: Command, chunks: Chunks): Promise<Answer> {
  if ('command' in store) return store.command(command, chunks);
  if ('connection' in store) return sqliteCommand(await store.connection(shard), command, chunks);
  return store.shard(shard)?.command(command, chunks) ?? 'unreachable';
}

/** What a shard answered, or why it didn't. */
async function answered(work: Promise<Answer>): Promise<{ answer: Answer; error: unknown }> {
  try {
    return { answer: await work, error: undefined };
  } catch (error) {
    // What isn't an error of the store's is one in a program.
    if (!(error instanceof RingshiftError)) throw error;
    return { answer: 'unreachable', error };
  }
}

/** Tells the store of a newer snapshot: a shard that joins is found by its name. Answers the epoch. */
function told(store: Shards, snapshot: Snapshot | null, epoch: number): number {
  if (snapshot === null) return epoch;
  const now = snapshot.epoch;
  if (now > epoch) store.install?.(snapshot);
  else snapshot.free();
  return now;
}

/** Lets everything else have its turn. */
function turn(): Promise<void> {
  const { setImmediate } = globalThis as { setImmediate?: (done: () => void) => unknown };
  return new Promise((done) => void (setImmediate ?? setTimeout)(done));
}
