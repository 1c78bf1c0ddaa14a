// Moves the simulation's clock: plays, pauses, and plays on to the next command or phase.

/** @typedef {import("./sim/world.js").World} World */

/** Virtual milliseconds of one real second at speed 1. */
const RATE = 30;
/** Real milliseconds of work in one frame at most. */
const BUDGET_MS = 12;

export class Player {
  playing = false;
  speed = 1;
  /** Plays until this is so, then pauses. @type {(() => boolean) | null} */
  #goal = null;
  #last = 0;
  /** @type {() => void} */
  #changed;

  /** @param {() => World} world @param {() => void} changed called when it starts or stops */
  constructor(world, changed) {
    this.world = world;
    this.#changed = changed;
  }

  play() {
    this.#goal = null;
    this.#set(true);
  }

  pause() {
    this.#goal = null;
    this.#set(false);
  }

  /** Plays on until `reached`, then pauses. @param {() => boolean} reached */
  playUntil(reached) {
    this.#goal = reached;
    this.#set(true);
  }

  /** One frame; `at` in real milliseconds. @param {number} at */
  frame(at) {
    const passed = Math.min(100, at - this.#last);
    this.#last = at;
    if (!this.playing) return;
    const { clock } = this.world();
    const began = performance.now();
    const until = clock.now + (passed / 1000) * RATE * this.speed;
    const goal = this.#goal;
    let reached = false;
    clock.advance(until, () => {
      reached = goal?.() ?? false;
      return !reached && performance.now() - began < BUDGET_MS;
    });
    if (reached) this.pause();
  }

  /** @param {boolean} playing */
  #set(playing) {
    if (this.playing === playing) return;
    this.playing = playing;
    this.#changed();
  }
}
