// The figures of the traffic; "lost" is what the page's own oracle has found.

import { byId, count, make, say } from "./dom.js";

/** @typedef {import("../sim/world.js").World} World */

/** @type {[string, string, (world: World) => number, string][]} id, name, value, explanation */
const COUNTERS = [
  ["reads", "reads", (world) => world.figures.reads, "reads begun by clients"],
  ["writes", "writes", (world) => world.figures.writes, "puts and deletes begun by clients"],
  ["refusals", "refusals", (world) => world.figures.refusals, "requests that a shard's guard refused"],
  ["retries", "retries", (world) => world.figures.retries, "requests sent again after a refusal"],
  ["refreshes", "refreshes", (world) => world.figures.refreshes, "maps fetched because a shard refused"],
  ["compared", "compared", (world) => world.figures.same + world.figures.different, "sampled reads that shadow-read has compared on both sides"],
  ["judged", "judged", (world) => world.oracle.reads, "reads compared with every acknowledged write, the audits of all keys after each phase among them"],
  ["failures", "failed", (world) => world.figures.failures + world.figures.different, "operations that failed for their caller, and comparisons that found a difference"],
  ["lost", "lost", (world) => world.oracle.losses.length, "acknowledged writes that a later read didn't see"],
];

export class Counters {
  /** @type {Map<string, HTMLElement>} */
  #values = new Map();

  constructor() {
    const list = byId("counters", HTMLDListElement);
    for (const [id, name, , title] of COUNTERS) {
      const value = make("dd", { text: "0" });
      const box = make("div", { title }, make("dt", { text: name }), value);
      box.dataset["counter"] = id;
      list.append(box);
      this.#values.set(id, value);
    }
  }

  /** @param {World} world */
  show(world) {
    for (const [id, , value] of COUNTERS) {
      const element = this.#values.get(id);
      const now = value(world);
      if (!element) continue;
      say(element, count(now));
      if (id === "lost" || id === "failures") {
        element.parentElement?.classList.toggle("bad", now > 0);
        element.parentElement?.classList.toggle("good", now === 0);
      }
    }
  }
}
