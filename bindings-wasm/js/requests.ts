// What a store is asked, checked, in the order in which the module takes it.
import { bad, binary, flag, object, or, u16, uint, wide } from './check.js';
import { KINDS } from './shapes.js';
import type { Attempt, Content } from './types.js';

/** An attempt. */
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

const NONE = new Uint8Array(0);
const CHANGES = ['', 'put', 'delete', 'put-if'];
/** What goes with an attempt. */
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

/** What goes with each part of a batch, in columns. */
export function contents(requests: readonly Content[]): { codes: Uint8Array; ops: Uint8Array; values: Uint8Array[] } {
  const codes = new Uint8Array(requests.length);
  const ops = new Uint8Array(16 * requests.length);
  const values = requests.map((request, at) => {
    const [code, op, , value] = content(request);
    codes[at] = code;
    ops.set(op, 16 * at);
    return value;
  });
  return { codes, ops, values };
}
/** Bytes back to back, and where each ends. */
export function packed(all: readonly Uint8Array[]): [Uint8Array, Uint32Array] {
  const ends = new Uint32Array(all.length);
  let end = 0;
  all.forEach((one, at) => (ends[at] = end += one.length));
  const bytes = new Uint8Array(end);
  all.forEach((one, at) => bytes.set(one, ends[at]! - one.length));
  return [bytes, ends];
}
