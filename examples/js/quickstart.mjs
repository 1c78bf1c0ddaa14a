// npm install ringshift; node quickstart.mjs
import { Client, fixed } from 'ringshift';
import { fromTopology, memory } from 'ringshift/local';

const snapshot = fromTopology({
  cluster: 'demo',
  keyspaces: { orders: {} },
  shards: [{ id: 1, name: 'pg-1' }, { id: 2, name: 'pg-2', weight: 0.5 }],
});
// In real life: `file(path)` or `http(url)`, and `sqlite({ path })` or a store of your own.
const client = await Client.open({ topology: fixed(snapshot), store: memory() });
const orders = client.keyspace('orders');

console.log(orders.shardOf('user:42')); // where it is: pg-1 or pg-2
console.log(orders.describe('user:42')); // { shard, slot, domain, epoch, phase }
console.log(orders.routeMany(['a', 'b', 'c'])); // three shard indexes, in one call

const { version } = await orders.put('user:42', 'two apples');
const row = await orders.get('user:42'); // { value: Uint8Array, version: bigint }
console.log(new TextDecoder().decode(row.value));

await orders.putIf('user:42', 'three apples', version); // only if nobody was faster
await orders.putIf('user:42', 'no apples', version).catch((error) => console.log(error.code));

await client.close();
