// What a wish would move, beside the least that any plan could and what `hash % N` would; and the
// waves, as planned and as they go.

import { byId, count, make, percent, say } from "./dom.js";
import { shardColor } from "./palette.js";

/** @typedef {import("../state.js").Lab} Lab */
/** @typedef {import("../package.js").PlanFigures} PlanFigures */
/** @typedef {import("../sim/waves.js").FollowedWave} FollowedWave */
/** @typedef {{ id: string, words: string, slots: number | null, sort: "ours" | "bad" | "" }} Bar */

export class PlanPanel {
  #status = byId("plan-status", HTMLParagraphElement);
  #bars = byId("plan-bars", HTMLDivElement);
  #waves = byId("plan-waves", HTMLOListElement);
  #start = byId("start", HTMLButtonElement);
  #words = "hash % N";
  /** The figures of the migration under way stay to be read. @type {{ figures: PlanFigures, other: PlanFigures | null } | null} */
  #kept = null;

  /** @param {Lab} lab @param {string[]} phases in their order @param {() => void} start */
  constructor(lab, phases, start) {
    this.lab = lab;
    this.phases = phases;
    this.#start.addEventListener("click", start);
  }

  show() {
    const { lab } = this;
    const figures = lab.plan?.figures[0];
    if (figures) this.#kept = { figures, other: lab.otherwise };
    else if (!lab.world.migrating) this.#kept = null;
    this.#start.disabled = !lab.plan || lab.world.migrating;
    say(this.#status, this.#sentence(figures));
    this.#status.classList.toggle("bad", lab.problem !== "");
    this.#showBars();
    this.#showWaves();
  }

  /** @param {PlanFigures | undefined} figures */
  #sentence(figures) {
    const { lab } = this;
    if (lab.problem) return `That can't be planned: ${lab.problem}.`;
    if (lab.world.migrating) return "Under way. When it is over, change the shards again.";
    if (!figures) return "Add, remove or reweight a shard, and see what moves.";
    const { slots_moved: moved, slots, waves } = figures;
    return `${count(moved)} of ${count(slots)} slots move (${percent(moved, slots)}), in ${waves} ${waves === 1 ? "wave" : "waves"}.`;
  }

  /** `hash % N` knows how many shards there are, and nothing of their weights. */
  #modulo() {
    const { lab } = this;
    if (!lab.plan) return this.#kept ? this.#words : "hash % N";
    const now = lab.world.snapshot.shards.length;
    this.#words = `hash % N, from ${now} to ${now + lab.added.length - lab.removed.size}, without weights`;
    return this.#words;
  }

  #showBars() {
    const kept = this.#kept;
    const other = this.lab.placement === "ring" ? "balanced" : "ring";
    /** @type {Bar[]} */
    const bars = [
      { id: "moved", words: `this plan (${this.lab.placement})`, slots: kept?.figures.slots_moved ?? null, sort: "ours" },
      { id: "least", words: "the least any plan could, for exact shares", slots: kept?.figures.slots_least ?? null, sort: "" },
      { id: "other", words: `a fresh cluster placed by ${other}`, slots: kept?.other?.slots_moved ?? null, sort: "" },
      { id: "modulo", words: this.#modulo(), slots: kept?.figures.slots_modulo ?? null, sort: "bad" },
    ];
    const all = kept?.figures.slots ?? 1;
    for (const bar of bars) {
      const box = this.#bars.querySelector(`[data-figure="${bar.id}"]`) ?? this.#bar(bar);
      const [words, figure] = box.querySelectorAll("span");
      const fill = box.querySelector("i");
      if (!words || !figure || !fill) continue;
      say(words, bar.words);
      say(figure, bar.slots === null ? "–" : `${count(bar.slots)} · ${percent(bar.slots, all)}`);
      figure.dataset["slots"] = String(bar.slots ?? "");
      fill.style.width = `${(100 * (bar.slots ?? 0)) / all}%`;
    }
  }

  /** @param {Bar} bar */
  #bar(bar) {
    const head = make("div", { class: "bar-head" }, make("span"), make("span"));
    const box = make("div", { class: `bar ${bar.sort}` }, head, make("div", { class: "bar-track" }, make("i")));
    box.dataset["figure"] = bar.id;
    this.#bars.append(box);
    return box;
  }

  #showWaves() {
    const { lab } = this;
    const { list, present } = lab.world.waves;
    const names = lab.picture.names;
    const planned = lab.plan?.log.planned.map((wave) => ({
      from: wave.from,
      to: wave.to,
      slots: wave.slots.reduce((sum, { start, end }) => sum + end - start, 0),
      stands: "planned",
    }));
    const shown = planned ?? list;
    if (shown.length === 0) {
      this.#waves.replaceChildren(make("li", { class: "empty", text: "A wave moves slots from one shard to another." }));
      return;
    }
    const lines = shown.map((wave) => this.#wave(wave, names, !planned && wave === present && lab.world.migrating));
    this.#waves.replaceChildren(...lines);
  }

  /** @param {{ from: number, to: number, slots: number, stands: string }} wave @param {Map<number, string>} names @param {boolean} current */
  #wave(wave, names, current) {
    const name = (/** @type {number} */ id) => {
      const swatch = make("span", { class: "swatch" });
      swatch.style.background = shardColor(id);
      return [swatch, (names.get(id) ?? `#${id}`).replace("shard-", "")];
    };
    const where = make("span", { class: "where" }, ...name(wave.from), " → ", ...name(wave.to));
    const track = make("span", { class: "track" });
    const shown = this.phases.filter((phase) => phase !== "ended-from");
    const at = wave.stands === "moved" ? shown.length : shown.indexOf(wave.stands);
    for (const [n, phase] of shown.entries()) {
      track.append(make("i", { class: n < at ? "past" : n === at ? "here" : "", title: phase }));
    }
    const stands = wave.stands === "planned" ? count(wave.slots) : wave.stands;
    const line = make("li", {}, where, track, make("span", { class: "stands", text: stands }));
    line.title = `${count(wave.slots)} slots`;
    if (current) line.setAttribute("aria-current", "step");
    return line;
  }
}
