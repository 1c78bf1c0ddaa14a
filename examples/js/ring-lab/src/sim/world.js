// The whole simulated cluster: shards, topology store, clients, and the messages between them.
// Time stands still until somebody moves the clock.

import { Chunks, MemoryShard, Router, TopologyRecord } from "../package.js";
import { audit } from "./audit.js";
import { LabClient } from "./client.js";
import { Clock } from "./clock.js";
import { labKeys } from "./keys.js";
import { Oracle } from "./oracle.js";
import { Random } from "./random.js";
import { Runner } from "./runner.js";
import { Waves } from "./waves.js";

/** @typedef {import("../package.js").Attempt} Attempt */
/** @typedef {import("../package.js").Content} Content */
/** @typedef {import("../package.js").Response} Response */
/** @typedef {import("../package.js").Outcome} Outcome */
/** @typedef {import("../package.js").Plan} Plan */
/** @typedef {import("../package.js").PlanLog} PlanLog */
/** @typedef {import("../package.js").Do} Do */
/** @typedef {import("../package.js").Answer} Answer */
/** @typedef {import("../package.js").Ending} Ending */
/** @typedef {import("../package.js").GuardRow} GuardRow */
/** @typedef {import("../package.js").Snapshot} Snapshot */

/**
 * A message on its way, for drawing.
 * @typedef {{
 *   sort: import("./call.js").Sort | "answer" | "refused" | "fetch" | "command" | "rows",
 *   from: Place, to: Place, left: number, due: number, count?: number,
 * }} Flight
 * @typedef {{ client: number } | { shard: number } | "topology"} Place
 */

/** @typedef {"commanded" | "swapped" | "over" | "lost"} Topic */

const CLIENTS = 4;
/** One way, in virtual milliseconds. */
const HOP_MS = { least: 5, most: 9 };

export class World {
  keyspace = "orders";
  clock = new Clock();
  oracle = new Oracle();
  chunks = new Chunks();
  waves = new Waves();
  figures = { reads: 0, writes: 0, retries: 0, refusals: 0, refreshes: 0, failures: 0, commands: 0, same: 0, different: 0 };
  /** @type {Set<Flight>} */
  flights = new Set();
  /** @type {Map<number, MemoryShard>} */
  shards = new Map();
  /** The migration under way, or the last one. @type {Runner | null} */
  runner = null;
  /** Whether mirrors forget every other write that they acknowledge: a fault, to see it found. */
  lying = false;
  #forgotten = 0;
  /** The failures that callers were told of. @type {string[]} */
  failures = [];
  /** What the last look at every acknowledged key has found. */
  audited = { checked: 0, unknown: 0 };
  keys = labKeys();
  /** The slot of each key. @type {Map<string, number>} */
  slots = new Map();
  /** The guard rows of each shard, as it last gave them. @type {Map<number, GuardRow[]>} */
  #guards = new Map();
  /** The keys that the present wave moves. @type {string[]} */
  #hot = [];
  /** @type {((topic: Topic, detail?: unknown) => void)[]} */
  #listeners = [];

  /** @param {Snapshot} snapshot @param {number} seed */
  constructor(snapshot, seed) {
    this.random = new Random(seed);
    this.topology = TopologyRecord.create(snapshot);
    /** The map in force. */
    this.snapshot = snapshot;
    this.router = new Router(snapshot);
    this.routes = this.router.keyspace(this.keyspace);
    for (const shard of snapshot.shards) this.addShard(shard.id);
    for (const [id, shard] of this.shards) shard.home(snapshot, id);
    for (const key of this.keys) this.slots.set(key, this.routes.describe(key).slot);
    this.clients = Array.from({ length: CLIENTS }, (_, n) => {
      return new LabClient(this, n, n < CLIENTS - 1, snapshot);
    });
    this.#fill();
    for (const client of this.clients) client.start();
  }

  /** @param {(topic: Topic, detail?: unknown) => void} listener */
  listen(listener) {
    this.#listeners.push(listener);
  }

  get migrating() {
    return this.runner !== null && this.runner.ending === null;
  }

  /** @param {number} id */
  addShard(id) {
    if (!this.shards.has(id)) this.shards.set(id, new MemoryShard());
  }

  /** The shards there are, and those that are about to join: by id. */
  shownShards() {
    const joining = this.migrating ? this.shards.keys() : [];
    const ids = new Set([...this.snapshot.shards.map((shard) => shard.id), ...joining]);
    return [...ids].sort((a, b) => a - b);
  }

  /** What a shard's guard holds of the present wave. @param {number} id */
  guardRow(id) {
    const domain = this.waves.present?.info?.domain;
    return this.#guards.get(id)?.find((row) => row.domain === domain);
  }

  /** @param {Plan} plan */
  migrate(plan) {
    const log = /** @type {PlanLog} */ (/** @type {unknown} */ (plan.log));
    for (const shard of log.enlist ?? []) this.addShard(shard.id);
    this.runner?.free();
    this.waves.planned(log.planned);
    this.runner = new Runner(this, this.topology.drawTerm(), plan);
  }

  /** A key for the next read or write: mostly one that is about to move. */
  pickKey() {
    return this.random.pick(this.#hot.length > 0 && this.random.chance(0.75) ? this.#hot : this.keys);
  }

  /**
   * Carries one attempt of a client to its shard, and the answer back.
   * @param {LabClient} client
   * @param {Uint8Array} key
   * @param {Attempt} attempt
   * @param {Content | null} content
   * @param {import("./call.js").Sort} sort
   * @param {(response: Response) => void} answered
   */
  deliver(client, key, attempt, content, sort, answered) {
    const [here, there] = [{ client: client.number }, { shard: attempt.shard }];
    if (sort === "retry") this.figures.retries += 1;
    this.#fly(sort, here, there, () => {
      const shard = this.shards.get(attempt.shard);
      /** @type {Response} */
      const response = shard
        ? this.#serve(shard, attempt, key, content)
        : { reply: { type: "failed", failure: "not_sent" } };
      const refused = response.reply.type === "refused";
      if (refused) this.figures.refusals += 1;
      this.#fly(refused ? "refused" : "answer", there, here, () => answered(response));
    });
  }

  /** A client fetches the map in force. @param {LabClient} client @param {(snapshot: Snapshot) => void} done */
  fetch(client, done) {
    const here = { client: client.number };
    this.#fly("fetch", here, "topology", () => {
      const { snapshot } = this;
      this.#fly("fetch", "topology", here, () => done(snapshot));
    });
  }

  /** The coordinator's command goes out, and its answer comes back. @param {Do} doing @param {(answer: Answer) => void} done */
  command({ command, shard: id }, done) {
    if (id === null) {
      this.clock.after(this.#hop(), () => {
        const answer = this.topology.command(command);
        if (answer === "swapped") this.#swapped();
        this.clock.after(this.#hop(), () => done(answer));
      });
      return;
    }
    const there = { shard: id };
    this.#fly("apply" in command ? "rows" : "command", "topology", there, () => {
      const shard = this.shards.get(id);
      const answer = shard ? shard.command(command, this.chunks) : "unreachable";
      this.#readGuards(id);
      this.#fly("changes" in command ? "rows" : "command", there, "topology", () => done(answer));
    });
  }

  /** @param {Do} doing @param {Answer} answer */
  commanded(doing, answer) {
    this.figures.commands += 1;
    this.waves.at(doing.wave);
    // Both shards have heard of the new phase: every key can be read by the newest map.
    if (doing.point.stage === "install-other") this.audit();
    this.#tell("commanded", { doing, answer });
  }

  /** @param {Ending} ending */
  over(ending) {
    this.#hot = [];
    this.audit();
    this.#tell("over", ending);
  }

  /** A caller was told that its operation failed. @param {string} key @param {Outcome} outcome */
  failed(key, outcome) {
    this.figures.failures += 1;
    this.failures.push(`${key}: ${"message" in outcome ? outcome.message : outcome.type}`);
  }

  /** A sampled read was compared on both sides of its wave. @param {string} key @param {import("../package.js").Compared} how */
  compared(key, how) {
    if (how === "same") this.figures.same += 1;
    else if (how !== "unsure") {
      this.figures.different += 1;
      this.failures.push(`${key}: the two sides differ (${how})`);
    }
  }

  /** Reads every key that has an acknowledged write, by the map in force, and judges it. */
  audit() {
    this.audited = audit(this);
    if (this.oracle.losses.length > 0) this.#tell("lost", this.oracle.losses);
  }

  free() {
    this.runner?.free();
    for (const client of this.clients) client.free();
    for (const shard of this.shards.values()) shard.free();
    this.chunks.free();
    this.router.free();
    this.topology.free();
    this.#listeners = [];
  }

  /**
   * @param {MemoryShard} shard @param {Attempt} attempt @param {Uint8Array} key @param {Content | null} content
   * @returns {Response}
   */
  #serve(shard, attempt, key, content) {
    if (this.lying && attempt.kind === "apply" && attempt.version !== null && ++this.#forgotten % 2 === 0) {
      return { reply: { type: "written", version: attempt.version } };
    }
    return shard.attempt(attempt, key, content);
  }

  #swapped() {
    const { snapshot } = this.topology;
    this.snapshot = snapshot;
    this.router.install(snapshot);
    this.waves.follow(snapshot, this.keyspace);
    const present = this.waves.present;
    this.#hot = present ? this.keys.filter((key) => present.has(this.slots.get(key) ?? -1)) : [];
    for (const client of this.clients.filter((client) => client.told)) {
      this.#fly("fetch", "topology", { client: client.number }, () => client.install(snapshot));
    }
    this.#tell("swapped", snapshot);
  }

  /** Every key gets its first row, through the clients, before anybody looks. */
  #fill() {
    this.keys.forEach((key, n) => {
      const client = /** @type {LabClient} */ (this.clients[n % CLIENTS]);
      client.write(key, `first ${n}`);
    });
    this.clock.advance(10_000, () => this.clients.some((client) => client.calls > 0));
    this.flights.clear();
    this.figures.writes = 0;
  }

  /** @param {number} id */
  #readGuards(id) {
    const answer = this.shards.get(id)?.command({ guards: { shard: id } }, this.chunks);
    if (typeof answer !== "object" || !("guards" in answer)) return;
    this.#guards.set(id, /** @type {GuardRow[]} */ (answer["guards"]));
  }

  #hop() {
    return this.random.between(HOP_MS.least, HOP_MS.most);
  }

  /** @param {Flight["sort"]} sort @param {Place} from @param {Place} to @param {() => void} arrived */
  #fly(sort, from, to, arrived) {
    const left = this.clock.now;
    const flight = { sort, from, to, left, due: left + this.#hop() };
    this.flights.add(flight);
    this.clock.at(flight.due, () => {
      this.flights.delete(flight);
      arrived();
    });
  }

  /** @param {Topic} topic @param {unknown} [detail] */
  #tell(topic, detail) {
    for (const listener of this.#listeners) listener(topic, detail);
  }
}
