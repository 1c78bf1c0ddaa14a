// The table of shards: weights to change, and what each has and will have.

import { byId, count, make, percent, say } from "./dom.js";
import { shardColor } from "./palette.js";

/** @typedef {import("../state.js").Lab} Lab */
/**
 * One line of the table.
 * @typedef {{ id: number, name: string, weight: number, slots: number, after: number | null, tag: "" | "new" | "leaves" | "draining" }} Line
 */

export class ShardsPanel {
  #body = byId("shards", HTMLTableSectionElement);
  #add = byId("add", HTMLButtonElement);
  #discard = byId("discard", HTMLButtonElement);
  #placement = byId("placement", HTMLFieldSetElement);

  /** @param {Lab} lab */
  constructor(lab) {
    this.lab = lab;
    this.#add.addEventListener("click", () => lab.add());
    this.#discard.addEventListener("click", () => lab.discard());
    this.#placement.addEventListener("change", (event) => {
      const { value } = /** @type {HTMLInputElement} */ (event.target);
      lab.reset(value === "ring" ? "ring" : "balanced");
    });
  }

  show() {
    const { lab } = this;
    const lines = this.#lines();
    const ids = lines.map((line) => String(line.id));
    for (const row of [...this.#body.rows]) if (!ids.includes(row.dataset["id"] ?? "")) row.remove();
    for (const [at, line] of lines.entries()) {
      const row = [...this.#body.rows].find((row) => row.dataset["id"] === String(line.id)) ?? this.#row(line);
      if (this.#body.rows[at] !== row) this.#body.insertBefore(row, this.#body.rows[at] ?? null);
      this.#fill(row, line);
    }
    this.#add.disabled = !lab.canAdd;
    this.#discard.disabled = lab.changes === null;
    this.#placement.disabled = lab.world.migrating;
  }

  /** @returns {Line[]} */
  #lines() {
    const { lab } = this;
    const { snapshot } = lab.world;
    const { owners, ids, moves } = lab.picture;
    /** @type {Map<number, number>} */
    const now = new Map();
    /** @type {Map<number, number>} */
    const after = new Map();
    owners.forEach((index, slot) => {
      const id = ids[index] ?? 0;
      const to = moves?.[slot] ?? -1;
      now.set(id, (now.get(id) ?? 0) + 1);
      after.set(to < 0 ? id : to, (after.get(to < 0 ? id : to) ?? 0) + 1);
    });
    const wished = lab.plan !== null && moves !== null;
    const moving = lab.world.migrating;
    const line = (/** @type {number} */ id) => ({
      id,
      slots: now.get(id) ?? 0,
      after: wished || moving ? (after.get(id) ?? 0) : null,
    });
    /** @type {Line[]} */
    const lines = snapshot.shards.map((shard) => ({
      ...line(shard.id),
      name: shard.name,
      weight: lab.reweighted.get(shard.id) ?? shard.weight,
      tag: lab.removed.has(shard.id) ? "leaves" : shard.state === "draining" ? "draining" : "",
    }));
    for (const shard of lab.added) lines.push({ ...line(shard.id), ...shard, tag: "new" });
    return lines;
  }

  /** @param {Line} line */
  #row(line) {
    const row = make("tr");
    row.dataset["id"] = String(line.id);
    const weight = make("input", { class: "weight" });
    Object.assign(weight, { type: "number", min: "0", max: "100", step: "0.25" });
    weight.setAttribute("aria-label", `weight of ${line.name}`);
    weight.addEventListener("input", () => {
      const value = Number(weight.value);
      if (weight.value !== "" && value >= 0 && value <= 100) this.lab.reweigh(line.id, value);
    });
    const remove = make("button", { class: "quiet icon" });
    remove.type = "button";
    remove.addEventListener("click", () => {
      this.lab.toggleRemoved(line.id);
      if (!row.isConnected) this.#add.focus();
    });
    const swatch = make("span", { class: "swatch" });
    const bar = make("div", { class: "share-bar" }, make("i"));
    row.append(
      make("td", {}, swatch, make("span", { class: "shard-name", text: line.name }), make("span", { class: "tag" })),
      make("td", {}, weight),
      make("td", { class: "number" }, make("span"), make("small")),
      make("td", { class: "share" }, bar, make("span", { class: "share-text" }, make("span", { class: "before" }), make("span"))),
      make("td", { class: "number" }, remove),
    );
    return row;
  }

  /** @param {HTMLTableRowElement} row @param {Line} line */
  #fill(row, line) {
    const { lab } = this;
    const all = lab.owners.length;
    const find = (/** @type {string} */ what) => /** @type {HTMLElement} */ (row.querySelector(what));
    row.classList.toggle("leaving", line.tag === "leaves");
    find(".swatch").style.background = shardColor(line.id);
    say(find(".tag"), line.tag);
    find(".tag").hidden = line.tag === "";
    const weight = /** @type {HTMLInputElement} */ (find(".weight"));
    if (document.activeElement !== weight) weight.value = String(line.weight);
    weight.disabled = lab.world.migrating || line.tag === "leaves";
    say(find("td:nth-child(3) span"), count(line.slots));
    const change = line.after === null ? 0 : line.after - line.slots;
    say(find("td:nth-child(3) small"), change === 0 ? "" : `${change > 0 ? "+" : "−"}${count(Math.abs(change))}`);
    const shown = line.after ?? line.slots;
    const fill = find(".share-bar i");
    fill.style.width = `${(100 * shown) / all}%`;
    fill.style.background = shardColor(line.id);
    say(find(".share-text .before"), change === 0 ? "" : `${percent(line.slots, all)} → `);
    say(find(".share-text span:last-child"), percent(shown, all));
    const remove = /** @type {HTMLButtonElement} */ (find("button"));
    const back = line.tag === "leaves";
    say(remove, back ? "↺" : "✕");
    remove.title = `${back ? "Keep" : "Remove"} ${line.name}`;
    remove.setAttribute("aria-label", remove.title);
    remove.disabled = lab.world.migrating;
  }
}
