// A client of the simulated cluster: its own map, its own refresh gate, and its share of traffic.

import { RefreshGate, Router } from "../package.js";
import { Call } from "./call.js";

/** @typedef {import("./world.js").World} World */
/** @typedef {import("../package.js").Attempt} Attempt */
/** @typedef {import("../package.js").Content} Content */
/** @typedef {import("../package.js").Response} Response */
/** @typedef {import("../package.js").Snapshot} Snapshot */

const text = { encode: new TextEncoder(), decode: new TextDecoder() };
/** Two refreshes that found nothing new are about so far apart. */
const REFRESH_GAP_MS = 10;
/** Calls that one client has under way at most. */
const CALLS_MAX = 4;

export class LabClient {
  /** Reads and writes that are under way. */
  calls = 0;
  /** Whether it is fetching a map. */
  fetching = false;
  /** Maps that it has fetched because a shard refused it. */
  refreshes = 0;
  #operations = 0;
  /** @type {(() => void)[]} calls that wait for the fetch under way */
  #joined = [];

  /**
   * @param {World} world
   * @param {number} number from 0
   * @param {boolean} told whether it is told of new maps; if not, it learns from refusals only
   * @param {Snapshot} snapshot
   */
  constructor(world, number, told, snapshot) {
    this.world = world;
    this.clock = world.clock;
    this.number = number;
    this.told = told;
    this.name = told ? `client ${number + 1}` : `client ${number + 1}, not told`;
    this.router = new Router(snapshot);
    this.keyspace = this.router.keyspace(world.keyspace);
    this.gate = new RefreshGate(snapshot.epoch, REFRESH_GAP_MS, number + 1);
  }

  get epoch() {
    return this.router.epoch;
  }

  policy() {
    return { deadlineMs: 5_000, attemptMs: 1_000, seed: this.number * 1_000_003 + this.#operations };
  }

  /** Begins to send traffic, and goes on for good. */
  start() {
    const { random } = this.world;
    const gap = (this.told ? 11 : 40) * -Math.log(1 - random.next());
    this.clock.after(4 + gap, () => {
      if (this.calls < CALLS_MAX) this.#one();
      this.start();
    });
  }

  #one() {
    const { random } = this.world;
    const key = this.world.pickKey();
    if (random.chance(0.5)) this.read(key);
    else this.write(key, random.chance(0.06) ? null : `${this.number}.${this.#operations}`);
  }

  /** @param {string} key */
  read(key) {
    const { oracle, figures } = this.world;
    const reading = oracle.reading(key);
    figures.reads += 1;
    this.calls += 1;
    new Call(this, key, null, (outcome, found) => {
      this.calls -= 1;
      if (outcome.type === "missing") oracle.read(reading, null);
      else if (outcome.type === "value" && found?.value) {
        oracle.read(reading, { version: outcome.version, value: text.decode.decode(found.value) });
      } else this.world.failed(key, outcome);
    });
  }

  /** @param {string} key @param {string | null} value null: a delete */
  write(key, value) {
    const { oracle, figures } = this.world;
    oracle.writing(key, value);
    figures.writes += 1;
    this.calls += 1;
    const change =
      value === null
        ? /** @type {const} */ ({ type: "delete" })
        : /** @type {const} */ ({ type: "put", value: text.encode.encode(value) });
    new Call(this, key, { op: this.#operationKey(), change }, (outcome) => {
      this.calls -= 1;
      if (outcome.type === "written") oracle.written(key, outcome.version, value);
      else this.world.failed(key, outcome);
    });
  }

  /**
   * Sends an attempt to its shard; without `answered`, nobody waits for what comes back.
   * @param {string} key
   * @param {Attempt} attempt
   * @param {Content | null} content
   * @param {import("./call.js").Sort} sort
   * @param {(response: Response) => void} [answered]
   */
  send(key, attempt, content, sort, answered = () => {}) {
    this.world.deliver(this, text.encode.encode(key), attempt, content, sort, answered);
  }

  /**
   * Gets a map past that epoch, one fetch for all calls that want one.
   * @param {number} newerThan
   * @param {() => void} done
   */
  refresh(newerThan, done) {
    const step = this.gate.want(this.clock.ms, newerThan);
    switch (step.type) {
      case "in-hand":
        this.clock.after(0, done);
        return;
      case "join":
        this.#joined.push(done);
        return;
      case "wait":
        this.clock.at(step.until, done);
        return;
      case "fetch":
        this.fetching = true;
        this.refreshes += 1;
        this.world.figures.refreshes += 1;
        this.world.fetch(this, (snapshot) => {
          this.fetching = false;
          this.install(snapshot);
          done();
          for (const join of this.#joined.splice(0)) join();
        });
    }
  }

  /** Takes a map that came, by push or by fetch. @param {Snapshot} snapshot */
  install(snapshot) {
    if (snapshot.epoch > this.epoch) this.router.install(snapshot);
    this.gate.fetched(this.clock.ms, this.epoch);
  }

  /** 16 bytes that name one write for good. */
  #operationKey() {
    const key = new Uint8Array(16);
    const view = new DataView(key.buffer);
    view.setUint32(0, this.number + 1, true);
    view.setUint32(8, ++this.#operations, true);
    return key;
  }

  free() {
    this.router.free();
  }
}
