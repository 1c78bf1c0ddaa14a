// Virtual time: a queue of things to happen, and a hand that is moved forward from outside.

/** @typedef {{ at: number, order: number, run: (() => void) | null }} Entry */

export class Clock {
  /** Milliseconds since the beginning; fractions are fine. */
  now = 0;
  #order = 0;
  /** @type {Entry[]} a binary heap, the earliest first */
  #heap = [];

  /** The time as the machines of the package are told it. */
  get ms() {
    return Math.floor(this.now);
  }

  /**
   * Runs `run` at that time, or as soon as may be.
   * @param {number} at
   * @param {() => void} run
   * @returns {() => void} takes it back
   */
  at(at, run) {
    if (!Number.isFinite(at)) return () => {};
    const entry = { at: Math.max(at, this.now), order: this.#order++, run };
    this.#push(entry);
    return () => {
      entry.run = /** @type {any} */ (null);
    };
  }

  /** @param {number} ms @param {() => void} run @returns {() => void} */
  after(ms, run) {
    return this.at(this.now + ms, run);
  }

  /**
   * Lets everything happen that is due by `until`, in order, while `goOn` says so.
   * @param {number} until
   * @param {() => boolean} goOn
   */
  advance(until, goOn = () => true) {
    for (;;) {
      const first = this.#heap[0];
      if (!first || first.at > until) break;
      this.#pop();
      if (!first.run) continue;
      this.now = first.at;
      first.run();
      if (!goOn()) return;
    }
    this.now = Math.max(this.now, until);
  }

  /** @param {Entry} entry */
  #push(entry) {
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(entry, /** @type {Entry} */ (heap[parent]))) break;
      heap[at] = /** @type {Entry} */ (heap[parent]);
      at = parent;
    }
    heap[at] = entry;
  }

  #pop() {
    const heap = this.#heap;
    const last = /** @type {Entry} */ (heap.pop());
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      const left = heap[child];
      if (!left) break;
      const right = heap[child + 1];
      if (right && before(right, left)) child += 1;
      const least = /** @type {Entry} */ (heap[child]);
      if (!before(least, last)) break;
      heap[at] = least;
      at = child;
    }
    heap[at] = last;
  }
}

/** @param {Entry} a @param {Entry} b */
function before(a, b) {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
