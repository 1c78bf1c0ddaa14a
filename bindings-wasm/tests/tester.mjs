// Replays the programs that `cargo xtask tester` writes, and compares every answer with the core's.
//
//     node tester.mjs programs.jsonl
//
// Run it where `ringshift` is installed. A mismatch is printed as one line of JSON; the first of
// each program only. Nothing is decided here: a call is spelt in JavaScript, an answer in JSON.
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { isDeepStrictEqual } from 'node:util';
import * as client from 'ringshift';
import * as local from 'ringshift/local';
import * as migrate from 'ringshift/migrate';
import {
  batchReply, content, data, digits, hex, key, only, packed, policy, refusal, reply, saidData, saidRefusal, saidReply,
  saidStep, saidTransaction, snake, unhex, version,
} from './tester-words.mjs';

// What is in two entries, since not every client wants both.
const main = { ...client, ...local };
// What only a program about the shard's side or a coordinator calls; then it has all from there.
const MIGRATES = new Set([
  'chunks', 'guard', 'plan', 'coordinator', 'home_installs', 'transaction', 'judge', 'pace', 'plan_data',
]);

// Calls

/** What a call uses wasn't made: the program was cut down, or the package has no such thing. */
class Missing extends Error {}
class NotOffered extends Error {}
const offered = (from, name) => {
  if (from[name] === undefined) throw new NotOffered(name);
  return from[name];
};

class Program {
  objects = new Map();
  raw = new Map();

  constructor(bytes, calls) {
    this.bytes = bytes;
    this.of = calls.some((call) => MIGRATES.has(call.do)) ? migrate : main;
  }

  get(name, kind) {
    const object = this.objects.get(name);
    if (object === 'not offered') throw new NotOffered(name);
    if (!(object instanceof offered(this.of, kind))) throw new Missing();
    return object;
  }

  made(name, kind) {
    const object = this.objects.get(name);
    if (object === 'not offered') throw new NotOffered(name);
    if (object === undefined) throw new Missing(kind);
    return object;
  }

  used(number) {
    if (!this.raw.has(number)) throw new Missing();
    return this.raw.get(number);
  }

  bytesOf({ bytes }) {
    return typeof bytes === 'string' ? unhex(bytes) : this.bytes[bytes];
  }

  keep(call, object, answer = null) {
    this.objects.set(call.as, object);
    return answer;
  }

  call(call) {
    try {
      return this[call.do](call);
    } catch (error) {
      if (error instanceof Missing) return 'missing';
      if (error instanceof NotOffered) {
        // What it would have made isn't there; what it would have changed isn't what it should be.
        if (call.as) this.objects.set(call.as, 'not offered');
        if (call.do === 'command') this.objects.set(call.on, 'not offered');
        throw error;
      }
      if (!(error instanceof main.RingshiftError)) return { crash: String(error?.stack ?? error) };
      return typeof error.code === 'string' && error.message !== '' ? { error: error.code } : { bare: String(error) };
    }
  }

  // Snapshots and routers

  told(call, snapshot) {
    const { epoch, cluster, digest, shards, keyspaces } = snapshot;
    return this.keep(call, snapshot, { epoch, cluster, digest, shards, keyspaces });
  }
  snapshot(call) {
    return this.told(call, this.of.Snapshot.decode(this.bytesOf(call)));
  }
  topology(call) {
    return this.told(call, this.of.fromTopology(call.topology));
  }
  owners(call) {
    return [...this.get(call.on, 'Snapshot').owners(call.keyspace)];
  }
  equals(call) {
    return this.get(call.on, 'Snapshot').equals(this.get(call.other, 'Snapshot'));
  }
  encode(call) {
    return hex(this.get(call.on, 'Snapshot').encode());
  }
  given(call) {
    return 'bytes' in call ? this.bytesOf(call) : this.get(call.snapshot, 'Snapshot');
  }
  router(call) {
    const router = new this.of.Router(this.given(call));
    return this.keep(call, router, { epoch: router.epoch });
  }
  install(call) {
    const router = this.get(call.on, 'Router');
    return { installed: router.install(this.given(call)), epoch: router.snapshot.epoch };
  }
  keyspace(call) {
    const keyspace = this.get(call.on, 'Router').keyspace(call.name);
    return this.keep(call, keyspace, { name: keyspace.name, id: keyspace.id });
  }
  on(call) {
    return this.get(call.on, 'Keyspace');
  }
  route(call) {
    return this.on(call).route(key(call.key));
  }
  shard_of(call) {
    return this.on(call).shardOf(key(call.key));
  }
  describe(call) {
    return this.on(call).describe(key(call.key));
  }
  explain(call) {
    const said = this.on(call).explain(key(call.key));
    return { ...snake(said), routing_part: hex(said.routingPart) };
  }
  route_many(call) {
    const [keyspace, keys] = [this.on(call), call.keys.map(key)];
    const routed = [...keyspace.routeMany(keys)];
    if (call.keys.every((typed) => 'text' in typed || 'hex' in typed)) {
      const out = new Uint16Array(keys.length);
      keyspace.routeManyInto(packed(call.keys), out);
      if (!isDeepStrictEqual([...out], routed)) return { packed: [...out], routed };
    }
    return routed;
  }
  group(call) {
    return [...this.on(call).groupByShard(call.keys.map(key))];
  }
  replicas(call) {
    return this.on(call).replicas(key(call.key), call.count);
  }
  shards(call) {
    return this.on(call).shards();
  }

  // Operations

  begin(call, begin) {
    const keyspace = this.on(call);
    return this.keep(call, begin(keyspace, key(call.key), policy(call.policy), call.now));
  }
  read(call) {
    return this.begin(call, this.of.Operation.read);
  }
  write(call) {
    return this.begin(call, this.of.Operation.write);
  }
  step(call, step) {
    if (step.type === 'send') this.raw.set(call.n, step.attempt);
    return saidStep(step);
  }
  poll(call) {
    return this.step(call, this.get(call.on, 'Operation').poll());
  }
  reply(call) {
    this.get(call.on, 'Operation').handleReply(call.now, call.id, reply(call.reply));
    return null;
  }
  learn(call) {
    const operation = this.get(call.on, 'Operation');
    operation.handleSnapshot(call.now, this.get(call.keyspace, 'Keyspace'), key(call.key));
    return null;
  }
  timeout(call) {
    this.get(call.on, 'Operation').handleTimeout(call.now);
    return null;
  }
  shadow(call) {
    const shadow = this.get(call.on, 'Operation').shadow(policy(call.policy), call.now);
    if (shadow === null) return false;
    return this.keep(call, shadow, true);
  }
  shadow_poll(call) {
    return this.step(call, this.get(call.on, 'Shadow').poll());
  }
  shadow_reply(call) {
    this.get(call.on, 'Shadow').handleReply(call.now, call.id, reply(call.reply), version(call.digest));
    return null;
  }
  shadow_timeout(call) {
    this.get(call.on, 'Shadow').handleTimeout(call.now);
    return null;
  }
  digest(call) {
    const value = call.value === null ? null : unhex(call.value);
    return String(this.of.rowDigest(unhex(call.key), BigInt(call.version), value));
  }
  gate(call) {
    const RefreshGate = offered(this.of, 'RefreshGate');
    return this.keep(call, new RefreshGate(call.have, call.gap_ms, BigInt(call.seed)));
  }
  want(call) {
    const { type, until } = this.get(call.on, 'RefreshGate').want(call.now, call.newer_than);
    return type === 'wait' ? { wait: { until } } : type.replace('-', '_');
  }
  fetched(call) {
    this.get(call.on, 'RefreshGate').fetched(call.now, call.epoch);
    return null;
  }
  failed(call) {
    this.get(call.on, 'RefreshGate').failed(call.now);
    return null;
  }
  begun(call) {
    return this.get(call.on, 'RefreshGate').begun;
  }

  // The shard's side

  make(call, name) {
    const Made = offered(this.of, name);
    return this.keep(call, new Made());
  }
  guard(call) {
    return this.make(call, 'Guard');
  }
  admit(call) {
    const { keyspace, slot, domain, epoch } = call;
    const [access, term] = only(call.access);
    const request = { keyspace, slot, key: unhex(call.key), domain, epoch };
    const { row, refusal } = this.get(call.on, 'Guard').admit(request, access, term ?? undefined);
    return row === null ? { refused: saidRefusal(refusal) } : saidData(row);
  }
  /** A lower term than was seen is thrown. */
  office(call, act) {
    try {
      return saidData(act(this.get(call.on, 'Guard')) ?? null);
    } catch (error) {
      if (error.code !== 'stale_term') throw error;
      return { refused: { stale_term: { seen: Number(error.message.match(/[0-9]+/)[0]) } } };
    }
  }
  guard_install(call) {
    return this.office(call, (guard) => guard.install(call.term, call.rows)) ?? 'done';
  }
  guard_close(call) {
    return this.office(call, (guard) => guard.close(call.term, call.domain, call.epoch));
  }
  guard_claim(call) {
    return this.office(call, (guard) => guard.claim(call.term)) ?? 'done';
  }
  guard_rows(call) {
    return saidData(this.get(call.on, 'Guard').rows);
  }
  decide(call) {
    const attempt = this.used(call.of);
    const column = (text, at) => (text === null ? null : at === 13 ? unhex(text) : BigInt(text));
    const decided = this.of.decide(attempt, content(call.content), call.look.map(column));
    const { reply, effect: { type, ...of }, found, learned, revision } = decided;
    const effect = Object.fromEntries(Object.entries(of).map(
      ([name, value]) => [name, typeof value === 'bigint' ? digits(value) : value]));
    return {
      reply: saidReply(reply), found, learned, revision: digits(revision),
      effect: type === 'keep' ? type : { [type]: effect },
    };
  }
  shard(call) {
    return this.make(call, 'MemoryShard');
  }
  chunks(call) {
    return this.make(call, 'Chunks');
  }
  attempt(call) {
    const [attempt, shard] = [this.used(call.of), this.get(call.on, 'MemoryShard')];
    const { reply, found } = shard.attempt(attempt, unhex(call.key), content(call.content));
    return {
      reply: saidReply(reply),
      found: found ? { value: found.value === null ? null : hex(found.value), op: hex(found.op) } : null,
    };
  }
  command(call) {
    const command = 'of' in call ? this.used(call.of) : data(call.command);
    const chunks = this.made(call.chunks);
    const shard = this.get(call.on, 'MemoryShard');
    const answer = offered(shard, 'command').call(shard, command, chunks);
    this.raw.set(call.n, answer);
    return saidData(answer);
  }

  // Migrations

  home_installs(call) {
    return saidData(offered(this.of, 'homeInstalls')(this.get(call.on, 'Snapshot'), call.shard));
  }
  plan(call) {
    const plan = offered(this.of, 'plan')(this.get(call.on, 'Snapshot'), call.changes, call.wave_slots);
    return this.keep(call, plan, { figures: plan.figures.map(snake), waves: saidData(plan.log.planned) });
  }
  coordinator(call) {
    const Coordinator = offered(this.of, 'Coordinator');
    const plan = call.plan === null ? null : this.made(call.plan);
    return this.keep(call, new Coordinator(call.term, call.settings, plan, call.now));
  }
  act(call) {
    const action = this.made(call.on).poll();
    if (!action.do) return saidData(action);
    // The shard that the command names stands beside it, too.
    const { shard, ...task } = action.do;
    this.raw.set(call.n, task.command);
    if (shard !== (Object.values(task.command)[0].shard ?? null)) return { shard };
    return saidData({ do: task });
  }
  answer(call) {
    const answer = 'of' in call ? this.used(call.of) : data(call.answer);
    const coordinator = this.made(call.on);
    coordinator.handleAnswer(call.now, call.id, answer);
    return { epoch: coordinator.snapshot?.epoch ?? null };
  }
  coordinator_timeout(call) {
    this.made(call.on).handleTimeout(call.now);
    return null;
  }
  roll_back(call) {
    this.made(call.on).rollBack(call.reason);
    return null;
  }
  pause(call) {
    this.made(call.on).pause(call.reason);
    return null;
  }
  resume(call) {
    this.made(call.on).resume();
    return null;
  }
  health(call) {
    this.made(call.on).handleHealth(call.now, call.health);
    return null;
  }
  wall_clock(call) {
    this.made(call.on).handleWallClock(call.now, call.unix_ms, call.utc_offset_min);
    return null;
  }
  agree_to_finish(call) {
    this.made(call.on).agreeToFinish();
    return null;
  }
  status(call) {
    const { status, decisions } = this.made(call.on);
    return saidData({ status, decisions });
  }

  // What a coordinator judges by, plans as data, deltas

  judge({ gates, health, own, shards }) {
    return saidData(offered(this.of, 'judge')(gates, health, own, shards));
  }
  allowed({ calendar, unix_ms: unixMs, utc_offset_min: offset }) {
    return saidData(offered(this.of, 'allowed')(calendar, unixMs, offset));
  }
  checklist({ ticks, settings }) {
    return offered(this.of, 'checklist')(ticks, settings);
  }
  advise({ circumstances }) {
    return offered(this.of, 'adviseStrategy')(circumstances);
  }
  advance(call) {
    return this.told(call, this.get(call.on, 'Snapshot').advance(unhex(call.delta)));
  }
  plan_data(call) {
    const snapshot = this.get(call.on, 'Snapshot');
    const plan = offered(this.of, 'plan')(snapshot, call.changes, 0, call.options);
    const said = { plan: plan.toJSON(), text: String(plan) };
    plan.free();
    return said;
  }
  plan_check(call) {
    const [snapshot, plan] = [this.get(call.on, 'Snapshot'), offered(this.of, 'Plan').from(call.plan)];
    try {
      plan.check(snapshot);
    } finally {
      plan.free();
    }
    return null;
  }
  pace(call) {
    const Pace = offered(this.of, 'Pace');
    return this.keep(call, new Pace(call.throttle));
  }
  paced(call, pace) {
    return { rate: pace.rate(), under: pace.rate(call.cap), ready_at: pace.readyAt };
  }
  pace_p99(call) {
    const pace = this.get(call.on, 'Pace');
    pace.handleP99(call.now, call.p99, call.limit, call.baseline);
    return this.paced(call, pace);
  }
  pace_spend(call) {
    const pace = this.get(call.on, 'Pace');
    pace.spend(call.now, call.rate, call.rows);
    return this.paced(call, pace);
  }

  // Transactions

  transaction(call) {
    const { Pins, Transaction } = this.of;
    const [pins, keys] = [new Pins(this.bytesOf(call)), call.keys.map(unhex)];
    try {
      return this.keep(call, new Transaction(pins, 'orders', keys, call.again, policy(call.policy), call.now));
    } finally {
      pins.free();
    }
  }
  transaction_poll(call) {
    return saidTransaction(this.get(call.on, 'Transaction').poll());
  }
  transaction_reply(call) {
    this.get(call.on, 'Transaction').handleReply(call.now, call.id, batchReply(call.reply));
    return null;
  }
  transaction_commit(call) {
    const uses = Uint8Array.from(call.uses, ([read, write]) => Number(read) + 2 * Number(write));
    this.get(call.on, 'Transaction').commit(call.now, uses);
    return null;
  }
  transaction_roll_back(call) {
    this.get(call.on, 'Transaction').rollBack();
    return null;
  }
  transaction_learn(call) {
    const [transaction, pins] = [this.get(call.on, 'Transaction'), new this.of.Pins(this.bytesOf(call))];
    transaction.handleSnapshot(call.now, pins);
    pins.free();
    return null;
  }
  transaction_timeout(call) {
    this.get(call.on, 'Transaction').handleTimeout(call.now);
    return null;
  }
}

let [bytes, seed, programs, calls, differ] = [[], null, 0, 0, 0];
const notOffered = new Map();
const began = performance.now();
for await (const line of createInterface({ input: createReadStream(process.argv[2]), crlfDelay: Infinity })) {
  const said = JSON.parse(line);
  if (said.bytes) {
    [bytes, seed] = [said.bytes.map(unhex), said.seed];
    continue;
  }
  programs += 1;
  const program = new Program(bytes, said.calls);
  for (const [at, call] of said.calls.entries()) {
    let answer;
    try {
      answer = program.call(call);
    } catch (error) {
      if (!(error instanceof NotOffered)) throw error;
      notOffered.set(call.do, (notOffered.get(call.do) ?? 0) + 1);
      continue;
    }
    calls += 1;
    if (!isDeepStrictEqual(answer, said.answers[at])) {
      differ += 1;
      const core = said.answers[at];
      console.log(JSON.stringify({ seed, program: said.program, call: at, did: call, core, javascript: saidData(answer) }));
      break;
    }
  }
  for (const object of program.objects.values()) object?.free?.();
}
const seconds = ((performance.now() - began) / 1000).toFixed(1);
console.log(`JavaScript: ${calls} answers of ${programs} programs in ${seconds} s, ${differ} programs differ`);
if (notOffered.size) console.log(`not offered: ${[...notOffered].map(([name, count]) => `${name} (${count})`).join(', ')}`);
process.exitCode = differ > 0 || calls === 0 || notOffered.size > 0 ? 1 : 0;
