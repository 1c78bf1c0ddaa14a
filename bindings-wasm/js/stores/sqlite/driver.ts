/** SQLite as Node has it (`node:sqlite`), or as the package `better-sqlite3` has it: one face. */

import { RingshiftError } from 'ringshift';
import { recipe } from 'ringshift/local';
import { builtin } from '../../observe.js';

/** What a parameter may be: bytes, an integer, nothing. */
export type Parameter = Uint8Array | bigint | null;
/** What a column may be; integers are bigints. */
export type Column = Uint8Array | bigint | number | string | null;

/** A class that opens a database: `DatabaseSync` of `node:sqlite`, or `better-sqlite3`'s. */
export type DatabaseClass = new (path: string) => RawDatabase;

interface RawDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): RawStatement;
  close(): void;
}

interface RawStatement {
  get(parameters: object): object | null | undefined;
  iterate(parameters: object): Iterable<object>;
  run(parameters: object): unknown;
  setReadBigInts?(on: boolean): unknown;
  setReturnArrays?(on: boolean): unknown;
  safeIntegers?(on: boolean): unknown;
  raw?(on: boolean): unknown;
  reader?: boolean;
}

/** One connection. */
export class Database {
  readonly #raw: RawDatabase;
  readonly #statements = new Map<string, RawStatement>();
  /** What the core says that a shard runs. */
  readonly recipe = recipe();

  constructor(path: string, raw: DatabaseClass) {
    this.#raw = new raw(path);
  }

  /** Runs a script. */
  exec(sql: string): void {
    this.#raw.exec(sql);
  }

  /** The first row that a statement answers: one of the recipe's, by its name, or its text. */
  row(name: string, ...parameters: Parameter[]): Column[] | undefined {
    const row = this.#statement(name).get(numbered(parameters));
    return row == null ? undefined : (Object.values(row) as Column[]);
  }

  /** The rows that a statement answers, one by one; none for one that answers nothing. */
  rows(text: string, parameters: Parameter[]): Iterable<Column[]> {
    const { durable, relaxed } = this.recipe;
    if (text === durable || text === relaxed) {
      // These pragmas act when they are compiled.
      this.exec(text);
      return [];
    }
    const statement = this.#statement(text);
    if (!text.startsWith('SELECT')) {
      statement.run(numbered(parameters));
      return [];
    }
    return columns(statement.iterate(numbered(parameters)));
  }

  run(name: string, ...parameters: Parameter[]): void {
    this.#statement(name).run(numbered(parameters));
  }

  close(): void {
    this.#raw.close();
  }

  #statement(name: string): RawStatement {
    let statement = this.#statements.get(name);
    if (statement === undefined) {
      statement = this.#raw.prepare(this.recipe.statements[name] ?? name);
      statement.setReadBigInts?.(true);
      statement.setReturnArrays?.(true);
      statement.safeIntegers?.(true);
      if (statement.reader === true) statement.raw?.(true);
      this.#statements.set(name, statement);
    }
    return statement;
  }
}

function* columns(rows: Iterable<object>): Generator<Column[], void> {
  for (const row of rows) yield Object.values(row) as Column[];
}

/** Both packages take the parameter `?1` by the name `1`. */
function numbered(parameters: Parameter[]): object {
  const named: Record<number, Parameter> = {};
  parameters.forEach((value, at) => (named[at + 1] = value));
  return named;
}

/** The SQLite of this process. */
export async function databaseClass(): Promise<DatabaseClass> {
  const own = builtin<{ DatabaseSync: DatabaseClass }>('node:sqlite');
  if (own !== undefined) return own.DatabaseSync;
  // Not a literal, so that no bundler asks for a package that is optional.
  const name = 'better-sqlite3';
  try {
    const module = (await import(/* @vite-ignore */ /* webpackIgnore: true */ name)) as {
      default: DatabaseClass;
    };
    return module.default;
  } catch (cause) {
    const text = 'there is no SQLite here: use Node 22.13 or later, or install `better-sqlite3`';
    throw new RingshiftError('store_io', text, { cause });
  }
}

/** What SQLite said no with: the number of its primary error code, 0 for what isn't SQLite's. */
export function errorNumber(error: unknown): number {
  const { errcode, code } = error as { errcode?: unknown; code?: unknown };
  if (typeof errcode === 'number') return errcode & 0xff;
  if (typeof code !== 'string' || !code.startsWith('SQLITE_')) return 0;
  const names = { BUSY: BUSY, LOCKED: LOCKED, TOOBIG: TOO_BIG, CONSTRAINT: CONSTRAINT };
  const [, name = ''] = code.split('_');
  return (names as Record<string, number>)[name] ?? OTHER;
}

const OTHER = 1;
export const BUSY = 5;
export const LOCKED = 6;
export const TOO_BIG = 18;
export const CONSTRAINT = 19;
