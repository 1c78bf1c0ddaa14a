// `node benches/js/main.mjs --json FILE`: what routing costs in Node, beside its floor and its
// peers, in one run. `cargo xtask bench --language js` installs what it needs and calls it.

import { execFileSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { gzipSync } from 'node:zlib';
import { parseArgs } from 'node:util';

import { Client, Router, fixed } from 'ringshift';
import { fromTopology, memory } from 'ringshift/local';

import { encodeAndCall, loopAndCall } from './floor.mjs';
import { measure, median, ratio } from './measure.mjs';
import { topology, userKeys, uuidKeys } from './workload.mjs';

const require = createRequire(import.meta.url);
const HashRing = require('hashring');
const { HashRing: Ketama } = require('ketama');
const keySlot = require('cluster-key-slot');
Ketama.baseWeight = 160;

const { values: options } = parseArgs({
  options: {
    json: { type: 'string' },
    keys: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '7' },
  },
});
const count = Number(options.keys);
const rounds = Number(options.rounds);
const HOT = 4_000;

const keys = userKeys(count);
const uuids = uuidKeys(Math.min(count, 200_000));
const hot = keys.slice(0, HOT);

/** A candidate that calls `route` once for each key of `list`, so often that `times` calls come. */
function each(name, list, times, route) {
  return {
    name,
    calls: times,
    run() {
      let sum = 0;
      for (let at = 0, key = 0; at < times; at++) {
        sum += route(list[key]);
        if (++key === list.length) key = 0;
      }
      return sum;
    },
  };
}

function singles(shards) {
  const router = new Router(fromTopology(topology(shards)));
  const keyspace = router.keyspace('k');
  const names = Array.from({ length: shards }, (_, at) => `shard-${at}`);
  // 40 vnodes of 4 points each, and a cache of 5,000 keys: its defaults.
  const hashring = new HashRing(names);
  const ketama = new Ketama(names);
  const slots = Uint16Array.from({ length: 16_384 }, (_, slot) => slot % shards);
  const slow = Math.min(count, 100_000);
  const results = measure(
    [
      each('floor: characters copied by a loop + an empty call', keys, count, loopAndCall),
      each('floor: encodeInto + an empty call', keys, count, encodeAndCall),
      each('ringshift route', keys, count, (key) => keyspace.route(key)),
      each('ringshift shardOf', keys, count, (key) => keyspace.shardOf(key).length),
      each(`ringshift route, ${HOT} hot keys`, hot, count, (key) => keyspace.route(key)),
      each('cluster-key-slot + slot table', keys, count, (key) => slots[keySlot(key)]),
      each('hashring, distinct keys', keys, slow, (key) => hashring.get(key).length),
      each(`hashring, ${HOT} hot keys (its cache answers)`, hot, count, (key) => hashring.get(key).length),
      each('ketama', keys, slow, (key) => ketama.getNode(key).length),
    ],
    rounds,
  );
  router.free();
  return results;
}

function batches() {
  const router = new Router(fromTopology(topology(64)));
  const keyspace = router.keyspace('k');
  const chunk = 1_000;
  const lists = [];
  for (let at = 0; at < uuids.length; at += chunk) lists.push(uuids.slice(at, at + chunk));
  const out = new Uint16Array(chunk);
  const packed = lists.map((list) => {
    let end = 0;
    const ends = Uint32Array.from(list, (key) => (end += key.length));
    return { bytes: new TextEncoder().encode(list.join('')), ends };
  });
  const batch = (name, work) => ({
    name,
    calls: uuids.length,
    run: () => work.reduce((sum, one) => sum + one(), 0),
  });
  const results = measure(
    [
      each('ringshift route, 36 characters', uuids, uuids.length, (key) => keyspace.route(key)),
      batch('ringshift routeMany, 36 characters', lists.map((list) => () => keyspace.routeMany(list)[0])),
      batch('ringshift routeManyInto, 36 characters', lists.map((list) => () => keyspace.routeManyInto(list, out))),
      batch('ringshift routeMany, packed', packed.map((one) => () => keyspace.routeMany(one)[0])),
    ],
    rounds,
  );
  router.free();
  return results;
}

/** A whole read and a whole write of one key against shards in memory, in ns. */
async function operations() {
  const snapshot = fromTopology(topology(8));
  const client = await Client.open({ topology: fixed(snapshot), store: memory() });
  const k = client.keyspace('k');
  const value = new Uint8Array(100);
  const times = 20_000;
  const results = { put: [], get: [] };
  for (let round = 0; round <= rounds; round++) {
    for (const [name, work] of [
      ['put', (key) => k.put(key, value)],
      ['get', (key) => k.get(key)],
    ]) {
      const begun = process.hrtime.bigint();
      for (let at = 0; at < times; at++) await work(hot[at % HOT]);
      if (round > 0) results[name].push(Number(process.hrtime.bigint() - begun) / times);
    }
  }
  await client.close();
  return Object.entries(results).map(([name, ns]) => ({
    name: `client ${name}, shards in memory`,
    calls: times,
    rounds: ns,
    ns: median(ns),
    min: Math.min(...ns),
    max: Math.max(...ns),
  }));
}

/** How long a fresh process takes to import the package, by its own clock, in ms. */
function importing() {
  const script =
    "const t=performance.now();await import('ringshift');console.log(performance.now()-t)";
  const once = () =>
    Number(
      execFileSync(process.execPath, ['--input-type=module', '-e', script], {
        cwd: import.meta.dirname ?? new URL('.', import.meta.url).pathname,
        encoding: 'utf8',
      }),
    );
  const rounds = Array.from({ length: 9 }, once);
  return { ms: median(rounds), min: Math.min(...rounds), max: Math.max(...rounds) };
}

function size() {
  const entry = require.resolve('ringshift');
  const { version } = JSON.parse(readFileSync(require.resolve('ringshift/package.json'), 'utf8'));
  return { version, entry_bytes: statSync(entry).size, entry_gzip: gzipSync(readFileSync(entry), { level: 9 }).length };
}

function print(title, results) {
  console.log(`\n${title}`);
  for (const { name, ns, min, max } of results) {
    console.log(`  ${name.padEnd(56)} ${ns.toFixed(1).padStart(9)} ns  (${min.toFixed(1)} to ${max.toFixed(1)})`);
  }
}

const target = (name, value, limit, better = 'lower') => ({
  name,
  value,
  limit,
  met: better === 'lower' ? value <= limit : value >= limit,
});

const report = {
  language: 'js',
  node: process.version,
  v8: process.versions.v8,
  cpu: cpus()[0]?.model,
  cpus: cpus().length,
  keys: count,
  rounds,
  ringshift: size(),
  import: importing(),
  singles: {},
  targets: [],
};
for (const shards of [8, 64, 1_000]) {
  const results = singles(shards);
  report.singles[shards] = results;
  print(`${shards} shards, ${count} distinct keys, mean ${(keys.reduce((sum, key) => sum + key.length, 0) / count).toFixed(1)} characters`, results);
  const floors = ['floor: characters copied by a loop + an empty call', 'floor: encodeInto + an empty call'];
  const floor = floors.reduce((a, b) => (ratio(results, a, b) <= 1 ? a : b));
  const rings = ['hashring, distinct keys', 'ketama'];
  const ring = rings.reduce((a, b) => (ratio(results, a, b) <= 1 ? a : b));
  const hotNs = results.find(({ name }) => name.startsWith('ringshift route, ')).ns;
  report.targets.push(
    target(`${shards} shards: route / (copy + empty call)`, ratio(results, 'ringshift route', floor), 1.4),
    target(`${shards} shards: fastest npm ring (${ring}) / route`, ratio(results, ring, 'ringshift route'), 20, 'higher'),
    target(`${shards} shards: cluster-key-slot / route`, ratio(results, 'cluster-key-slot + slot table', 'ringshift route'), 1, 'higher'),
    target(`${shards} shards: a hot key, ns (only if a cache earns its place)`, hotNs, 30),
  );
}
report.batches = batches();
print('64 shards, chunks of 1,000 keys of 36 characters', report.batches);
report.operations = await operations();
print('one client, 8 shards in memory, values of 100 bytes', report.operations);
report.targets.push(
  target('routeMany, 36 characters, ns a key', report.batches.find(({ name }) => name.startsWith('ringshift routeMany, 36')).ns, 45),
  target('default entry, gzip, bytes', report.ringshift.entry_gzip, 60_000),
  target('import in a fresh process, ms', report.import.ms, 25),
);
console.log();
for (const { name, value, limit, met } of report.targets) {
  console.log(`  ${met ? 'met   ' : 'MISSED'} ${name}: ${value.toFixed(2)} (${limit})`);
}
if (options.json) writeFileSync(options.json, `${JSON.stringify(report, null, 1)}\n`);
