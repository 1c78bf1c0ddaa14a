/** From a path to a connection: settings, tables, and refusing what isn't ours. */

import { RingshiftError } from 'ringshift';
import { builtin } from '../../observe.js';
import { Database } from './driver.js';
import type { DatabaseClass } from './driver.js';

interface Files {
  existsSync(path: string): boolean;
  openSync(path: string, flags: string): number;
  readSync(file: number, into: Uint8Array): number;
  fsyncSync(file: number): void;
  closeSync(file: number): void;
}

/** Pages of the log at which SQLite moves them into the database. */
const CHECKPOINT_PAGES = 1_000;

/** One connection to the shard at `path`, which is made when there is no file or an empty one. */
export function open(path: string, databaseClass: DatabaseClass, busyMs: number): Database {
  checkHeader(path);
  const database = new Database(path, databaseClass);
  try {
    database.exec(`PRAGMA busy_timeout = ${busyMs}`);
    // A foreign file must be left as it is, and the settings change it.
    checkTables(database, path);
    database.exec(database.recipe.settings);
    database.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    prepare(database, path);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Makes the tables of a new file, or checks those of an old one. */
function prepare(database: Database, path: string): void {
  const { durable, format, relaxed, schema } = database.recipe;
  database.exec(durable);
  database.exec('BEGIN IMMEDIATE');
  try {
    if (!checkTables(database, path)) {
      database.exec(schema);
      const incarnation = crypto.getRandomValues(new Uint8Array(16));
      database.run('META_CREATE', BigInt(format), incarnation);
    }
    const [found] = database.row('META') ?? [];
    if (found === undefined) throw foreign(path);
    if (found !== BigInt(format)) {
      const text = `\`${path}\` has format ${found}, which this version can't read; update it`;
      throw new RingshiftError('store_format', text);
    }
    database.exec('COMMIT');
  } catch (error) {
    database.exec('ROLLBACK');
    throw error;
  }
  database.exec(relaxed);
  syncFolder(path);
}

/** Whether the shard's tables are there; a database without tables is new. */
function checkTables(database: Database, path: string): boolean {
  const count =
    "SELECT count(*), sum(name = 'ringshift_meta') FROM sqlite_master WHERE type = 'table'";
  const [tables, ours] = database.row(count) ?? [];
  if (tables === 0n) return false;
  if (ours !== 1n) throw foreign(path);
  return true;
}

function foreign(path: string): RingshiftError {
  const text = `\`${path}\` is a database without Ringshift's tables; give a new path`;
  return new RingshiftError('store_format', text);
}

/** Refuses a file that isn't an SQLite database before SQLite looks at it. */
function checkHeader(path: string): void {
  const fs = files();
  if (!fs.existsSync(path)) return;
  const file = fs.openSync(path, 'r');
  try {
    const header = new Uint8Array(16);
    const length = fs.readSync(file, header);
    if (length === 0 || new TextDecoder().decode(header) === 'SQLite format 3\0') return;
  } finally {
    fs.closeSync(file);
  }
  const text = `\`${path}\` is not an SQLite database; give another path`;
  throw new RingshiftError('store_format', text);
}

/** Makes the file's name durable, not only its content. */
function syncFolder(path: string): void {
  const fs = files();
  const folder = builtin<{ dirname(path: string): string }>('node:path')?.dirname(path) ?? '.';
  const file = fs.openSync(folder, 'r');
  try {
    fs.fsyncSync(file);
  } finally {
    fs.closeSync(file);
  }
}

function files(): Files {
  const fs = builtin<Files>('node:fs');
  if (fs === undefined) throw new RingshiftError('store_io', 'there are no files here');
  return fs;
}
