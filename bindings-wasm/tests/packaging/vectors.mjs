// Three keys and where they must go, out of the core's published vectors: the slots of `keys`, and
// the table of `rings` for the same seed and as many slot bits.
import { readFileSync } from "node:fs";

const file = new URL("../../../core/tests/vectors/placement.json", import.meta.url);
const placement = JSON.parse(readFileSync(file, "utf8"));
const BITS = 8;
const WANTED = ["user:42", "ключ", "鍵-Ω-🗝"];

const ring = placement.rings.cases.find((one) => one.seed === "0" && one.shards.length > 4);
const table = ring.table[BITS].split(" ").flatMap((run) => {
  const [index, count] = run.split("*").map(Number);
  return new Array(count).fill(index);
});

const where = (key) => {
  const hex = Buffer.from(key).toString("hex");
  const one = placement.keys.cases.find((c) => c.key === hex && c.rule === "whole");
  const slot = one.hashes.find((hash) => hash.seed === "0").slots[BITS];
  const shard = table[slot];
  return { key, slot, shard, name: ring.shards[shard][1] };
};

/** The topology for people, and the keys with their slot, shard index and shard name. */
export const vectors = {
  topology: {
    cluster: "vectors",
    keyspaces: { orders: { bits: BITS, seed: "0", placement: { ring: { vnodes: ring.vnodes } } } },
    shards: ring.shards.map(([id, name, thousandths]) => ({ id, name, weight: thousandths / 1000 })),
  },
  keys: WANTED.map(where),
};
