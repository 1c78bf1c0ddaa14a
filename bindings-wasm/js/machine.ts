import * as raw from 'ringshift-gen';
import * as check from './check.js';
import { Held, camel, held, text } from './held.js';
import { many, put } from './keys.js';
import type {
  Attempt, Content, Decision, Description, Explanation, Key, Packed, Policy, RefreshStep, Reply,
  Response, ShadowStep, ShardInfo, ShardShare, Step,
} from './types.js';

/** The whole routing state at one epoch. Immutable. */
export class Snapshot extends Held<raw.Snapshot> {
  /** The first snapshot of a topology: an object, or its JSON text. */
  static fromTopology(topology: object | string): Snapshot {
    const json = typeof topology === 'string' ? topology : JSON.stringify(check.object(topology, 'a topology'));
    return new Snapshot(raw.Snapshot.fromTopology(json));
  }
  /** Reads the bytes of a snapshot, or of the record that a topology store keeps. */
  static decode(bytes: Uint8Array): Snapshot {
    return new Snapshot(raw.Snapshot.decode(check.binary(bytes, 'a snapshot')));
  }
  /** Its bytes: the same content always gives the same ones. */
  encode(): Uint8Array {
    return this._raw.encode();
  }
  /**
   * The snapshot that `bytes` lead to from this one, which stays as it is: those of a delta, or of
   * a whole snapshot or record. Throws `delta_base` for a delta from another snapshot.
   */
  advance(bytes: Uint8Array): Snapshot {
    return new Snapshot(this._raw.advance(check.binary(bytes, 'a delta')));
  }
  /** When this state came into force. */
  get epoch(): number {
    return this._raw.epoch();
  }
  /** The cluster's name. */
  get cluster(): string {
    return this._raw.cluster();
  }
  /** SHA-256 of its bytes, in hex: what tells it from all others. */
  get digest(): string {
    return this._raw.digest();
  }
  /** The shards, in the order of their index. */
  get shards(): ShardInfo[] {
    return this._raw.shards();
  }
  /** The names of the keyspaces. */
  get keyspaces(): string[] {
    return this._raw.keyspaces();
  }
  /** The shard index of each slot of a keyspace: for drawing. */
  owners(keyspace: string): Uint16Array {
    return this._raw.owners(text(keyspace, 'a keyspace'));
  }
  /** Whether the two are the same state. */
  equals(other: Snapshot): boolean {
    return this.digest === check.object(other, 'the other').digest;
  }
  override toString(): string {
    return `Snapshot(${this.cluster}, epoch ${this.epoch}, ${this.digest.slice(0, 12)})`;
  }
}

/** Hands a snapshot to `use`: also bytes, or one of another copy of this package, which are read for it. */
export function withSnapshot<T>(snapshot: Snapshot | Uint8Array, use: (held: raw.Snapshot) => T): T {
  if (snapshot instanceof Snapshot) return use(held(snapshot, Snapshot, 'a snapshot'));
  const bytes = snapshot instanceof Uint8Array ? snapshot : (check.object(snapshot, 'a snapshot') as Snapshot).encode?.();
  const read = raw.Snapshot.decode(check.binary(bytes, 'a snapshot'));
  try {
    return use(read);
  } finally {
    read.free();
  }
}

/** Routes keys by one snapshot, and moves to the next. Keep one for as long as you route. */
export class Router extends Held<raw.Router> {
  /** @internal */
  _names: string[] = [];
  #snapshot: Snapshot | undefined;

  /** A router by a snapshot, or by its bytes. */
  constructor(snapshot: Snapshot | Uint8Array) {
    super(withSnapshot(snapshot, (held) => new raw.Router(held)));
    this.#read();
  }
  /** Puts a newer snapshot in force. One that isn't newer, or of another history, is refused. */
  install(snapshot: Snapshot | Uint8Array): 'replaced' | 'same' {
    if (!withSnapshot(snapshot, (held) => this._raw.install(held))) return 'same';
    this.#read();
    return 'replaced';
  }
  #read(): void {
    this._names = this._raw.names();
    this.#snapshot = undefined;
  }
  /** The snapshot in force. */
  get snapshot(): Snapshot {
    const [now, known] = [this._raw, this.#snapshot];
    if (known === undefined || known.freed) this.#snapshot = new Snapshot(now.snapshot());
    return this.#snapshot as Snapshot;
  }
  /** Its epoch. */
  get epoch(): number {
    return this._raw.epoch();
  }
  /** The keyspace of that name. Look it up once; it goes by whatever snapshot is in force. */
  keyspace(name: string): Keyspace {
    return new Keyspace(this, name, this._raw.keyspace(text(name, 'a name')));
  }
}

/** One keyspace of a router. */
export class Keyspace {
  /** @internal */
  constructor(
    /** @internal */ readonly _router: Router,
    readonly name: string,
    /** The keyspace's number. */ readonly id: number,
  ) {}

  /** The index of the shard that orders the key's writes: its place in `snapshot.shards`. */
  route(key: Key): number {
    const bytes = put(key);
    const shard = this._router._raw.route(this.id, bytes);
    if (shard > 0xffff) this._router._raw.explain(this.id, bytes);
    return shard;
  }
  /** Its name. */
  shardOf(key: Key): string {
    return this._router._names[this.route(key)] as string;
  }
  /** Where the key is, in short. */
  describe(key: Key): Description {
    const { authority, slot, domain, domainEpoch, phase } = this.explain(key);
    return { shard: authority, slot, domain, epoch: domainEpoch, phase };
  }
  /** Each step from the key to its shards. */
  explain(key: Key): Explanation {
    const found = camel<Explanation>(this._router._raw.explain(this.id, put(key)));
    return { ...found, routingPart: Uint8Array.from(found.routingPart) };
  }
  /** The shard index of each key. */
  routeMany(keys: readonly Key[] | Packed): Uint16Array {
    const out = new Uint16Array(Array.isArray(keys) ? keys.length : (keys as Packed)?.ends?.length ?? 0);
    this.routeManyInto(keys, out);
    return out;
  }
  /** The same into `out`, which has room for all; how many there are. */
  routeManyInto(keys: readonly Key[] | Packed, out: Uint16Array): number {
    if (!(out instanceof Uint16Array)) throw check.bad('`out`', 'a Uint16Array', out);
    return many(keys, out, (bytes, count, utf16) =>
      this._router._raw.routeMany(this.id, bytes, count, utf16));
  }
  /** The places of the keys in the list, by the name of their shard. */
  groupByShard(keys: readonly Key[] | Packed): Map<string, number[]> {
    const groups: number[][] = [];
    this.routeMany(keys).forEach((shard, place) => (groups[shard] ??= []).push(place));
    // The entries of a list come in the order of its indexes: the shards'.
    return new Map(Object.entries(groups).map(([shard, places]) => [this._router._names[+shard] as string, places]));
  }
  /** Up to `n` shards for copies of the key, its own first; each in another zone while there are any. */
  replicas(key: Key, n: number): string[] {
    const found = this._router._raw.replicas(this.id, put(key), check.uint(n, '`n`', 0xffff));
    return Array.from(found, (shard) => this._router._names[shard] as string);
  }
  /** All shards with their share of the slots: for a fan-out. */
  shards(): ShardShare[] {
    const shares: Omit<ShardShare, 'name'>[] = this._router._raw.shares(this.id);
    return shares.map(({ slots, mirrored, phase }, at) => (
      { name: this._router._names[at] as string, slots, mirrored, phase }));
  }
}

const keyspaceOf = (keyspace: Keyspace): raw.Router => {
  if (!(keyspace instanceof Keyspace)) throw check.bad('a keyspace', 'a Keyspace', keyspace);
  return held(keyspace._router, Router, 'its router');
};

/** A read or a write of one key, as a machine: poll it until it waits or is done. */
export class Operation extends Held<raw.Operation> {
  /** Begins a read. `now` is in milliseconds, of any clock that never goes back. */
  static read(keyspace: Keyspace, key: Key, policy: Policy | undefined, now: number): Operation {
    return Operation.#begin(keyspace, key, false, policy, now);
  }
  /** Begins a write: put, delete or put-if; which, only the driver knows. */
  static write(keyspace: Keyspace, key: Key, policy: Policy | undefined, now: number): Operation {
    return Operation.#begin(keyspace, key, true, policy, now);
  }
  static #begin(keyspace: Keyspace, key: Key, write: boolean, policy: Policy | undefined, now: number): Operation {
    const [router, limits, at] = [keyspaceOf(keyspace), check.limits(policy), check.time(now)];
    return new Operation(new raw.Operation(router, keyspace.id, put(key), write, at, ...limits));
  }
  /** What to do next. */
  poll(): Step {
    return this._raw.poll();
  }
  /** What a shard answered to attempt `id`; throws `unknown_attempt` for one that isn't waited for. */
  handleReply(now: number, id: number, reply: Reply): void {
    this._raw.reply(check.time(now), check.uint(id, 'id'), ...check.reply(reply));
  }
  /** Plans the key by the snapshot that its router has now. */
  handleSnapshot(now: number, keyspace: Keyspace, key: Key): void {
    this._raw.snapshot(check.time(now), keyspaceOf(keyspace), keyspace.id, put(key));
  }
  /** Time has passed. */
  handleTimeout(now: number): void {
    this._raw.timeout(check.time(now));
  }
  /** The comparison that a sampled read asks for, once its caller was answered. */
  shadow(policy: Policy | undefined, now: number): Shadow | null {
    const shadow = this._raw.shadow(check.time(now), ...check.limits(policy));
    return shadow ? new Shadow(shadow) : null;
  }
}

/** A comparison of one key on both sides of a wave, as a machine. */
export class Shadow extends Held<raw.Shadow> {
  /** What to do next. */
  poll(): ShadowStep {
    return this._raw.poll();
  }
  /** What a shard answered, and the digest of the row or tombstone that it found. */
  handleReply(now: number, id: number, reply: Reply, digest: bigint | null): void {
    const row = digest === null ? undefined : check.wide(digest, 'digest', 64);
    this._raw.reply(check.time(now), check.uint(id, 'id'), row, ...check.reply(reply));
  }
  /** Time has passed. */
  handleTimeout(now: number): void {
    this._raw.timeout(check.time(now));
  }
}

/** One refresh for many operations. */
export class RefreshGate extends Held<raw.RefreshGate> {
  /** For a process that has a map of epoch `have`; fetches without news are `gapMs` apart at least. */
  constructor(have: number, gapMs: number, seed: number | bigint) {
    super(new raw.RefreshGate(check.uint(have, 'have'), check.uint(gapMs, 'gapMs'), check.wide(seed, 'seed', 64)));
  }
  /** Asks for a map past `newerThan`. */
  want(now: number, newerThan: number): RefreshStep {
    const at = this._raw.want(check.time(now), check.uint(newerThan, 'newerThan'));
    if (at >= 0) return { type: 'wait', until: at };
    return { type: at === -1 ? 'in-hand' : at === -2 ? 'fetch' : 'join' };
  }
  /** The fetch brought a map of that epoch. */
  fetched(now: number, epoch: number): void {
    this._raw.fetched(check.time(now), check.uint(epoch, 'epoch'));
  }
  /** The fetch failed. */
  failed(now: number): void {
    this._raw.failed(check.time(now));
  }
  /** How many fetches were begun. */
  get begun(): number {
    return Number(this._raw.begun());
  }
}

/** A shard in memory. */
export class MemoryShard extends Held<raw.MemoryShard> {
  constructor() {
    super(new raw.MemoryShard());
  }
  /** Gives it what the snapshot gives to the shard of that number, as a coordinator of `term` does. */
  home(snapshot: Snapshot | Uint8Array, shard: number, term = 0): void {
    withSnapshot(snapshot, (held) => this._raw.home(held, check.uint(shard, 'shard'), check.uint(term, 'term')));
  }
  /** Carries out one request of an operation. */
  attempt(attempt: Attempt, key: Uint8Array, content: Content | null): Response {
    const request = [...check.attempt(attempt), ...check.content(content)] as const;
    return this._raw.attempt(...request, check.binary(key, 'the key'));
  }
  /** How many rows there are, tombstones too. */
  get rows(): number {
    return this._raw.rows();
  }
}

/** What `LOOK_WRITE` brings; where it has the operation's name. */
const LOOK_COLUMNS = 15;
const LOOK_OP = 13;

/** What to do about an attempt, from the columns that the recipe's `LOOK_WRITE` brought. */
export function decide(
  attempt: Attempt, content: Content | null, look: readonly (number | bigint | Uint8Array | null)[],
): Decision {
  check.object(look, 'the look');
  const columns = new BigInt64Array(LOOK_COLUMNS);
  let nulls = 0;
  for (let at = 0; at < LOOK_COLUMNS; at++) {
    const column = look[at] ?? null;
    if (at !== LOOK_OP && column !== null) columns[at] = integer(column, at);
    else nulls |= 1 << at;
  }
  const op = look[LOOK_OP] ?? undefined;
  const [code, own, expected] = check.content(content);
  return raw.decide(...check.attempt(attempt), code, own, expected, columns, nulls,
    op === undefined ? op : check.binary(op, 'the operation'));
}
function integer(column: unknown, at: number): bigint {
  if (typeof column === 'bigint') return column;
  if (Number.isSafeInteger(column)) return BigInt(column as number);
  throw check.bad(`column ${at}`, 'an integer', column);
}

/** A number for a row's whole state: its version and its value, or null for a tombstone. */
export function rowDigest(key: Uint8Array, version: bigint, value: Uint8Array | null): bigint {
  const digested = value === null ? undefined : check.binary(value, 'the value');
  return raw.rowDigest(put(check.binary(key, 'the key')), check.wide(version, 'version'), digested);
}

/** What a shard that has nothing is set up with, for one keyspace or one override. */
export interface Home {
  /** The guard row, as the recipe's `GUARD_PUT` takes it: the domain first, then the keyspace. */
  readonly guard: readonly bigint[];
  /** How many bits the keyspace's slots have; for its home only. */
  readonly bits: readonly number[];
  /** The runs of slots that it claims; `end` is the first that it doesn't. */
  readonly slots: readonly { readonly start: number; readonly end: number }[];
  /** The intervals of keys that it claims, each in its runs of slots; an empty `end` is after every key. */
  readonly scopes: readonly {
    readonly start: Uint8Array;
    readonly end: Uint8Array;
    readonly slots: Home['slots'];
  }[];
}
/** The homes that a snapshot gives to the shard of that number. */
export function homes(snapshot: Snapshot, shard: number): Home[] {
  type Scope = { readonly start: number[]; readonly end: number[] };
  type Claim = { readonly Bits?: number; readonly Slots?: Home['slots']; readonly Scope?: [Scope, Home['slots']] };
  const all: [bigint[], Claim[]][] = raw.homes(held(snapshot, Snapshot, 'a snapshot'), check.uint(shard, 'shard'));
  return all.map(([guard, claims]) => ({
    guard,
    bits: claims.flatMap(({ Bits }) => Bits ?? []),
    slots: claims.flatMap(({ Slots }) => Slots ?? []),
    scopes: claims.flatMap(({ Scope }) => {
      if (!Scope) return [];
      const [{ start, end }, slots] = Scope;
      return [{ start: Uint8Array.from(start), end: Uint8Array.from(end), slots }];
    }),
  }));
}

/** The texts of the SQLite recipe. */
export interface Recipe {
  /** Statements, by name. */ readonly statements: Readonly<Record<string, string>>;
  /** Tables and indexes, as a script. */ readonly schema: string;
  /** What each connection is set to. */ readonly settings: string;
  /** Before a transaction that must be on disk when it is answered. */ readonly durable: string;
  /** After it. */ readonly relaxed: string;
  /** The format of the tables. */ readonly format: number;
}
/** The SQLite recipe: what a store runs. */
export function recipe(): Recipe {
  const [statements, schema, settings, durable, relaxed, format] = raw.recipe();
  return { statements, schema, settings, durable, relaxed, format: Number(format) };
}
/** Its statements, by name. */
export const statements = (): Readonly<Record<string, string>> => recipe().statements;

/** The slugs of all errors. */
export const errorCodes = (): string[] => raw.errorCodes();
