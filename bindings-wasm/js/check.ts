// What callers hand over, checked: a module of numbers takes anything for a number.
import { KINDS, REPLIES, RingshiftError } from './shapes.js';
import type { Attempt, Content, Policy, Reply } from './types.js';

export const bad = (what: string, wanted: string, got: unknown): RingshiftError =>
  new RingshiftError('argument', `${what} must be ${wanted}, not ${
    typeof got === 'number' || typeof got === 'bigint' ? got : got === null ? 'null' : typeof got}`);

export function uint(value: unknown, what: string, max = 0xffff_ffff): number {
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= max) return value as number;
  throw bad(what, `an integer of 0 to ${max}`, value);
}
export function time(value: unknown): number {
  if (typeof value === 'number' && value >= 0) return value;
  throw bad('the time', 'milliseconds from 0', value);
}
export function wide(value: unknown, what: string, bits = 63): bigint {
  const wide = typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof wide === 'bigint' && wide >= 0n && wide < 1n << BigInt(bits)) return wide;
  throw bad(what, `an integer of 0 to 2^${bits} - 1`, value);
}
export function offset(value: unknown): number {
  if (Number.isInteger(value) && Math.abs(value as number) <= 1_440) return value as number;
  throw bad('the offset', 'minutes from -1440 to 1440', value);
}
export function flag(value: unknown, what: string): boolean {
  if (typeof value === 'boolean') return value;
  throw bad(what, 'true or false', value);
}
export function binary(value: unknown, what: string): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw bad(what, 'a Uint8Array', value);
}
export function object<T extends object>(value: T | null | undefined, what: string): T {
  if (typeof value === 'object' && value !== null) return value;
  throw bad(what, 'an object', value);
}
const or = <T>(value: unknown, take: (value: unknown, what: string) => T, what: string): T | undefined =>
  value === undefined || value === null ? undefined : take(value, what);
const u16 = (value: unknown, what: string): number => uint(value, what, 0xffff);

type Limits = [deadlineMs?: number, attemptMs?: number, attemptsMax?: number, confirm?: boolean, seed?: bigint];
export function limits(policy: Policy | undefined): Limits {
  if (policy === undefined) return [];
  const { deadlineMs, attemptMs, attemptsMax, confirm, seed } = object(policy, 'the policy');
  return [
    or(deadlineMs, uint, 'deadlineMs'), or(attemptMs, uint, 'attemptMs'), or(attemptsMax, u16, 'attemptsMax'),
    or(confirm, flag, 'confirm'), or(seed, (value, what) => wide(value, what, 64), 'seed'),
  ] as Limits;
}

/** An attempt, in the order in which the module takes it. */
export function attempt(a: Attempt) {
  object(a, 'the attempt');
  const kind = KINDS.indexOf(a.kind);
  if (kind < 0) throw bad("the attempt's kind", KINDS.join(', '), a.kind);
  return [
    uint(a.id, 'id'), uint(a.shard, 'shard'), u16(a.keyspace, 'keyspace'), uint(a.slot, 'slot'),
    uint(a.storedSlot, 'storedSlot'), uint(a.domain, 'domain'), uint(a.epoch, 'epoch'), kind,
    or(a.version, wide, 'version'), or(a.foundBy, uint, 'foundBy'), flag(a.blocking, 'blocking'),
  ] as const;
}

const FAILURES = 6;
const REFUSALS = 9;
/** A reply, in the order in which the module takes it. */
export function reply(r: Reply): [number, bigint | undefined, number, number] {
  object(r, 'the reply');
  switch (r.type) {
    case 'found': case 'deleted': case 'written':
      return [REPLIES.indexOf(r.type), wide(r.version, 'version'), 0, 0];
    case 'missing': case 'superseded': return [REPLIES.indexOf(r.type), undefined, 0, 0];
    case 'conflict': return [REPLIES.indexOf(r.type), or(r.found, wide, 'found'), 0, 0];
    case 'failed': return [within(r.failure, FAILURES, REFUSALS), undefined, 0, 0];
    case 'refused': {
      const { code, current, drained, seen } = object(r.refusal, 'the refusal');
      return [within(code, REFUSALS, REPLIES.length), undefined,
        uint(current ?? seen ?? 0, 'current'), uint(drained ?? 0, 'drained')];
    }
    default: throw bad("the reply's type", REPLIES.slice(0, FAILURES).join(', '), (r as Reply).type);
  }
}
function within(name: string, from: number, to: number): number {
  const at = REPLIES.indexOf(name, from);
  if (at >= from && at < to) return at;
  throw bad('why it failed', REPLIES.slice(from, to).join(', '), name);
}

const NONE = new Uint8Array(0);
const CHANGES = ['', 'put', 'delete', 'put-if'];
/** What goes with an attempt, in the order in which the module takes it. */
export function content(c: Content | null | undefined) {
  const { row, change, op } = c ?? {};
  if (row) {
    const deleted = row.deleted ?? row.value == null;
    const value = or(row.value, binary, 'the value') ?? NONE;
    return [deleted ? 5 : 4, binary(row.op ?? op, 'op'), undefined, value] as const;
  }
  if (!change) return [0, NONE, undefined, NONE] as const;
  const code = CHANGES.indexOf(change.type);
  if (code < 1) throw bad("the change's type", CHANGES.slice(1).join(', '), change.type);
  const { value, expected } = change as { value?: Uint8Array; expected?: bigint | null };
  return [
    code, binary(op, 'op'), or(expected, wide, 'expected'), or(value, binary, 'the value') ?? NONE,
  ] as const;
}
