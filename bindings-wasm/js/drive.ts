/**
 * One loop over an operation. It decides nothing: it sends what the operation says, waits for what
 * it waits for, keeps what replies have brought, and hands everything back in.
 */

import type { Keyspace, Operation, Shadow } from './machine.js';
import type { Attempt, Key, Outcome } from './types.js';
import type { Response } from './client-types.js';

/** Timers take no longer waits than this many milliseconds. */
const TIMER_MS_MAX = 0x7fff_ffff;

/** What the loop needs of the world, for one operation on one key. */
export interface World<F> {
  readonly keyspace: Keyspace;
  readonly key: Key;
  readonly waits: Waits;
  /** Sends an attempt; `found` is what the reply that its payload names has brought. */
  send(attempt: Attempt, found: F | null, signal: () => AbortSignal): Answer<F>;
  /** Takes an attempt that nobody waits for. */
  trail(attempt: Attempt): void;
  /** Gets a snapshot past that epoch, if there is one. */
  refresh(newerThan: number): Promise<void>;
}

/** What a store answers, now or later. */
export type Answer<F> = Response<F> | PromiseLike<Response<F>>;

/** How an operation ended. */
export interface Driven<F> {
  outcome: Outcome;
  found: F | null;
  attempts: number;
  refreshes: number;
  /** Attempts that were refused, failed or got no answer in time. */
  lost: number;
}

/** The waits of one operation: one at a time, with one timer, until somebody stops it. */
export class Waits {
  #stopped: { reason: unknown } | null = null;
  #stop: ((reason: unknown) => void) | null = null;

  constructor(readonly now: () => number) {}

  /** Throws `reason` where the operation waits, or will. */
  readonly stop = (reason: unknown): void => {
    this.#stopped ??= { reason };
    this.#stop?.(reason);
  };

  /** What `work` gives, or `undefined` when `until` comes first. Work that is ready wins. */
  first<T>(work: PromiseLike<T> | null, until: number): Promise<T | undefined> {
    return new Promise<T | undefined>((resolve, reject) => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const end = (settle: () => void): void => {
        if (this.#stop !== stop) return;
        clearTimeout(timer);
        this.#stop = null;
        settle();
      };
      const stop = (reason: unknown): void => end(() => reject(reason));
      const arm = (): void => {
        const ms = until - this.now();
        if (ms <= 0) end(() => resolve(undefined));
        else if (ms < Infinity) timer = setTimeout(arm, Math.min(ms, TIMER_MS_MAX));
      };
      this.#stop = stop;
      if (this.#stopped !== null) return stop(this.#stopped.reason);
      work?.then((done) => end(() => resolve(done)), stop);
      // What is over already is said later than what is ready.
      if (until > this.now()) arm();
      else setTimeout(arm);
    });
  }
}

/** Sends, and waits for the reply until `until`: then `undefined`, and the signal is aborted. */
async function ask<F>(
  world: World<F>,
  attempt: Attempt,
  found: F | null,
  until: number,
): Promise<Response<F> | undefined> {
  let controller: AbortController | undefined;
  const signal = (): AbortSignal => (controller ??= new AbortController()).signal;
  const answer = world.send(attempt, found, signal);
  if (!('then' in answer)) return answer;
  let response: Response<F> | undefined;
  try {
    response = await world.waits.first(answer, until);
  } finally {
    if (response === undefined) controller?.abort();
  }
  return response;
}

/** Drives `operation` to its end. */
export async function drive<F>(operation: Operation, world: World<F>): Promise<Driven<F>> {
  const { keyspace, key, waits } = world;
  const found = new Map<number, F>();
  let inFlight: Attempt | null = null;
  let conflict: number | null = null;
  let [attempts, refreshes, lost] = [0, 0, 0];
  for (;;) {
    const step = operation.poll();
    switch (step.type) {
      case 'send':
        if (step.attempt.blocking) {
          attempts += 1;
          inFlight = step.attempt;
        } else {
          world.trail(step.attempt);
        }
        break;
      case 'refresh': {
        refreshes += 1;
        const wait = operation.poll();
        if (wait.type !== 'wait') break;
        const refreshed = world.refresh(step.newerThan).then(() => true);
        if (await waits.first(refreshed, wait.until)) {
          operation.handleSnapshot(waits.now(), keyspace, key);
        } else {
          operation.handleTimeout(waits.now());
        }
        break;
      }
      case 'wait': {
        if (inFlight === null) {
          await waits.first(null, step.until);
          operation.handleSnapshot(waits.now(), keyspace, key);
          operation.handleTimeout(waits.now());
          break;
        }
        const attempt: Attempt = inFlight;
        inFlight = null;
        const payload = attempt.foundBy === null ? null : (found.get(attempt.foundBy) ?? null);
        const response = await ask(world, attempt, payload, step.until);
        const type = response?.reply.type;
        if (type === undefined || type === 'refused' || type === 'failed') lost += 1;
        if (response === undefined) {
          operation.handleTimeout(waits.now());
          break;
        }
        if (type === 'conflict') conflict = attempt.id;
        if (response.found != null) found.set(attempt.id, response.found);
        operation.handleReply(waits.now(), attempt.id, response.reply);
        break;
      }
      case 'done': {
        const { outcome } = step;
        const carrier =
          outcome.type === 'value' ? outcome.from : outcome.type === 'conflict' ? conflict : null;
        const brought = carrier === null ? null : (found.get(carrier) ?? null);
        return { outcome, found: brought, attempts, refreshes, lost };
      }
    }
  }
}

/** Drives a comparison to its end; `digest` is that of the row which a reply has brought. */
export async function driveShadow<F>(
  shadow: Shadow,
  world: World<F>,
  digest: (response: Response<F>) => bigint | null,
): Promise<string> {
  const { waits } = world;
  for (;;) {
    const step = shadow.poll();
    if (step.type === 'done') return step.compared;
    if (step.type === 'wait') {
      await waits.first(null, step.until);
      shadow.handleTimeout(waits.now());
      continue;
    }
    const wait = shadow.poll();
    if (wait.type !== 'wait') continue;
    const response = await ask(world, step.attempt, null, wait.until);
    if (response === undefined) shadow.handleTimeout(waits.now());
    else shadow.handleReply(waits.now(), step.attempt.id, response.reply, digest(response));
  }
}
