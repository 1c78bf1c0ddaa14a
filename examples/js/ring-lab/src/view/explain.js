// Why a key is where it is: the package's own explanation, step by step.

import { byId, count, make } from "./dom.js";

/** @typedef {import("../state.js").Lab} Lab */
/** @typedef {import("../package.js").Explanation} Explanation */

const decode = new TextDecoder();

export class Explain {
  #key = byId("key", HTMLInputElement);
  #map = byId("map", HTMLSelectElement);
  #box = byId("explanation", HTMLDivElement);
  #shown = "";
  #epoch = 0;

  /**
   * @param {Lab} lab
   * @param {(dot: { key: string, slot: number } | null, words: string) => void} found where the key is on the ring
   */
  constructor(lab, found) {
    this.lab = lab;
    this.found = found;
    this.#key.addEventListener("input", () => this.show());
    this.#map.addEventListener("change", () => this.show());
  }

  focus() {
    this.#key.focus();
    this.#key.select();
  }

  /** Explains this key. @param {string} key */
  choose(key) {
    if (this.#key.value === key) return;
    this.#key.value = key;
    this.show();
  }

  /** The maps to choose from. */
  offer() {
    const names = ["the topology store (newest)", ...this.lab.world.clients.map((client) => client.name)];
    if (this.#map.options.length === names.length) return;
    this.#map.replaceChildren(...names.map((name, n) => new Option(name, String(n))));
  }

  /** Explains anew where the map that is asked is another one. */
  frame() {
    if (this.#source.epoch !== this.#epoch) this.show();
  }

  /** Whose map is asked. */
  get #source() {
    const { world } = this.lab;
    const client = world.clients[Number(this.#map.value) - 1];
    return client ? { routes: client.keyspace, epoch: client.epoch } : { routes: world.routes, epoch: world.snapshot.epoch };
  }

  show() {
    const key = this.#key.value;
    const { routes, epoch } = this.#source;
    this.#epoch = epoch;
    try {
      const explanation = routes.explain(key);
      const to = this.lab.picture.moves?.[explanation.slot] ?? -1;
      const goes = to < 0 ? "stays" : `moves to ${this.lab.picture.names.get(to) ?? `shard ${to}`}`;
      const text = JSON.stringify([key, this.#map.value, explanation, goes], (_, value) =>
        typeof value === "bigint" ? String(value) : value,
      );
      // A reader's selection outlives what doesn't change.
      if (text === this.#shown) return;
      this.#shown = text;
      const words = sentence(key, explanation);
      this.#box.replaceChildren(steps(explanation, goes), make("p", { class: "sentence", text: words }));
      this.found({ key, slot: explanation.slot }, words);
    } catch (error) {
      const words = error instanceof Error ? error.message : String(error);
      if (words === this.#shown) return;
      this.#shown = words;
      this.#box.replaceChildren(make("p", { class: "error", text: `This key can't be routed: ${words}.` }));
      this.found(null, words);
    }
  }
}

/** @param {Explanation} explanation @param {string} goes */
function steps(explanation, goes) {
  const { ramp } = explanation;
  const part = decode.decode(new Uint8Array(explanation.routingPart));
  /** @type {[string, string, string, string][]} id, name, value, class of the value */
  const list = [
    ["routing-part", "routing part", part === "" ? "(empty)" : part, "mono"],
    ["hash", "hash", explanation.hash, "mono"],
    ["slot", `slot, of ${count(explanation.slots)}`, count(explanation.slot), ""],
    ["pinned", "override", explanation.pinned ? "yes: pinned" : "none", ""],
    ["domain", "fencing domain", `${explanation.domain} at epoch ${explanation.domainEpoch}`, ""],
    ["phase", "phase", phaseWords(explanation.phase, ramp), ""],
    ["authority", "authority (orders writes)", explanation.authority, ""],
    ["mirror", "mirror (gets them too)", mirrorWords(explanation), ""],
    ["reads", "reads come from", explanation.reads.join(", then "), ""],
    ["goes", "with the planned change", goes, ""],
  ];
  const box = make("dl", { class: "steps" });
  for (const [id, name, value, look] of list) {
    const step = make("div", {}, make("dt", { text: name }), make("dd", { text: value, class: look }));
    if (id === "authority") step.className = "key-step";
    step.dataset["step"] = id;
    box.append(step);
  }
  return box;
}

/** @param {string | null} phase @param {Explanation["ramp"]} ramp */
function phaseWords(phase, ramp) {
  if (phase === null) return "at rest";
  if (ramp === null) return phase;
  return `${phase}, ${ramp[1] ? "inside" : "outside"} the ramp of ${ramp[0] / 10_000} %`;
}

/** @param {Explanation} explanation */
function mirrorWords({ mirror, strict }) {
  if (mirror === null) return "none";
  return strict ? `${mirror}, before the answer` : `${mirror}, after the answer`;
}

/** @param {string} key @param {Explanation} explanation */
function sentence(key, { authority, mirror, reads, slot, epoch, phase }) {
  const moving = phase === null ? "" : ` Its slot is moving: ${phase}.`;
  const too = mirror === null ? "" : ` and then ${mirror}`;
  return `By the map of epoch ${epoch}, “${key}” is in slot ${count(slot)}: writes go to ${authority}${too}, reads to ${reads.join(", then ")}.${moving}`;
}
