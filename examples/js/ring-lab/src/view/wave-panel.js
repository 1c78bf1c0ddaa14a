// The wave at work: the package's own phase table, and what the guards of its two shards hold.

import { byId, make, say } from "./dom.js";
import { nameOf } from "./lanes.js";
import { shardColor } from "./palette.js";

/** @typedef {import("../sim/world.js").World} World */
/** @typedef {import("../package.js").PhaseRow} PhaseRow */

const LOG_LINES = 60;

export class WavePanel {
  #name = byId("wave-name", HTMLSpanElement);
  #phases = byId("phases", HTMLTableSectionElement);
  #guards = byId("guards", HTMLTableSectionElement);
  #log = byId("log", HTMLOListElement);

  /** @param {PhaseRow[]} phases as the package has them */
  constructor(phases) {
    for (const phase of phases) {
      const row = make("tr", {}, make("td"), make("td", { text: writes(phase) }), make("td", { text: reads(phase) }));
      row.dataset["phase"] = phase.name;
      row.cells[0]?.append(make("span", { text: phase.name }));
      this.#phases.append(row);
    }
    for (const side of ["from", "to"]) {
      const swatch = make("span", { class: "swatch" });
      const row = make("tr", {}, make("td", {}, swatch, make("span"), make("span", { class: "tag", text: side })));
      for (let cell = 0; cell < 3; cell++) row.append(make("td"));
      row.append(make("td", { class: "number" }));
      row.dataset["side"] = side;
      this.#guards.append(row);
    }
  }

  /** @param {World} world */
  show(world) {
    const wave = world.migrating ? world.waves.present : null;
    const names = new Map(world.snapshot.shards.map((shard) => [shard.id, shard.name]));
    const name = (/** @type {number} */ id) => names.get(id) ?? `#${id}`;
    say(this.#name, wave ? `${name(wave.from)} → ${name(wave.to)}` : "none");
    for (const row of this.#phases.rows) {
      const { phase } = row.dataset;
      const here = wave?.stands === phase;
      if (here) row.setAttribute("aria-current", "step");
      else row.removeAttribute("aria-current");
      const ramp = here && phase === "read-new" ? ` at ${(wave?.info?.ramp_ppm ?? 0) / 10_000} %` : "";
      const label = row.cells[0]?.querySelector("span");
      if (label) say(label, `${phase}${ramp}`);
    }
    for (const row of this.#guards.rows) {
      const id = wave ? (row.dataset["side"] === "from" ? wave.from : wave.to) : null;
      const guard = id === null ? undefined : world.guardRow(id);
      const [first, role, epoch, writes, rows] = row.cells;
      if (!first || !role || !epoch || !writes || !rows) continue;
      const swatch = /** @type {HTMLElement} */ (first.children[0]);
      swatch.style.background = id === null ? "transparent" : shardColor(id);
      say(/** @type {Element} */ (first.children[1]), id === null ? "–" : name(id));
      say(role, guard?.role ?? "–");
      say(epoch, guard ? String(guard.epoch) : "–");
      say(writes, guard ? (guard.closed ? "closed" : "open") : "–");
      writes.classList.toggle("closed", guard?.closed ?? false);
      say(rows, id === null ? "–" : String(world.shards.get(id)?.rows ?? 0));
    }
  }

  /** One command more. @param {import("../package.js").Do} doing @param {import("../package.js").Answer} answer */
  log(doing, answer) {
    const point = `${nameOf(doing.point.goal)} / ${doing.point.stage}`;
    this.#log.prepend(make("li", {}, make("span", { text: point }), make("span", { text: told(answer) })));
    while (this.#log.children.length > LOG_LINES) this.#log.lastChild?.remove();
  }

  clear() {
    this.#log.replaceChildren();
  }
}

/** Said from the roles that the package gives each side. @param {PhaseRow} phase */
function writes(phase) {
  const { authority, carved } = phase;
  if (!carved) return `${authority}`;
  const other = authority === "from" ? "to" : "from";
  return phase[other] === "none" ? authority : `${authority}, then ${other}`;
}

/** @param {PhaseRow} phase */
function reads(phase) {
  const { authority, carved } = phase;
  const other = authority === "from" ? "to" : "from";
  const readable = carved && phase[other] === "readable-mirror";
  return readable ? `${other} in the ramp, else ${authority}` : authority;
}

/** An answer in a few words. @param {import("../package.js").Answer} answer */
function told(answer) {
  if (typeof answer === "string") return answer;
  const [[what, content]] = /** @type {[[string, unknown]]} */ (Object.entries(answer));
  if (what === "changes" || what === "removed") return `${/** @type {{ rows: number }} */ (content).rows} rows`;
  if (what === "refused") return `refused: ${Object.keys(/** @type {object} */ (content))[0]}`;
  if (typeof content === "number" || typeof content === "bigint") return `${what} ${content}`;
  return what;
}
