/** One request of an operation. */

import { decide, homes, RingshiftError } from 'ringshift';
import type { Attempt, Decision, Found, Request, Response, Snapshot } from 'ringshift';
import type { Column, Database } from './driver.js';

type Look = Parameters<typeof decide>[2];

/** Where `LOOK_READ` and `LOOK_WRITE` have the row's version and operation, and the value. */
const [VERSION, OP, VALUE] = [12, 13, 15];

/** A transaction whose commit failed: whether it was carried out isn't known. */
export class CommitFailed {
  constructor(readonly cause: unknown) {}
}

/** A read or a confirm: one statement, so one unchanging state of the file. */
export function read(database: Database, attempt: Attempt, request: Request): Response {
  const text = attempt.kind === 'read' ? 'LOOK_READ' : 'LOOK_WRITE';
  const look = database.row(text, ...place(attempt, request)) ?? [];
  const decision = decide(attempt, request, look as Look);
  return { reply: decision.reply, found: found(look, decision, () => look[VALUE] ?? null) };
}

/** A write or an apply. */
export function write(database: Database, attempt: Attempt, request: Request): Response {
  return transaction(database, () => {
    const look = database.row('LOOK_WRITE', ...place(attempt, request)) ?? [];
    const decision = decide(attempt, request, look as Look);
    const [, keyspace, , key] = place(attempt, request);
    const value = (): Column => database.row('VALUE', keyspace, key)?.[0] ?? null;
    const brought = found(look, decision, value);
    carryOut(database, attempt, request, look, decision);
    return { reply: decision.reply, found: brought };
  });
}

/** Carries a decision out. */
function carryOut(
  database: Database,
  attempt: Attempt,
  request: Request,
  look: readonly Column[],
  decision: Decision,
): void {
  const { effect, learned } = decision;
  if (effect.type === 'keep') return;
  const [, keyspace, slot, key] = place(attempt, request);
  const present = look[VERSION] !== null;
  const revision = decision.revision + 1n;
  if (effect.type === 'remove') {
    database.run('FLOOR_RAISE', keyspace, slot, effect.floor);
    if (!present) return;
    database.run('ROW_DELETE', keyspace, key);
  } else {
    const { op } = request.row ?? request;
    const content = [effect.version, revision, op, valueOf(request)];
    if (present) {
      database.run('ROW_UPDATE', keyspace, key, ...content);
    } else {
      if (learned !== null) database.run('KEYSPACE_PUT', keyspace, BigInt(learned));
      database.run('ROW_INSERT', keyspace, key, BigInt(attempt.storedSlot), ...content);
    }
  }
  database.run('REVISION_SET', revision);
}

function place(attempt: Attempt, { key }: Request): [bigint, bigint, bigint, Uint8Array] {
  return [BigInt(attempt.domain), BigInt(attempt.keyspace), BigInt(attempt.slot), key];
}

/** The value that a put puts, `null` for a tombstone. */
function valueOf({ change, row }: Request): Uint8Array | null {
  if (row !== null) return row.value;
  return change === null || change.type === 'delete' ? null : change.value;
}

function found(look: readonly Column[], decision: Decision, value: () => Column): Found | null {
  return decision.found ? { value: bytesOf(value()), op: bytesOf(look[OP])! } : null;
}

/** Text is taken as its bytes, since other hands may have put it there. */
function bytesOf(column: Column | undefined): Uint8Array | null {
  if (typeof column === 'string') return new TextEncoder().encode(column);
  if (column instanceof Uint8Array) {
    return new Uint8Array(column.buffer, column.byteOffset, column.byteLength);
  }
  if (column == null) return null;
  throw new RingshiftError('store_damaged', 'a value is neither bytes nor text; check the disk');
}

/** Runs `work` in one transaction that no other writer comes between. */
export function transaction<T>(database: Database, work: () => T): T {
  database.run('BEGIN IMMEDIATE');
  let result: T;
  try {
    result = work();
  } catch (error) {
    rollBack(database);
    throw error;
  }
  try {
    database.run('COMMIT');
  } catch (error) {
    rollBack(database);
    throw new CommitFailed(error);
  }
  return result;
}

/** Some errors have rolled the transaction back already. */
function rollBack(database: Database): void {
  try {
    database.run('ROLLBACK');
  } catch {
    // What can't be rolled back now is rolled back when the connection goes.
  }
}

/**
 * Gives a shard that no coordinator has been at the homes that the snapshot says, durably. Answers
 * whether it was such a one.
 */
export function setUp(database: Database, snapshot: Snapshot, shard: number): boolean {
  database.exec(database.recipe.durable);
  try {
    return transaction(database, () => {
      if (database.row('GUARDS') !== undefined) return false;
      for (const { guard, bits, slots, scopes } of homes(snapshot, shard)) {
        const [domain, keyspace] = guard as [bigint, bigint];
        database.run('GUARD_PUT', ...guard);
        for (const count of bits) database.run('CLAIM_BITS', keyspace, BigInt(count));
        for (const { start, end } of slots) {
          database.run('CLAIM_SLOTS', keyspace, BigInt(start), BigInt(end), domain);
        }
        for (const { start, end, slots } of scopes) {
          for (const run of slots) {
            database.run('CLAIM_SCOPE', keyspace, start, end, BigInt(run.start), BigInt(run.end), domain);
          }
        }
      }
      database.run('TERM_SET', 0n);
      return true;
    });
  } finally {
    database.exec(database.recipe.relaxed);
  }
}
