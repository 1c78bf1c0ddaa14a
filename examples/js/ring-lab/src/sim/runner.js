// Carries the coordinator's commands to shards and to the topology store, with time between.

import { Coordinator } from "../package.js";

/** @typedef {import("./world.js").World} World */
/** @typedef {import("../package.js").Plan} Plan */
/** @typedef {import("../package.js").Do} Do */
/** @typedef {import("../package.js").Ending} Ending */

/** How the lab migrates: every phase, with soaks that one can watch. Milliseconds. */
export const SETTINGS = Object.freeze({
  strict: true,
  shadow_ppm: 400_000,
  shadow_ms: 120,
  verify: true,
  ramps_ppm: [250_000, 1_000_000],
  ramp_ms: 60,
  reversed_ms: 120,
  chunk_rows: 40,
  lag_rows_max: 4,
  checkpoint_chunks: 4,
  barrier_ms: 2_000,
  retry_ms: 20,
});

export class Runner {
  /** How it ended, once it has. @type {Ending | null} */
  ending = null;
  /** The command under way. @type {Do | null} */
  doing = null;
  #turn = 0;

  /** @param {World} world @param {number} term @param {Plan} plan */
  constructor(world, term, plan) {
    this.world = world;
    this.coordinator = new Coordinator(term, SETTINGS, plan, world.clock.ms);
    this.#go();
  }

  /** Everything goes back to where it began. @param {string} reason */
  rollBack(reason) {
    this.coordinator.rollBack(reason);
    if (!this.doing) this.#go();
  }

  #go() {
    const turn = ++this.#turn;
    const action = this.coordinator.poll();
    const { clock } = this.world;
    this.doing = null;
    if ("do" in action) {
      const doing = action.do;
      this.doing = doing;
      this.world.command(doing, (answer) => {
        this.coordinator.handleAnswer(clock.ms, doing.id, answer);
        this.world.commanded(doing, answer);
        this.#go();
      });
    } else if ("wait" in action) {
      clock.at(action.wait.until, () => {
        if (turn !== this.#turn) return;
        this.coordinator.handleTimeout(clock.ms);
        this.#go();
      });
    } else {
      const ending = /** @type {Ending} */ (action.over);
      this.ending = ending;
      this.world.over(ending);
    }
  }

  free() {
    this.#turn += 1;
    this.coordinator.free();
  }
}
