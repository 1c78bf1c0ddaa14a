// A client in JavaScript for `live_reshard --outside "node client.mjs"`: reads and writes keys of
// a cluster that is being resharded, and writes down what it asked for and was told.
//
//     node client.mjs FOLDER NUMBER SEED
//
// Works until its standard input ends.
import { openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { Client, file } from 'ringshift';
import { sqlite } from 'ringshift/stores/sqlite';

const WORKERS = 4;
const [folder, number, seed] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const records = readFileSync(join(folder, 'records.jsonl'), 'utf8').trim().split('\n')
  .map(JSON.parse).map(([key, value]) => ({ key, value: Buffer.from(value, 'hex') }));

const store = sqlite({ path: (shard) => join(folder, `${shard}.db`) });
const client = await Client.open({ topology: file(join(folder, 'topology.ringshift')), store });
const keyspace = client.keyspace('records');

/** Numbers from the seed: mulberry32. */
function random(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** All processes of a machine share this clock. */
const now = () => process.hrtime.bigint();

// The history: an invoke is on its way to the disk before its operation is sent, so that what a
// process may have written is known even when it is killed. An end goes with the next beginning.
const journal = openSync(join(folder, `outside-${number}.jsonl`), 'a');
let nextProcess = number * 1_000_000;
let nextValue = BigInt(number) << 40n;

class Recorder {
  #process = nextProcess++;
  #staged = '';
  #ended = 0n;
  #open;

  begin(f, key, value, expect) {
    this.#open = { f, key, value: f === 'read' ? null : value };
    const at = now();
    this.#line('invoke', this.#open.value, at > this.#ended ? at : this.#ended + 1n, expect);
    writeSync(journal, this.#staged);
    this.#staged = '';
  }
  end(type, value = this.#open.value) {
    this.#ended = now();
    this.#line(type, type === 'ok' || this.#open.f !== 'read' ? value : null, this.#ended);
    if (type === 'info') this.#process = nextProcess++;
  }
  finish() {
    writeSync(journal, this.#staged);
  }
  #line(type, value, at, expect) {
    const { f, key } = this.#open;
    const [k, v] = [JSON.stringify(key), JSON.stringify(value)];
    // The clock's number has more digits than a number of JavaScript's has.
    const last = expect === undefined ? '' : `,"expect":${JSON.stringify(expect)}`;
    this.#staged += `{"process":${this.#process},"type":"${type}","f":"${f}","key":${k},"value":${v},"time_ns":${at}${last}}\n`;
  }
}

/** A value that nobody has written before: its number, then the record. */
function fresh(record) {
  nextValue += 1n;
  const bytes = Buffer.alloc(8 + record.value.length);
  bytes.writeBigUInt64LE(nextValue);
  record.value.copy(bytes, 8);
  return [String(nextValue), bytes];
}
/** Which value those bytes are; unreadable ones fail the check. */
function decode(record, bytes) {
  const read = Buffer.from(bytes);
  if (read.length < 8 || !read.subarray(8).equals(record.value)) return String(2n ** 64n - 1n);
  return String(read.readBigUInt64LE());
}

class Worker {
  recorder = new Recorder();
  operations = 0;

  constructor(id) {
    this.random = random(seed * 31 + number * 1_009 + id);
  }
  /** A key: few are asked for often. */
  pick() {
    return records[Math.min(records.length - 1, Math.floor(records.length ** this.random()) - 1)];
  }
  async run(f, record, value, expect, operation) {
    this.recorder.begin(f, record.key, value, expect);
    this.operations += 1;
    try {
      const answer = await operation();
      this.recorder.end('ok', f === 'read' ? (answer && decode(record, answer.value)) : value);
      return answer;
    } catch (error) {
      if (error.code === 'indeterminate') this.recorder.end('info');
      else if (error.code === 'version_conflict' || error.code === 'deadline') this.recorder.end('fail');
      else throw error;
      return undefined;
    }
  }
  read(record) {
    return this.run('read', record, null, undefined, () => keyspace.get(record.key));
  }
  put(record) {
    const [id, bytes] = fresh(record);
    return this.run('write', record, id, undefined, () => keyspace.put(record.key, bytes));
  }
  /** Reads, then puts if nobody else has written since. */
  async putIf(record) {
    const found = await this.read(record);
    if (found === undefined) return;
    const [id, bytes] = fresh(record);
    const [seen, expected] = found ? [decode(record, found.value), found.version] : [null, null];
    await this.run('write', record, id, seen, () => keyspace.putIf(record.key, bytes, expected));
  }
  async work() {
    while (!over) {
      const [record, what] = [this.pick(), this.random() * 100];
      if (what < 50) await this.read(record);
      else if (what < 85) await this.put(record);
      else if (what < 92) await this.run('delete', record, null, undefined, () => keyspace.delete(record.key));
      else await this.putIf(record);
      // A store that answers at once would keep everything else waiting.
      await setImmediate();
    }
    this.recorder.finish();
    return this.operations;
  }
}

let over = false;
process.stdin.resume().once('end', () => (over = true));
console.log('ready');
const counts = await Promise.all(Array.from({ length: WORKERS }, (_, id) => new Worker(id).work()));
await client.close();
store.close();
const { retries, refreshes } = client.figures();
console.log(JSON.stringify({ operations: counts.reduce((sum, one) => sum + one), retries, refreshes }));
