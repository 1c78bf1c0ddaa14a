// The side of a shard, and the first snapshot: what runs where the data are, in tests and in quick
// starts. Its module is not the client's: snapshots go from one to the other as bytes.
import * as raw from 'ringshift-gen';
import { Snapshot } from 'ringshift';
import type { Attempt, Batch, BatchReply, BatchResponse, Content, Decision, Reply, Request } from 'ringshift';
import * as check from './check.js';
import { Held } from './held.js';
import { read } from './read.js';
import { attempt as attemptOf, content as contentOf, contents, packed } from './requests.js';
import type { Response } from './types.js';

/** The first snapshot of a topology: an object, or its JSON text. */
export function fromTopology(topology: object | string): Snapshot {
  const json = typeof topology === 'string' ? topology : JSON.stringify(check.object(topology, 'a topology'));
  const made = raw.Snapshot.fromTopology(json);
  try {
    return Snapshot.decode(made.encode());
  } finally {
    made.free();
  }
}

/** A shard in memory. */
export class MemoryShard extends Held<raw.MemoryShard> {
  constructor() {
    super(new raw.MemoryShard());
  }
  /** Gives it what the snapshot gives to the shard of that number, as a coordinator of `term` does. */
  home(snapshot: Snapshot | Uint8Array, shard: number, term = 0): void {
    read(snapshot, (held) => this._raw.home(held, check.uint(shard, 'shard'), check.uint(term, 'term')));
  }
  /** What time it is, in milliseconds of a clock that never goes back. Leases end by it; untold, it has none. */
  handleTime(now: number): void {
    this._raw.handleTime(check.time(now));
  }
  /** Carries out one request of an operation. */
  attempt(attempt: Attempt, key: Uint8Array, content: Content | null): Response {
    const request = [...attemptOf(attempt), ...contentOf(content)] as const;
    return this._raw.attempt(...request, check.binary(key, 'the key'));
  }
  /** Carries a transaction's batch out, in one step, or nothing of it. */
  batch(batch: Batch, requests: readonly Request[]): BatchResponse {
    const { codes, ops, values } = contents(requests);
    const keys = packed(requests.map(({ key }) => key));
    const said = this._raw.batch(batch.numbers, codes, ops, ...keys, ...packed(values));
    const refused = notDone(said);
    if (refused !== null) return { reply: refused, found: [] };
    const all = said as Response[];
    return {
      reply: { type: 'done', replies: all.map(({ reply }) => reply) },
      found: all.map(({ found }) => found ?? null),
    };
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
  const [code, own, expected] = contentOf(content);
  return raw.decide(...attemptOf(attempt), code, own, expected, columns, nulls,
    op === undefined ? op : check.binary(op, 'the operation'));
}
function integer(column: unknown, at: number): bigint {
  if (typeof column === 'bigint') return column;
  if (Number.isSafeInteger(column)) return BigInt(column as number);
  throw check.bad(`column ${at}`, 'an integer', column);
}

/** What to do about a batch, from the columns of `LOOK_WRITE` for each part: a decision for each, or the reply. */
export function decideBatch(
  batch: Batch, requests: readonly Content[], looks: readonly (readonly (number | bigint | Uint8Array | string | null)[])[],
): readonly Decision[] | BatchReply {
  const { codes, ops } = contents(requests);
  const columns = new BigInt64Array(LOOK_COLUMNS * looks.length);
  const nulls = new Uint32Array(looks.length);
  const present = new Uint8Array(16 * looks.length);
  looks.forEach((look, place) => {
    for (let at = 0; at < LOOK_COLUMNS; at++) {
      const column = look[at] ?? null;
      if (at === LOOK_OP && column !== null) present.set(check.binary(column, 'the operation').subarray(0, 16), 16 * place);
      else if (column !== null) columns[LOOK_COLUMNS * place + at] = integer(column, at);
      else nulls[place]! |= 1 << at;
    }
  });
  const said = raw.decideBatch(batch.numbers, codes, ops, columns, nulls, present);
  return notDone(said) ?? (said as Decision[]);
}
/** What was said of a batch that wasn't carried out: the place of a part, and its reply. */
function notDone(said: unknown[]): BatchReply | null {
  if (typeof said[0] !== 'number') return null;
  return { type: 'not-done', part: said[0], reply: said[1] as Reply };
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
export function homes(snapshot: Snapshot | Uint8Array, shard: number): Home[] {
  type Scope = { readonly start: number[]; readonly end: number[] };
  type Claim = { readonly Bits?: number; readonly Slots?: Home['slots']; readonly Scope?: [Scope, Home['slots']] };
  const number = check.uint(shard, 'shard');
  const all: [bigint[], Claim[]][] = read(snapshot, (held) => raw.homes(held, number));
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
