// The oracle must be able to say no; otherwise its "0 lost" means nothing.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Clock } from "../src/sim/clock.js";
import { Oracle } from "../src/sim/oracle.js";

test("a read that sees an older version than was acknowledged is a loss", () => {
  const oracle = new Oracle();
  oracle.written("k", 5n, "new");
  assert.equal(oracle.read(oracle.reading("k"), { version: 4n, value: "old" }), false);
  assert.equal(oracle.losses.length, 1);
});

test("a read that finds nothing where a value was acknowledged is a loss", () => {
  const oracle = new Oracle();
  oracle.written("k", 5n, "new");
  assert.equal(oracle.read(oracle.reading("k"), null), false);
  assert.equal(oracle.losses[0].key, "k");
});

test("another value under an acknowledged version, and one version for two writes, are losses", () => {
  const oracle = new Oracle();
  oracle.written("k", 5n, "mine");
  assert.equal(oracle.read(oracle.reading("k"), { version: 5n, value: "yours" }), false);
  oracle.written("k", 5n, "yours");
  assert.equal(oracle.losses.length, 2);
});

test("what may be is not a loss", () => {
  const oracle = new Oracle();
  const before = oracle.reading("k");
  oracle.written("k", 5n, "new");
  // It began before the write was acknowledged.
  assert.equal(oracle.read(before, null), true);
  assert.equal(oracle.read(oracle.reading("k"), { version: 6n, value: "newer" }), true);
  // A delete that isn't answered yet may have happened.
  const during = oracle.reading("k");
  oracle.writing("k", null);
  assert.equal(oracle.read(during, null), true);
  oracle.written("k", 7n, null);
  assert.equal(oracle.read(during, null), true);
  assert.equal(oracle.read(oracle.reading("k"), null), true);
  assert.deepEqual(oracle.losses, []);
  // After that, what was deleted must not come back.
  assert.equal(oracle.read(oracle.reading("k"), { version: 6n, value: "newer" }), false);
});

test("things happen in the order of their time, and of their asking", () => {
  const clock = new Clock();
  const seen = [];
  for (const [at, name] of [[3, "c"], [1, "a"], [3, "d"], [2, "b"], [9, "late"]]) clock.at(at, () => seen.push(name));
  clock.at(2, () => seen.push("never"))();
  clock.advance(5);
  assert.deepEqual(seen, ["a", "b", "c", "d"]);
  assert.equal(clock.now, 5);
});
