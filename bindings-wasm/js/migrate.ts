// Planning and coordinating migrations, and the shard's side. Commands, answers, guard rows and logs
// are the core's own data: names in kebab-case, fields in snake_case, numbers of 64 bits as bigints.
import * as raw from 'ringshift-gen';
import * as check from './check.js';
import { Held, held, text } from './held.js';
import { put } from './keys.js';
import * as local from './local.js';
import * as machine from './machine.js';
import type {
  Access, Action, Answer, Changes, Command, GateDecision, GuardRow, Health, InstallRow, Key, Log, Mismatch, PhaseRow,
  PlanData, PlanFigures, PlanOptions, Refusal, Settings, Status, Wave,
} from './types.js';

const NEVER = 2n ** 64n - 1n;
const json = (value: object | string | undefined, what: string): string =>
  typeof value === 'string' ? value : JSON.stringify(check.object(value ?? {}, what));

/** What a migration will do. Look at its figures, then hand it to a coordinator. */
export class Plan extends Held<raw.Plan> {
  /** What moves, keyspace by keyspace. */
  get figures(): PlanFigures[] {
    return this._raw.figures();
  }
  /** A plan that was kept: what `JSON.stringify` made of one. */
  static from(kept: object | string): Plan {
    return new Plan(raw.Plan.parse(json(kept, 'the plan')));
  }
  /** Everything that it says: figures, waves, times, what can be undone, which strategy fits. */
  toJSON(): PlanData {
    return JSON.parse(this._raw.json()) as PlanData;
  }
  /** Refuses a snapshot that it wasn't made from. A coordinator asks that before it begins. */
  check(snapshot: machine.Snapshot | Uint8Array): void {
    machine.withSnapshot(snapshot, (held) => this._raw.check(held));
  }
  /** The same as a table for people. */
  override toString(): string {
    return this._raw.text();
  }
  /** What a coordinator begins with: the waves in their order, and the shards as they are to be. */
  get log(): Log {
    return this._raw.log();
  }
}

/**
 * Plans changes: fewest moves, exact shares, a wave for each pair of shards. With options, a strategy's
 * settings go with the plan; without, the coordinator's own hold.
 */
export function plan(
  snapshot: machine.Snapshot | Uint8Array, changes: Changes | string, waveSlotsMax = 0,
  options?: PlanOptions | string,
): Plan {
  const wish = json(changes, 'the changes');
  const most = check.uint(waveSlotsMax, 'waveSlotsMax');
  const how = options === undefined ? undefined : json(options, 'the options');
  return new Plan(machine.withSnapshot(snapshot, (held) => new raw.Plan(held, wish, most, how)));
}

/** The waves of a keyspace that are in a snapshot, by age: what moves now, and how far it is. */
export const waves = (snapshot: machine.Snapshot | Uint8Array, keyspace: string): Wave[] =>
  machine.withSnapshot(snapshot, (held) => raw.waves(held, text(keyspace, 'a keyspace')));

/** The phase table: the phases in their order, and what each side of a wave does in them. */
export const phases = (): PhaseRow[] => raw.phases();

/** Carries a migration out, one command at a time, as a machine. */
export class Coordinator extends Held<raw.Coordinator> {
  /** One of a term that no other coordinator was given. It goes on with what it finds; else it begins `wanted`. */
  constructor(term: number, settings: Settings | string | undefined, wanted: Plan | null, now: number) {
    const log = wanted === null ? undefined : held(wanted, Plan, 'what is wanted').copy();
    super(new raw.Coordinator(check.uint(term, 'term'), json(settings, 'the settings'), log, check.time(now)));
  }
  /** What to do next. */
  poll(): Action {
    const action = this._raw.poll();
    if (action.wait) return { wait: { until: action.wait.until === NEVER ? Infinity : Number(action.wait.until) } };
    if (!action.do) return action;
    const [of] = Object.values<{ shard?: number }>(action.do.command);
    return { do: { ...action.do, shard: of?.shard ?? null } };
  }
  /** The answer to a command. One to another than the present one does nothing. */
  handleAnswer(now: number, id: number, answer: Answer): void {
    this._raw.answer(check.time(now), check.uint(id, 'id'), answer);
  }
  /** Time has passed. */
  handleTimeout(now: number): void {
    this._raw.timeout(check.time(now));
  }
  /** How the application and its stores are. The throttle follows at once, gates when they are asked next. */
  handleHealth(now: number, health: Health): void {
    this._raw.health(check.time(now), json(check.object(health, 'the health'), 'the health'));
  }
  /**
   * What was seen of the stores: a `StoreWatch`'s health, say. It counts where `handleHealth` says
   * nothing, and a store that is sick by either is.
   */
  handleSeen(now: number, seen: Health): void {
    this._raw.seen(check.time(now), json(check.object(seen, 'what was seen'), 'what was seen'));
  }
  /** The move that is being carried out, with the number of a ramp; null for none. */
  get goal(): unknown {
    return this._raw.goal();
  }
  /** What the clock on the wall shows, in milliseconds since 1970-01-01 UTC, and how many minutes local time is ahead of UTC. */
  handleWallClock(now: number, unixMs: number, utcOffsetMin = 0): void {
    this._raw.wallClock(check.time(now), check.wide(unixMs, 'unixMs'), check.offset(utcOffsetMin));
  }
  /** Agrees to the point of no return, where `gates.finish` asks for that. */
  agreeToFinish(): void {
    this._raw.agreeToFinish();
  }
  /** Where the migration stands, and what holds it. */
  get status(): Status {
    return this._raw.status();
  }
  /** What the gates have made it decide, the oldest first; the last 256. */
  get decisions(): GateDecision[] {
    return this._raw.decisions();
  }
  /** Turns the migration round: after the present move, everything goes back to where it began. */
  rollBack(reason = ''): void {
    this._raw.rollBack(text(reason, 'the reason'));
  }
  /** Stops it after the present move, in a safe state. */
  pause(reason = ''): void {
    this._raw.pause(text(reason, 'the reason'));
  }
  /** Goes on with a paused one. */
  resume(): void {
    this._raw.resume();
  }
  /** The snapshot in force as far as it knows; null before it was read. */
  get snapshot(): machine.Snapshot | null {
    const snapshot = this._raw.snapshot();
    return snapshot ? new machine.Snapshot(snapshot) : null;
  }
  /** The log as it stands. */
  get log(): Log {
    return this._raw.log();
  }
  /** The mismatches that verification has confirmed. */
  get mismatches(): Mismatch[] {
    return this._raw.mismatches();
  }
}

/** The chunks of rows that were read, and may still be applied. One for all shards. */
export class Chunks extends Held<raw.Chunks> {
  constructor() {
    super(new raw.Chunks());
  }
}

/** A shard in memory, for operations and for a coordinator. */
export class MemoryShard extends local.MemoryShard {
  /** Carries out a coordinator's command. */
  command(command: Command, chunks: Chunks): Answer {
    return this._raw.command(command, held(chunks, Chunks, 'the chunks'));
  }
}

/**
 * Carries out a coordinator's command on a shard in SQLite. `run` is given a statement and its parameters, runs
 * it and answers its rows, which are read to their end before it is called again; nobody else uses the connection
 * meanwhile.
 */
export function sqliteCommand(
  run: (text: string, parameters: (Uint8Array | bigint | null)[]) => Iterable<readonly unknown[]>,
  command: Command, chunks: Chunks,
): Answer {
  if (typeof run !== 'function') throw check.bad('`run`', 'a function', run);
  return raw.sqliteCommand(run, command, held(chunks, Chunks, 'the chunks'));
}

/** The guard rows that a shard with nothing needs. */
export const homeInstalls = (snapshot: machine.Snapshot | Uint8Array, shard: number): InstallRow[] =>
  machine.withSnapshot(snapshot, (held) => raw.homeInstalls(held, check.uint(shard, 'shard')));

/** What a topology store keeps, and how it answers a coordinator, in memory. Its bytes are those of a file. */
export class TopologyRecord extends Held<raw.Topology> {
  /** A first snapshot, that nobody has led with. */
  static create(snapshot: machine.Snapshot | Uint8Array): TopologyRecord {
    return new TopologyRecord(machine.withSnapshot(snapshot, (held) => new raw.Topology(held)));
  }
  /** Reads the bytes of a record. */
  static decode(bytes: Uint8Array): TopologyRecord {
    return new TopologyRecord(raw.Topology.decode(check.binary(bytes, 'a record')));
  }
  /** Its bytes. */
  encode(): Uint8Array {
    return this._raw.encode();
  }
  /** The snapshot in force. */
  get snapshot(): machine.Snapshot {
    return new machine.Snapshot(this._raw.snapshot());
  }
  /** A topology's source: the bytes of the snapshot in force, if it is newer. */
  async fetch(newerThan: number): Promise<Uint8Array | null> {
    const { snapshot } = this;
    try {
      return snapshot.epoch > newerThan ? snapshot.encode() : null;
    } finally {
      snapshot.free();
    }
  }
  /** A term for a new coordinator: no two are given the same. */
  drawTerm(): number {
    return this._raw.drawTerm();
  }
  /** Carries out a coordinator's command. */
  command(command: Command): Answer {
    return this._raw.command(command);
  }
}

const ACCESS = ['read', 'write', 'apply', 'copy', 'purge', 'collect'];
/** A whole shard's fencing state, in memory. */
export class Guard extends Held<raw.Guard> {
  constructor() {
    super(new raw.Guard());
  }
  /** Whether a request on a key is let through: the row of its domain, or why not. */
  admit(
    request: { keyspace: number; slot: number; key: Key; domain: number; epoch: number }, access: Access, term = 0,
  ): { row: GuardRow | null; refusal: Refusal | null } {
    const { keyspace, slot, key, domain, epoch } = check.object(request, 'the request');
    const kind = ACCESS.indexOf(access);
    if (kind < 0) throw check.bad('the access', ACCESS.join(', '), access);
    const said = this._raw.admit(
      check.uint(keyspace, 'keyspace', 0xffff), check.uint(slot, 'slot'), put(key),
      check.uint(domain, 'domain'), check.uint(epoch, 'epoch'), kind, check.uint(term, 'term'));
    return said.type === 'refused' ? { row: null, refusal: said.refusal } : { row: said, refusal: null };
  }
  /** Remembers a coordinator's term; throws `stale_term` for a lower one than any seen. */
  claim(term: number): void {
    this._raw.claim(check.uint(term, 'term'));
  }
  /** Installs rows; one that isn't newer than what is there is skipped. */
  install(term: number, rows: readonly InstallRow[]): void {
    this._raw.install(check.uint(term, 'term'), rows);
  }
  /** Closes a domain at exactly that epoch: its row as it is then, null if there is none. */
  close(term: number, domain: number, epoch: number): GuardRow | null {
    return this._raw.close(check.uint(term, 'term'), check.uint(domain, 'domain'), check.uint(epoch, 'epoch'));
  }
  /** All rows, by domain. */
  get rows(): GuardRow[] {
    return this._raw.rows();
  }
  /** The highest term seen. */
  get term(): number {
    return this._raw.term();
  }
}
