// The keys and shards that every candidate gets, the same in each language's bench.

const MASK = (1n << 64n) - 1n;

/** SplitMix64 (Steele, Lea, Flood 2014), as a stream of u64. */
function* splitmix64(seed) {
  let state = seed;
  for (;;) {
    state = (state + 0x9e3779b97f4a7c15n) & MASK;
    let z = state;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & MASK;
    yield z ^ (z >> 31n);
  }
}

// Joined once and cut again: a string made by `+` is a rope, which the first reader would flatten.
const flat = (strings) => JSON.parse(JSON.stringify(strings));

/** Distinct keys `user:{u64}`, 24.4 characters on average. */
export function userKeys(count) {
  const keys = [];
  for (const value of splitmix64(42n)) {
    if (keys.push(`user:${value}`) === count) return flat(keys);
  }
}

/** Distinct keys of exactly 36 ASCII characters, in the form of a UUID. */
export function uuidKeys(count) {
  const keys = [];
  const hex = (value) => value.toString(16).padStart(16, '0');
  const stream = splitmix64(43n);
  while (keys.length < count) {
    const text = hex(stream.next().value) + hex(stream.next().value);
    keys.push(text.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, '$1-$2-$3-$4-$5'));
  }
  return flat(keys);
}

/** A topology of `count` shards whose keyspace `k` is placed by a ring of 160 points a shard. */
export function topology(count) {
  const shards = Array.from({ length: count }, (_, at) => ({ id: at + 1, name: `shard-${at}` }));
  return { cluster: 'bench', keyspaces: { k: { placement: { ring: { vnodes: 160 } } } }, shards };
}
