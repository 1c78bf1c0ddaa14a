// The simulated cluster without a page: the package's own machines, the page's own oracle.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fromTopology, plan } from "../dist/src/package.js";
import { World } from "../dist/src/sim/world.js";

const LIMIT_MS = 60_000;

/** Runs one migration to its end. */
function run({ seed, changes, lying = false, placement = "balanced" }) {
  const shards = ["a", "b", "c"].map((name, n) => ({ id: n + 1, name, weight: 1 }));
  const keyspaces = { orders: { placement: { [placement]: { vnodes: 160 } } } };
  const world = new World(fromTopology({ cluster: "sim", keyspaces, shards }), seed);
  world.migrate(plan(world.snapshot, changes));
  world.lying = lying;
  while (world.migrating && world.clock.now < LIMIT_MS) world.clock.advance(world.clock.now + 10);
  return world;
}

const d = { id: 4, name: "d", weight: 1 };

test("whatever changes, and whoever is slow, nothing is lost", () => {
  const wishes = [
    { add: [d] },
    { remove: [2] },
    { reweight: [{ id: 1, weight: 3 }] },
    { add: [d], remove: [1], reweight: [{ id: 3, weight: 0.5 }] },
  ];
  for (const [n, changes] of wishes.entries()) {
    const world = run({ seed: 7 + n, changes, placement: n % 2 === 0 ? "balanced" : "ring" });
    assert.equal(world.runner.ending, "complete", JSON.stringify(changes));
    assert.deepEqual(world.oracle.losses, []);
    assert.deepEqual(world.failures, []);
    assert.deepEqual(world.audited, { checked: world.keys.length, unknown: 0 });
    assert.ok(world.figures.retries > 0 && world.figures.same > 0);
  }
});

test("a seed is a run: the same one twice is the same, figure by figure", () => {
  const [one, two] = [1, 2].map(() => run({ seed: 3, changes: { add: [d] } }));
  assert.deepEqual(one.figures, two.figures);
  assert.equal(one.clock.now, two.clock.now);
});

test("mirrors that forget what they acknowledge are found out", () => {
  const found = [3, 4, 5].map((seed) => run({ seed, changes: { add: [d] }, lying: true }).oracle.losses.length);
  assert.ok(found.some((losses) => losses > 0), `losses: ${found}`);
});
