// Health that is measured: by a client's own stores, and by whoever carries a migration out.
import * as raw from 'ringshift-gen';
import * as check from './check.js';
import { Held, held } from './held.js';
import * as machine from './machine.js';
import { Coordinator } from './migrate.js';
import type { BatchReply, Attempt, Answer, Command, Health, Reply } from './types.js';
import type { PulseOptions } from './report-types.js';
import type { Response, Store } from './client-types.js';

const us = (took: number): number => check.uint(Math.min(Math.round(took), 0xffff_ffff), 'tookUs');

/**
 * Measures health: told what happened, it says how things are. Its p99 is never below the true one of
 * its window, and above it by less than a sixteenth. Times are in milliseconds of any clock that never
 * goes back, what things took is in microseconds.
 */
export class Pulse extends Held<raw.Pulse> {
  constructor(options: PulseOptions = {}) {
    super(new raw.Pulse(JSON.stringify(check.object(options, 'the options'))));
  }
  /** An operation of the application's has ended, all attempts and waits together. */
  handleOperation(now: number, tookUs: number, failed: boolean): void {
    this._raw.operation(check.time(now), us(tookUs), check.flag(failed, 'failed'));
  }
  /** A request to a shard's store has ended. A guard's refusal is an answer. */
  handleRequest(now: number, shard: number, tookUs: number, failed: boolean): void {
    this._raw.request(check.time(now), check.uint(shard, 'shard'), us(tookUs), check.flag(failed, 'failed'));
  }
  /** A mirror write has ended. It is a request to its shard as well: say that beside this. */
  handleMirror(now: number, failed: boolean): void {
    this._raw.mirror(check.time(now), check.flag(failed, 'failed'));
  }
  /** A snapshot is in force: the first one with a wave takes the baseline. */
  handleSnapshot(now: number, snapshot: machine.Snapshot | Uint8Array): void {
    machine.withSnapshot(snapshot, (held) => this._raw.snapshot(check.time(now), held));
  }
  /** Time has passed: what is older than the window is forgotten. */
  handleTimeout(now: number): void {
    this._raw.timeout(check.time(now));
  }
  /** What the window has now is what is usual. */
  takeBaseline(): void {
    this._raw.takeBaseline();
  }
  /** Nothing is usual. */
  dropBaseline(): void {
    this._raw.dropBaseline();
  }
  /** Whether there is a baseline. */
  get hasBaseline(): boolean {
    return this._raw.hasBaseline();
  }
  /** How things are, as of the last input; what isn't known is null. */
  get health(): Health {
    return JSON.parse(this._raw.health()) as Health;
  }
}

/** Looks after the stores of a migration that is under way: what `carryOut` sees by itself. */
export class StoreWatch extends Held<raw.StoreWatch> {
  constructor() {
    super(new raw.StoreWatch());
  }
  /** The look that is due: a command for a shard; null for now. */
  poll(now: number, coordinator: Coordinator): Command | null {
    return this._raw.poll(check.time(now), held(coordinator, Coordinator, 'the coordinator'));
  }
  /** A look has taken so long, and was answered or not. */
  handleLook(now: number, look: Command, answer: Answer, tookUs: number): void {
    this._raw.told(check.time(now), look, answer, us(tookUs), true);
  }
  /** A command of the coordinator's own was carried out. */
  handleCommand(now: number, command: Command, answer: Answer, tookUs: number): void {
    this._raw.told(check.time(now), command, answer, us(tookUs), false);
  }
  /** What was seen. */
  get health(): Health {
    return JSON.parse(this._raw.health()) as Health;
  }
}

/** What of a reply says that the store didn't answer: one that rejects a request has. */
const silent = (reply: Reply): boolean => reply.type === 'failed' && reply.failure !== 'rejected';

/**
 * The same store, and `pulse` hears how each of its requests goes, and of each snapshot. What a caller
 * waits for counts as an operation. A client of any entry may use it; hand `pulse.health` to `carryOut`.
 */
export function measured(store: Store, pulse: Pulse): Store {
  const request = (shard: number, took: number, failed: boolean): void =>
    pulse.handleRequest(performance.now(), shard, 1_000 * took, failed);
  const answered = (attempt: Attempt, began: number, failed: boolean, refused: boolean): void => {
    const now = performance.now();
    request(attempt.shard, now - began, failed);
    if (attempt.kind !== 'apply') pulse.handleOperation(now, 1_000 * (now - began), failed);
    else if (!refused) pulse.handleMirror(now, failed);
  };
  const send: Store['send'] = (attempt, given, signal) => {
    const began = performance.now();
    const note = (response: Response): Response => {
      answered(attempt, began, silent(response.reply), response.reply.type === 'refused');
      return response;
    };
    const lost = (error: unknown): never => {
      answered(attempt, began, true, false);
      throw error;
    };
    try {
      const response = store.send(attempt, given, signal);
      return 'then' in response ? response.then(note, lost) : note(response);
    } catch (error) {
      return lost(error);
    }
  };
  // A client makes a signal only for a store that names it.
  const over: Store = { send: store.send.length > 2 ? send : (attempt, given) => send(attempt, given) };
  if (store.batch !== undefined) {
    over.batch = async (batch, requests) => {
      const began = performance.now();
      const took = (reply: BatchReply | null): void => {
        const failed = reply === null || (reply.type === 'not-done' && silent(reply.reply));
        request(batch.shard, performance.now() - began, failed);
      };
      try {
        const response = await store.batch!(batch, requests);
        took(response.reply);
        return response;
      } catch (error) {
        took(null);
        throw error;
      }
    };
  }
  over.install = (snapshot) => {
    pulse.handleSnapshot(performance.now(), snapshot as machine.Snapshot);
    store.install?.(snapshot);
  };
  over.close = () => store.close?.();
  return over;
}
