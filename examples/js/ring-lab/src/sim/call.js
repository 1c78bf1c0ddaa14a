// One read or write on its way: polls the package's Operation and does what it says. It decides
// nothing; it sends, waits, and hands back what came.

import { Operation } from "../package.js";
import { compare } from "./comparison.js";

/** @typedef {import("./client.js").LabClient} LabClient */
/** @typedef {import("../package.js").Attempt} Attempt */
/** @typedef {import("../package.js").Outcome} Outcome */
/** @typedef {import("../package.js").Content} Content */
/** @typedef {import("../package.js").Found} Found */

/** What a message is drawn as. @typedef {"read" | "write" | "mirror" | "repair" | "retry" | "compare"} Sort */

export class Call {
  /** @type {Map<number, Found>} what replies have brought, by attempt */
  #found = new Map();
  /** @type {Attempt | null} */
  #inFlight = null;
  /** What is waited for now; an older wait that ends is late and changes nothing. */
  #waiting = 0;
  #refused = false;
  #operation;

  /**
   * @param {LabClient} client
   * @param {string} key
   * @param {Content | null} own what to write, or null for a read
   * @param {(outcome: Outcome, found: Found | null) => void} done
   */
  constructor(client, key, own, done) {
    this.client = client;
    this.key = key;
    this.own = own;
    this.done = done;
    const begin = own ? Operation.write : Operation.read;
    this.#operation = begin(client.keyspace, key, client.policy(), client.clock.ms);
    this.#go();
  }

  #go() {
    const { clock } = this.client;
    for (;;) {
      const step = this.#operation.poll();
      switch (step.type) {
        case "send":
          if (step.attempt.blocking) this.#inFlight = step.attempt;
          else this.client.send(this.key, step.attempt, this.#content(step.attempt), this.#sort(step.attempt));
          break;
        case "refresh": {
          const wait = this.#operation.poll();
          const until = wait.type === "wait" ? wait.until : clock.ms;
          const turn = this.#wait(until, () => this.#operation.handleTimeout(clock.ms));
          this.client.refresh(step.newerThan, () =>
            turn(() => this.#operation.handleSnapshot(clock.ms, this.client.keyspace, this.key)),
          );
          return;
        }
        case "wait":
          if (this.#inFlight) this.#send(this.#inFlight, step.until);
          else {
            this.#wait(step.until, () => {
              this.#operation.handleSnapshot(clock.ms, this.client.keyspace, this.key);
              this.#operation.handleTimeout(clock.ms);
            });
          }
          return;
        case "done": {
          const { outcome } = step;
          const carrier = outcome.type === "value" ? this.#found.get(outcome.from) : undefined;
          const shadow = this.own ? null : this.#operation.shadow(this.client.policy(), clock.ms);
          this.#operation.free();
          if (shadow) compare(this.client, this.key, shadow);
          this.done(outcome, carrier ?? null);
          return;
        }
      }
    }
  }

  /** @param {Attempt} attempt @param {number} until */
  #send(attempt, until) {
    const { clock } = this.client;
    this.#inFlight = null;
    const turn = this.#wait(until, () => this.#operation.handleTimeout(clock.ms));
    const sort = this.#sort(attempt);
    this.client.send(this.key, attempt, this.#content(attempt), sort, (response) =>
      turn(() => {
        this.#refused = response.reply.type === "refused";
        if (response.found) this.#found.set(attempt.id, response.found);
        this.#operation.handleReply(clock.ms, attempt.id, response.reply);
      }),
    );
  }

  /**
   * Waits for one of two things: what the answer calls, or `until`.
   * @param {number} until
   * @param {() => void} late
   * @returns {(news: () => void) => void} hands news in, unless it is too late
   */
  #wait(until, late) {
    const mine = ++this.#waiting;
    /** @param {() => void} work */
    const first = (work) => {
      if (mine !== this.#waiting) return;
      this.#waiting += 1;
      cancel();
      work();
      this.#go();
    };
    const cancel = this.client.clock.at(until, () => first(late));
    return first;
  }

  /** @param {Attempt} attempt @returns {Content | null} what goes with it */
  #content(attempt) {
    if (attempt.kind === "read") return null;
    const found = attempt.foundBy === null ? undefined : this.#found.get(attempt.foundBy);
    return found ? { op: found.op, row: found } : this.own;
  }

  /** @param {Attempt} attempt @returns {Sort} */
  #sort(attempt) {
    if (this.#refused) return "retry";
    if (attempt.kind === "apply") return attempt.foundBy === null ? "mirror" : "repair";
    return attempt.kind === "read" ? "read" : "write";
  }
}
