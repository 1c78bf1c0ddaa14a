// Reads every acknowledged key at once, without time passing, as a client with the newest map
// would, and lets the oracle judge what is found.

import { Operation, Router } from "../package.js";

/** @typedef {import("./world.js").World} World */

const text = { encode: new TextEncoder(), decode: new TextDecoder() };
/** A read that isn't done by then meets a shard that hasn't heard of the newest map yet. */
const STEPS_MAX = 12;

/** @param {World} world @returns {{ checked: number, unknown: number }} */
export function audit(world) {
  const router = new Router(world.snapshot);
  const keyspace = router.keyspace(world.keyspace);
  const result = { checked: 0, unknown: 0 };
  for (const key of world.oracle.keys()) {
    const reading = world.oracle.reading(key);
    const found = readNow(world, keyspace, key);
    if (found === undefined) result.unknown += 1;
    else {
      world.oracle.read(reading, found);
      result.checked += 1;
    }
  }
  router.free();
  return result;
}

/**
 * @param {World} world
 * @param {import("../package.js").Keyspace} keyspace
 * @param {string} key
 * @returns {{ version: bigint, value: string } | null | undefined} undefined: not to be had now
 */
function readNow(world, keyspace, key) {
  const now = world.clock.ms;
  const operation = Operation.read(keyspace, key, { attemptMs: 0 }, now);
  /** @type {Map<number, import("../package.js").Found>} */
  const brought = new Map();
  const bytes = text.encode.encode(key);
  try {
    for (let steps = 0; steps < STEPS_MAX; steps++) {
      const step = operation.poll();
      if (step.type === "send") {
        const { attempt } = step;
        // What a read would repair on the way is left to real clients.
        if (attempt.kind !== "read") return undefined;
        const response = world.shards.get(attempt.shard)?.attempt(attempt, bytes, null);
        if (!response) return undefined;
        if (response.found) brought.set(attempt.id, response.found);
        operation.handleReply(now, attempt.id, response.reply);
      } else if (step.type === "done") {
        const { outcome } = step;
        if (outcome.type === "missing") return null;
        const found = outcome.type === "value" ? brought.get(outcome.from) : undefined;
        if (outcome.type !== "value" || !found?.value) return undefined;
        return { version: outcome.version, value: text.decode.decode(found.value) };
      } else return undefined;
    }
    return undefined;
  } finally {
    operation.free();
  }
}
