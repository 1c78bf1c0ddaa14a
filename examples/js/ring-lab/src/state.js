// What the reader has in hand: the cluster, and the changes that are wished but not begun.

import { fromTopology, plan } from "./package.js";
import { World } from "./sim/world.js";
import { SHARDS_MAX, giveColors } from "./view/palette.js";

/** @typedef {import("./package.js").Plan} Plan */
/** @typedef {import("./package.js").PlanLog} PlanLog */
/** @typedef {import("./package.js").Changes} Changes */
/** @typedef {import("./package.js").PlanFigures} PlanFigures */
/** @typedef {"balanced" | "ring"} Placement */
/** @typedef {{ id: number, name: string, weight: number }} NewShard */

const VNODES = 160;
const FIRST = ["a", "b", "c", "d"];
const SEED = 20;

export class Lab {
  /** @type {Placement} */
  placement = "balanced";
  /** @type {NewShard[]} */
  added = [];
  /** @type {Set<number>} */
  removed = new Set();
  /** @type {Map<number, number>} */
  reweighted = new Map();
  /** What is wished, planned by the package; null when nothing is, or it can't be. @type {{ figures: PlanFigures[], log: PlanLog, whole: Plan } | null} */
  plan = null;
  /** Why it can't be planned. */
  problem = "";
  /** What the other placement would move for the same wish. @type {PlanFigures | null} */
  otherwise = null;
  /** @type {World} */
  world;
  /** The highest shard number that was ever given. */
  #last = 0;
  /** @type {{ of: World["snapshot"], list: Uint16Array } | null} */
  #owners = null;
  /** @type {(() => void)[]} */
  #listeners = [];

  constructor() {
    this.world = this.#fresh();
  }

  /** @param {() => void} listener called when the wish, or the cluster, is another one */
  listen(listener) {
    this.#listeners.push(listener);
  }

  /** A fresh cluster. @param {Placement} [placement] */
  reset(placement = this.placement) {
    this.placement = placement;
    this.world.free();
    this.world = this.#fresh();
    this.discard();
  }

  get canAdd() {
    return !this.world.migrating && this.world.snapshot.shards.length + this.added.length < SHARDS_MAX;
  }

  add() {
    if (!this.canAdd) return;
    const id = ++this.#last;
    this.added.push({ id, name: nameOf(id), weight: 1 });
    this.#changed();
  }

  /** Removes a shard, or takes that back. @param {number} id */
  toggleRemoved(id) {
    if (this.world.migrating) return;
    if (this.added.some((shard) => shard.id === id)) {
      this.added = this.added.filter((shard) => shard.id !== id);
    } else if (!this.removed.delete(id)) this.removed.add(id);
    this.#changed();
  }

  /** @param {number} id @param {number} weight */
  reweigh(id, weight) {
    if (this.world.migrating) return;
    const added = this.added.find((shard) => shard.id === id);
    const present = this.world.snapshot.shards.find((shard) => shard.id === id);
    if (added) added.weight = weight;
    else if (present?.weight === weight) this.reweighted.delete(id);
    else this.reweighted.set(id, weight);
    this.#changed();
  }

  discard() {
    this.added = [];
    this.removed.clear();
    this.reweighted.clear();
    this.#changed();
  }

  /** Hands the plan to a coordinator. */
  start() {
    if (!this.plan || this.world.migrating) return false;
    this.world.migrate(this.plan.whole);
    this.plan.whole.free();
    [this.added, this.otherwise, this.plan] = [[], null, null];
    this.removed.clear();
    this.reweighted.clear();
    this.tell();
    return true;
  }

  /** The wish, as the package reads it; null when nothing is wished. @returns {Changes | null} */
  get changes() {
    const reweight = [...this.reweighted]
      .filter(([id]) => !this.removed.has(id))
      .map(([id, weight]) => ({ id, weight }));
    const remove = [...this.removed];
    if (this.added.length + remove.length + reweight.length === 0) return null;
    return { add: this.added, remove, reweight };
  }

  /** The shard index of each slot, by the map in force. */
  get owners() {
    const { snapshot, keyspace } = this.world;
    if (this.#owners?.of !== snapshot) this.#owners = { of: snapshot, list: snapshot.owners(keyspace) };
    return this.#owners.list;
  }

  /** Who has each slot, where the moving ones go, and the shards' names, for drawing. */
  get picture() {
    const { snapshot } = this.world;
    const { owners } = this;
    const names = new Map(snapshot.shards.map((shard) => [shard.id, shard.name]));
    for (const shard of this.added) names.set(shard.id, shard.name);
    const waves = this.world.migrating
      ? this.world.waves.list.filter((wave) => !wave.over).map((wave) => ({ to: wave.to, slots: wave.ranges }))
      : (this.plan?.log.planned ?? []);
    /** @type {Int32Array | null} */
    const moves = waves.length > 0 ? new Int32Array(owners.length).fill(-1) : null;
    const ids = snapshot.shards.map((shard) => shard.id);
    for (const wave of waves) {
      const there = ids.indexOf(wave.to);
      for (const { start, end } of wave.slots) {
        // What has arrived already moves no more.
        for (let slot = start; slot < end; slot++) if (moves && owners[slot] !== there) moves[slot] = wave.to;
      }
    }
    const present = this.world.migrating ? this.world.waves.present : null;
    return { owners, ids, names, moves, present: present ? (/** @type {number} */ slot) => present.has(slot) : null };
  }

  tell() {
    const ids = [...this.world.shownShards(), ...this.added.map((shard) => shard.id)];
    giveColors([...new Set(ids)]);
    for (const listener of this.#listeners) listener();
  }

  #changed() {
    this.plan?.whole.free();
    this.plan = null;
    this.problem = "";
    this.otherwise = null;
    const { changes } = this;
    if (changes) {
      try {
        const whole = plan(this.world.snapshot, changes);
        const log = /** @type {PlanLog} */ (/** @type {unknown} */ (whole.log));
        this.plan = { figures: whole.figures, log, whole };
        this.otherwise = this.#otherwise(changes);
      } catch (error) {
        this.problem = error instanceof Error ? error.message : String(error);
      }
    }
    this.tell();
  }

  /** The same wish for a fresh cluster of these shards under the other placement. @param {Changes} changes */
  #otherwise(changes) {
    const shards = this.world.snapshot.shards.map(({ id, name, weight }) => ({ id, name, weight }));
    const snapshot = fromTopology(topology(shards, this.placement === "ring" ? "balanced" : "ring"));
    try {
      const other = plan(snapshot, changes);
      const [figures] = other.figures;
      other.free();
      return figures ?? null;
    } finally {
      snapshot.free();
    }
  }

  #fresh() {
    const shards = FIRST.slice(0, 3).map((name, n) => ({ id: n + 1, name: `shard-${name}`, weight: 1 }));
    this.#last = shards.length;
    giveColors(shards.map((shard) => shard.id));
    return new World(fromTopology(topology(shards, this.placement)), SEED);
  }
}

/** @param {NewShard[]} shards @param {Placement} placement */
function topology(shards, placement) {
  return { cluster: "ring-lab", keyspaces: { orders: { placement: { [placement]: { vnodes: VNODES } } } }, shards };
}

/** @param {number} id from 1: shard-a, shard-b, and so on */
function nameOf(id) {
  const letters = "abcdefghijklmnopqrstuvwxyz";
  const round = Math.floor((id - 1) / letters.length);
  return `shard-${letters[(id - 1) % letters.length]}${round > 0 ? round + 1 : ""}`;
}
