// The entry that the application hands the module to. A process of its own: it is started once.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { it } from 'node:test';

const files = new URL('../../../dist/npm/package/dist/', import.meta.url);
const slim = await import(new URL('slim.mjs', files));

it('waits for its module, takes it from a server, and then does the same', async () => {
  const { local, ringshift, topology } = await import('./built.mjs');
  const bytes = local.fromTopology(topology()).encode();
  assert.throws(() => slim.Snapshot.decode(bytes), TypeError);
  const wasm = readFileSync(new URL('ringshift.wasm', files));
  const server = createServer((_, answer) => answer.writeHead(200, { 'content-type': 'application/wasm' }).end(wasm));
  await new Promise((listening) => { server.listen(0, '127.0.0.1', listening); });
  try {
    await slim.init(`http://127.0.0.1:${server.address().port}/ringshift.wasm`);
  } finally {
    server.close();
  }
  // A second time is none.
  slim.initSync(wasm);
  await slim.init(new Uint8Array(3));
  const { Snapshot, Router } = slim;
  const ours = new Router(Snapshot.decode(bytes)).keyspace('orders');
  const usual = new ringshift.Router(bytes).keyspace('orders');
  for (let i = 0; i < 100; i++) assert.equal(ours.route(`user:${i}`), usual.route(`user:${i}`));
});
