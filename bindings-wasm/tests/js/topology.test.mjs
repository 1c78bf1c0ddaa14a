import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Snapshot, file, fixed, http, memory } from 'ringshift';
import { demo, resting } from './clusters.mjs';
import { ringshift, serve } from './rust.mjs';

const [home, moving] = [demo('at home'), demo('in double-write')];

/** `work` with a folder that is gone afterwards. */
async function inFolder(work) {
  const folder = mkdtempSync(join(tmpdir(), 'ringshift-'));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** `work` with a server on the loopback, that answers by `answer(request, response)`. */
async function served(answer, work) {
  const requests = [];
  const server = createServer((request, response) => {
    requests.push(request);
    answer(request, response);
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  try {
    await work(`http://127.0.0.1:${server.address().port}/topology`, requests);
  } finally {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
}

/** A server as it shall be: tags, and answers that are held back until there is news. */
function proper(state) {
  return async (request, response) => {
    const tag = () => `"${state.now.epoch}-${state.now.digest}"`;
    const wait = Number(/^wait=(\d+)$/.exec(request.headers.prefer ?? '')?.[1] ?? 0);
    const until = Date.now() + 1000 * wait;
    while (request.headers['if-none-match'] === tag() && Date.now() < until) await sleep(5);
    if (request.headers['if-none-match'] === tag()) return response.writeHead(304).end();
    response.writeHead(200, { etag: tag() }).end(state.now.encode());
  };
}

const asking = (have) => ({ have });

test('fixed: once, and never again', async () => {
  assert.equal(await fixed(home).fetch(0, asking(null)), home);
  assert.equal(await fixed(home).fetch(home.epoch, asking(home)), null);
});

test('file: what `ringshift init` writes', () =>
  inFolder(async (folder) => {
    const path = join(folder, 'topology.json');
    ringshift('init', path, '--cluster', 'shop', '--keyspace', 'orders', '--shards', '3');
    const client = await Client.open({ topology: file(path), store: memory() });
    assert.equal(client.snapshot.cluster, 'shop');
    const orders = client.keyspace('orders');
    const [line] = ringshift('route', '--topology', path, 'user:42').split('\n');
    assert.deepEqual(line.split('\t').slice(1), [
      String(orders.describe('user:42').slot), orders.shardOf('user:42'),
    ]);
    assert.equal(await client.refresh(), false);
  }));

test('file: newer bytes in its place are news, the same ones are not', () =>
  inFolder(async (folder) => {
    const path = join(folder, 'snapshot');
    writeFileSync(path, home.encode());
    const topology = file(path);
    const client = await Client.open({ topology, store: memory() });
    assert.equal(await client.refresh(), false);
    writeFileSync(`${path}.new`, moving.encode());
    renameSync(`${path}.new`, path);
    assert.equal(await client.refresh(), true);
    assert.equal(client.epoch, moving.epoch);
    assert.equal(await topology.fetch(moving.epoch, asking(moving)), null);
    // Another client of the same source, that is behind.
    assert.equal((await topology.fetch(home.epoch, asking(home))).epoch, moving.epoch);
  }));

test('file: what is wrong with it', () =>
  inFolder(async (folder) => {
    const at = (name) => file(join(folder, name)).fetch(0, asking(null));
    await assert.rejects(at('nothing'), { code: 'topology_missing' });
    await assert.rejects(at('.'), { code: 'topology_io' });
    const path = join(folder, 'cut');
    writeFileSync(path, moving.encode());
    truncateSync(path, 60);
    await assert.rejects(at('cut'), { code: 'snapshot_format' });
    writeFileSync(path, 'neither');
    await assert.rejects(at('cut'), { code: 'topology_format' });
    writeFileSync(path, '');
    await assert.rejects(at('cut'), { code: 'topology_format' });
    writeFileSync(path, '{"cluster":');
    await assert.rejects(at('cut'), { code: 'topology' });
  }));

test('http: tags, and 304 when there is no news', async () => {
  const state = { now: home };
  await served(proper(state), async (url, requests) => {
    const topology = http(url, { headers: { authorization: 'Bearer x' } });
    const client = await Client.open({ topology, store: memory() });
    assert.equal(requests[0].headers['if-none-match'], undefined);
    assert.equal(requests[0].headers.authorization, 'Bearer x');
    assert.equal(await client.refresh(), false);
    assert.equal(requests[1].headers['if-none-match'], `"${home.epoch}-${home.digest}"`);
    state.now = moving;
    assert.equal(await client.refresh(), true);
    assert.equal(client.epoch, moving.epoch);
    assert.equal(requests.length, 3);
  });
});

const deltas = JSON.parse(
  readFileSync(new URL('../../../core/tests/vectors/deltas.json', import.meta.url), 'utf8'),
).deltas.cases;
const bytesOf = (text) => Buffer.from(text, 'hex');

/** A server that keeps the base of a delta, and is asked for it; `answered` is what it says then. */
async function keeping({ base, result }, answered, work) {
  const [old, next] = [base, result].map((text) => Snapshot.decode(bytesOf(text)));
  const tag = ({ epoch, digest }) => `"${epoch}-${digest}"`;
  const answers = [];
  let now = old;
  await served((request, response) => {
    const { 'if-none-match': have, 'a-im': asks } = request.headers;
    const status = have === tag(now) ? 304 : have === tag(old) && asks === 'ringshift-delta' ? 226 : 200;
    answers.push(status);
    const im = status === 226 ? { im: 'ringshift-delta', 'delta-base': have } : {};
    response.writeHead(status, { etag: tag(now), ...im });
    response.end(status === 304 ? undefined : status === 226 ? answered : now.encode());
  }, async (url) => {
    const client = await Client.open({ topology: http(url), store: memory() });
    assert.equal(await client.refresh(), false);
    now = next;
    await work(client, next, answers);
  });
}

test('http: a client is sent what has changed since the snapshot that it has', async () => {
  const [, one] = deltas;
  await keeping(one, bytesOf(one.delta), async (client, next, answers) => {
    assert.equal(await client.refresh(), true);
    assert.equal(client.snapshot.digest, next.digest);
    assert.equal(await client.refresh(), false);
    assert.deepEqual(answers, [200, 304, 226, 304]);
  });
});

test('http: a delta that doesn’t hold is made good by the whole', async () => {
  const [before, one] = deltas;
  const damaged = bytesOf(one.delta);
  damaged[damaged.length - 1] ^= 1;
  for (const bad of [damaged, bytesOf(before.delta), damaged.subarray(0, 50), Buffer.from('<html>')]) {
    await keeping(one, bad, async (client, next, answers) => {
      assert.equal(await client.refresh(), true);
      assert.equal(client.snapshot.digest, next.digest);
      assert.deepEqual(answers, [200, 304, 226, 200]);
    });
  }
});

test('http: `ringshift serve` sends deltas, and answers a watcher at once', () =>
  inFolder(async (folder) => {
    const path = join(folder, 'topology');
    writeFileSync(path, home.encode());
    const [server, url] = await serve(path);
    try {
      const client = await Client.open({ topology: http(url), store: memory(), watch: true });
      const heard = new Promise((done) => client.on('change', done));
      await sleep(100);
      writeFileSync(`${path}.new`, moving.encode());
      renameSync(`${path}.new`, path);
      assert.equal((await heard).digest, moving.digest);
      const { source } = await (await fetch(new URL('/status.json', url))).json();
      assert.deepEqual([source.whole, source.deltas, source.encoded], [1, 1, 1]);
      await client.close();
    } finally {
      const ended = new Promise((done) => server.on('close', done));
      server.kill('SIGINT');
      assert.equal(await ended, 0);
    }
  }));

test('http: a client that watches hears of news at once', async () => {
  const state = { now: home };
  await served(proper(state), async (url, requests) => {
    const topology = http(url);
    const client = await Client.open({ topology, store: memory(), watch: true });
    const heard = new Promise((done) => client.on('change', done));
    await sleep(50);
    assert.equal(client.epoch, home.epoch);
    state.now = moving;
    assert.equal((await heard).epoch, moving.epoch);
    assert.equal(requests[1].headers.prefer, 'wait=30');
    assert.equal(requests.length, 2, 'one that was held back, not many');
    assert.equal(client.figures().refreshes, 0);
    await client.close();
  });
});

test('http: what is wrong with an answer leaves the snapshot in force', async () => {
  const whole = moving.encode();
  const answers = {
    'a body that was cut off': [(r) => r.writeHead(200, { 'content-length': whole.length }).end(whole.subarray(0, 90), () => r.destroy()), 'topology_io'],
    'half a snapshot': [(r) => r.end(whole.subarray(0, 90)), 'snapshot_format'],
    'a page': [(r) => r.end('<html>'), 'topology_format'],
    'nothing there': [(r) => r.writeHead(404).end(), 'topology_missing'],
    'a broken server': [(r) => r.writeHead(500).end(), 'topology_io'],
    'a part that nobody asked for': [(r) => r.writeHead(206).end(whole.subarray(0, 90)), 'snapshot_format'],
    'no answer': [(r) => r.destroy(), 'topology_io'],
    'an answer that never ends': [(r) => r.writeHead(200).write('x'), 'topology_io'],
    'another cluster': [(r) => r.end(resting().encode()), 'foreign_cluster'],
    'an older snapshot': [(r) => r.end(demo('at home').encode()), 'older_snapshot'],
    'a forked one': [(r) => r.end(demo('forked').encode()), 'forked_snapshot'],
  };
  const state = { now: demo('in prepare') };
  let answer = proper(state);
  await served((request, response) => answer(request, response), async (url) => {
    const client = await Client.open({ topology: http(url, { timeoutMs: 100 }), store: memory() });
    for (const [what, [bad, code]] of Object.entries(answers)) {
      answer = (_request, response) => bad(response);
      await assert.rejects(client.refresh(), (error) => {
        assert.equal(error.code, code, `${what}: ${error}`);
        return true;
      });
      assert.equal(client.epoch, 6, what);
    }
    answer = proper(state);
    state.now = moving;
    assert.equal(await client.refresh(), true, 'and it recovers');
  });
});

test('http: a client that is closed doesn’t wait for an answer', async () => {
  await served(proper({ now: home }), async (url) => {
    const client = await Client.open({ topology: http(url), store: memory(), watch: true });
    await sleep(20);
    const begun = performance.now();
    await client.close();
    assert.ok(performance.now() - begun < 1_000);
  });
  const nobody = http('http://127.0.0.1:9/');
  await assert.rejects(Client.open({ topology: nobody, store: memory() }), { code: 'topology_io' });
});
