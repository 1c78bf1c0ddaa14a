/** Shadow reads: made when a sampled read has been answered, so that no caller waits for one. */

import { driveShadow, Waits } from './drive.js';
import type { World } from './drive.js';
import { rowDigest } from './machine.js';
import type { Shadow } from './machine.js';
import type { Response, ShadowFigures } from './client-types.js';
import type { Found } from './types.js';

/** Comparisons at once; more sampled reads than that are not compared. */
const AT_ONCE_MAX = 1_024;

/** The comparisons of a client. */
export class Shadows {
  readonly #waiting = new Set<Waits>();
  readonly #figures = { same: 0, mismatches: 0, unsure: 0, dropped: 0 };

  constructor(readonly now: () => number) {}

  /** Begins the comparison that a read asked for, if it asked for one. */
  compare<F>(shadow: Shadow | null, read: World<F>, key: Uint8Array): void {
    if (shadow === null) return;
    if (this.#waiting.size >= AT_ONCE_MAX) this.#figures.dropped += 1;
    else void this.#compare(shadow, read, key);
  }

  figures(): ShadowFigures {
    return { ...this.#figures };
  }

  /** Gives up what is under way. */
  close(reason: unknown): void {
    for (const waits of this.#waiting) waits.stop(reason);
  }

  async #compare<F>(shadow: Shadow, read: World<F>, key: Uint8Array): Promise<void> {
    const waits = new Waits(this.now);
    this.#waiting.add(waits);
    const digest = ({ reply, found }: Response<F>): bigint | null =>
      found != null && (reply.type === 'found' || reply.type === 'deleted')
        ? rowDigest(key, reply.version, (found as Partial<Found>).value ?? null)
        : null;
    try {
      const compared = await driveShadow(shadow, { ...read, waits }, digest);
      const figure = compared === 'same' || compared === 'unsure' ? compared : 'mismatches';
      this.#figures[figure] += 1;
    } catch {
      this.#figures.dropped += 1;
    } finally {
      this.#waiting.delete(waits);
      shadow.free();
    }
  }
}
