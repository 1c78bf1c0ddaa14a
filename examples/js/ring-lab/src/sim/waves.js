// The waves of a migration as one follows them: planned, under way, over. Read off the snapshots;
// nothing is decided here.

import { waves } from "../package.js";

/** @typedef {import("../package.js").Snapshot} Snapshot */
/** @typedef {import("../package.js").PlannedWave} PlannedWave */
/** @typedef {import("../package.js").Wave} Wave */

/** One wave, from its plan to its end. */
export class FollowedWave {
  /** @type {Wave | null} what the newest snapshot says */
  info = null;
  /** @type {string} a phase's name, "planned", "moved" or "taken back" */
  stands = "planned";
  /** Whether it has been in a snapshot. */
  begun = false;

  /** @param {PlannedWave} plan */
  constructor(plan) {
    this.from = plan.from;
    this.to = plan.to;
    this.ranges = plan.slots;
    this.slots = plan.slots.reduce((sum, range) => sum + range.end - range.start, 0);
  }

  /** @param {number} slot */
  has(slot) {
    return this.ranges.some((range) => range.start <= slot && slot < range.end);
  }

  get over() {
    return this.stands === "moved" || this.stands === "taken back";
  }
}

export class Waves {
  /** @type {FollowedWave[]} */
  list = [];
  /** The wave that was last worked on. @type {FollowedWave | null} */
  present = null;

  /** @param {PlannedWave[]} plans */
  planned(plans) {
    this.list = plans.map((plan) => new FollowedWave(plan));
    this.present = null;
  }

  /** The coordinator works on this wave now. @param {number | null} domain */
  at(domain) {
    const wave = domain === null ? undefined : this.list.find((wave) => wave.info?.domain === domain);
    if (wave) this.present = wave;
  }

  /** @param {Snapshot} snapshot @param {string} keyspace */
  follow(snapshot, keyspace) {
    const known = waves(snapshot, keyspace);
    for (const wave of this.list) {
      const info = known.find((info) => same(info, wave)) ?? null;
      if (info) {
        if (!wave.begun) this.present = wave;
        wave.begun = true;
        wave.stands = typeof info.phase === "string" ? info.phase : `ended-${info.phase.ended}`;
        wave.info = info;
      } else if (wave.begun && !wave.over) {
        wave.stands = wave.stands === "ended-to" ? "moved" : "taken back";
      }
    }
  }
}

/** @param {Wave} info @param {FollowedWave} wave */
function same(info, wave) {
  const [first] = wave.ranges;
  return info.from === wave.from && info.to === wave.to && info.slots[0]?.start === first?.start;
}
