// Three keys and where they must go, out of the core's published vectors: the slots of `keys`, and
// the table of `rings` for the same seed and as many slot bits.
import { readFileSync } from "node:fs";

const file = new URL("../../../core/tests/vectors/placement.json", import.meta.url);
const placement = JSON.parse(readFileSync(file, "utf8"));
const BITS = 8;

const ring = placement.rings.cases.find((one) => one.seed === "0" && one.shards.length === 3);
const table = ring.table[BITS].split(" ").flatMap((run) => {
  const [index, count] = run.split("*").map(Number);
  return new Array(count).fill(index);
});

// Only what is hashed whole, and short.
const places = placement.keys.cases
  .filter(({ key, rule, hashes }) => rule === "whole" && hashes && key.length > 0 && key.length < 64)
  .map(({ key, hashes }) => {
    const slot = hashes.find(({ seed }) => seed === "0").slots[BITS];
    return { hex: key, slot, shard: table[slot], name: ring.shards[table[slot]][1] };
  });

const text = (key) => {
  const { hex, ...place } = places.find(({ hex }) => hex === Buffer.from(key).toString("hex"));
  return { key, ...place };
};
/** A key that is no text, as the array of its bytes. */
const bytes = (wanted) => {
  const { hex, ...place } = places.find(({ shard }) => shard === wanted);
  return { key: [...Buffer.from(hex, "hex")], ...place };
};

/** The topology for people, and three keys with their slot, shard index and shard name. */
export const vectors = {
  topology: {
    cluster: "vectors",
    keyspaces: { orders: { bits: BITS, seed: "0", placement: { ring: { vnodes: ring.vnodes } } } },
    shards: ring.shards.map(([id, name, thousandths]) => ({ id, name, weight: thousandths / 1000 })),
  },
  keys: [text("user:42"), text("ключ"), bytes(1)],
};
