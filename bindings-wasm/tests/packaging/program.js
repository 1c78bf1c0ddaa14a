// What every environment runs. Plain script, no module syntax, so that the runner can put any kind
// of import before it. Returns what it saw; throws where that isn't what the vectors say.
function program({ Snapshot, Router, Operation, RingshiftError, fromTopology }, { topology, keys: typed }) {
  // Bytes come as plain arrays, which as keys would be composites.
  const key = ({ key }) => (typeof key === "string" ? key : Uint8Array.from(key));
  const keys = typed.map((one) => ({ ...one, key: key(one) }));
  const must = (what, got, wanted) => {
    const [a, b] = [got, wanted].map((value) => JSON.stringify(value));
    if (a !== b) throw new Error(`${what}: ${a}, and not ${b}`);
  };

  const snapshot = fromTopology(topology);
  const router = new Router(Snapshot.decode(snapshot.encode()));
  const orders = router.keyspace("orders");
  for (const { key, slot, shard, name } of keys) {
    must(`route of ${key}`, orders.route(key), shard);
    const described = orders.describe(key);
    must(`description of ${key}`, [described.slot, described.shard], [slot, name]);
  }
  const many = orders.routeMany(keys.map(({ key }) => key));
  must("routeMany", Array.from(many), keys.map(({ shard }) => shard));

  let refused;
  try {
    orders.route(4.5);
  } catch (error) {
    refused = error;
  }
  must("a key of 4.5", [refused instanceof RingshiftError, refused?.code], [true, "key_type"]);

  // One read to its end: sent, waited for, found. The version crosses as a BigInt.
  const version = 21474836484n;
  const read = Operation.read(orders, keys[0].key, { deadlineMs: 5000, seed: 1 }, 10000);
  const send = read.poll();
  must("the first step", send.type, "send");
  must("the attempt", [send.attempt.kind, send.attempt.slot], ["read", keys[0].slot]);
  must("the second step", read.poll().type, "wait");
  read.handleReply(10001, send.attempt.id, { type: "found", version });
  const { type, outcome } = read.poll();
  must("the last step", [type, outcome?.type], ["done", "value"]);
  must("the version", [typeof outcome.version, String(outcome.version)], ["bigint", String(version)]);
  read.free();
  router.free();
  return { shards: keys.map(({ name }) => name), epoch: snapshot.epoch, outcome: outcome.type };
}
