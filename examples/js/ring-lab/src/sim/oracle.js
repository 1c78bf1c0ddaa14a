// The page's own witness: it hears of every acknowledged write and judges every read. It knows
// nothing of shards or phases, only what callers were told.

/**
 * @typedef {{ version: bigint, value: string | null }} Known what a caller was told; null: deleted
 * @typedef {{ key: string, what: string }} Loss
 * @typedef {{ key: string, floor: Known | null, since: number }} Reading
 */

export class Oracle {
  /** @type {Map<string, Known>} the newest acknowledged write of each key */
  #acknowledged = new Map();
  /** @type {Map<string, number>} deletes that were begun and whose fate isn't known */
  #deleting = new Map();
  /** @type {Map<string, number>} how often a delete of the key has ended, for reads under way */
  #deleted = new Map();
  /** @type {Loss[]} */
  losses = [];
  /** Writes acknowledged, and reads judged. */
  writes = 0;
  reads = 0;

  /** A write begins. @param {string} key @param {string | null} value null: a delete */
  writing(key, value) {
    if (value === null) this.#deleting.set(key, (this.#deleting.get(key) ?? 0) + 1);
  }

  /**
   * A write was acknowledged to its caller.
   * @param {string} key
   * @param {bigint} version
   * @param {string | null} value
   */
  written(key, version, value) {
    this.writes += 1;
    if (value === null) {
      this.#deleting.set(key, Math.max(0, (this.#deleting.get(key) ?? 0) - 1));
      this.#deleted.set(key, (this.#deleted.get(key) ?? 0) + 1);
    }
    const known = this.#acknowledged.get(key);
    if (!known || version > known.version) this.#acknowledged.set(key, { version, value });
    else if (version === known.version) this.#lose(key, `two writes were given version ${version}`);
  }

  /** A read begins: what it must see at least. @param {string} key @returns {Reading} */
  reading(key) {
    const floor = this.#acknowledged.get(key) ?? null;
    return { key, floor, since: this.#deleted.get(key) ?? 0 };
  }

  /**
   * A read has ended.
   * @param {Reading} reading
   * @param {{ version: bigint, value: string } | null} found null: nothing, or a tombstone
   * @returns {boolean} whether that may be
   */
  read({ key, floor, since }, found) {
    this.reads += 1;
    if (!found) {
      const mayBeGone =
        !floor ||
        floor.value === null ||
        (this.#deleting.get(key) ?? 0) > 0 ||
        (this.#deleted.get(key) ?? 0) > since;
      if (!mayBeGone) this.#lose(key, `version ${floor?.version} was acknowledged, nothing is there`);
      return mayBeGone;
    }
    if (floor && found.version < floor.version) {
      this.#lose(key, `version ${floor.version} was acknowledged, ${found.version} was read`);
      return false;
    }
    const known = this.#acknowledged.get(key);
    if (known && known.version === found.version && known.value !== found.value) {
      this.#lose(key, `version ${found.version} was acknowledged with another value`);
      return false;
    }
    return true;
  }

  /** The keys with an acknowledged write. */
  keys() {
    return [...this.#acknowledged.keys()];
  }

  /** @param {string} key @param {string} what */
  #lose(key, what) {
    this.losses.push({ key, what });
  }
}
