// What the core says, put together from the numbers that it says it in.

/** How attempts are called, by their number. */
export const KINDS = ['read', 'write', 'confirm', 'apply'];
/** How replies are called, by their number: answers to 5, failures to 8, then refusals. */
export const REPLIES = [
  'found', 'deleted', 'missing', 'written', 'superseded', 'conflict',
  'not_sent', 'maybe_applied', 'rejected',
  'stale_epoch', 'not_ready', 'not_owner', 'wrong_role', 'lease_over', 'stale_term',
];
const COMPARED = ['same', 'missing', 'extra', 'stale', 'different', 'unsure'];
const BRAND = Symbol.for('ringshift.RingshiftError');

/** An error of this package. `code` is the same in every language, and never changes. */
export class RingshiftError extends Error {
  constructor(code, message, details) {
    super(message);
    this.code = code;
    Object.assign(this, details);
  }
  // Two copies of the package in one application know each other's errors.
  static [Symbol.hasInstance](error) {
    return Object(error)[BRAND] === true;
  }
}
Object.defineProperty(RingshiftError.prototype, 'name', { value: 'RingshiftError' });
Object.defineProperty(RingshiftError.prototype, BRAND, { value: true });

export const fail = (code, message) => new RingshiftError(code, message);

export const send = (
  id, shard, keyspace, slot, storedSlot, domain, epoch, kind, version, foundBy, blocking,
) => ({
  type: 'send',
  attempt: {
    id, shard, keyspace, slot, storedSlot, domain, epoch, kind: KINDS[kind],
    version: version ?? null, foundBy: foundBy ?? null, blocking,
  },
});
export const shard = (id, name, weight, endpoint, zone, tags, draining, unfenced) => (
  { id, name, weight, endpoint, zone, tags, state: draining ? 'draining' : 'active', unfenced });
export const share = (slots, mirrored, phase) => ({ slots, mirrored, phase: phase ?? null });
export const explained = (
  keyspace, epoch, routingPart, hash, slots, slot, pinned, domain, domainEpoch, phase, ppm, inside, authority,
  mirror, reads, strict,
) => ({
  keyspace, epoch, routingPart: routingPart.slice(), hash, slots, slot, pinned, domain, domainEpoch,
  phase: phase ?? null, ramp: ppm === undefined ? null : [ppm, inside], authority, mirror: mirror ?? null, reads,
  strict,
});
export const refresh = (newerThan) => ({ type: 'refresh', newerThan });
export const wait = (until) => ({ type: 'wait', until });
export const done = (outcome) => ({ type: 'done', outcome });
export const compared = (how) => ({ type: 'done', compared: COMPARED[how] });

export const value = (from, version) => ({ type: 'value', from, version });
export const missing = () => ({ type: 'missing' });
export const written = (version, lagging) => ({ type: 'written', version, lagging: lagging ?? null });
export const conflict = (found) => ({ type: 'conflict', found: found ?? null });
export function failed(code, message, version, last, shard, current) {
  const outcome = { type: 'failed', code, message };
  if (code === 'indeterminate') outcome.version = version ?? null;
  if (code === 'deadline') outcome.last = last?.refusal ?? null;
  return code === 'wrong_role' ? { ...outcome, shard, current } : outcome;
}

export function reply(number, version, a, b) {
  const type = REPLIES[number];
  if (number === 5) return conflict(version);
  if (number < 6) return version === undefined ? { type } : { type, version };
  if (number < 9) return { type: 'failed', failure: type };
  const refusal = { code: type };
  if (type === 'stale_term') refusal.seen = a;
  else if (type !== 'not_owner') refusal.current = a;
  if (type === 'stale_epoch') refusal.drained = b;
  return { type: 'refused', refusal };
}
const EFFECTS = [
  () => ({ type: 'keep' }),
  (version, deleted) => ({ type: 'put', version, deleted }),
  (floor) => ({ type: 'remove', floor }),
];
export const decided = (reply, effect, version, deleted, found, learned, revision) => ({
  reply, effect: EFFECTS[effect](version, deleted), found, learned: learned ?? null, revision,
});
export const response = (reply, value, op) =>
  op === undefined ? { reply } : { reply, found: { value: value ?? null, op } };

const PART = 12;
export function batch(numbers, changes, begins, blocking) {
  const parts = [];
  for (let at = 0; at < numbers.length; at += PART) {
    const [id, shard, keyspace, slot, storedSlot, domain, epoch, kind] =
      Array.from(numbers.subarray(at, at + 8), Number);
    const version = numbers[at + 8] < 0n ? null : numbers[at + 8];
    const foundBy = numbers[at + 9] < 0n ? null : Number(numbers[at + 9]);
    parts.push({
      key: Number(numbers[at + 10]),
      attempt: {
        id, shard, keyspace, slot, storedSlot, domain, epoch, kind: KINDS[kind], version, foundBy, blocking,
      },
    });
  }
  const { id, shard } = parts[0].attempt;
  return { type: 'send', batch: { id, shard, parts, changes, begins, blocking, numbers } };
}
export const work = () => ({ type: 'work' });
const version = (number) => (number < 0n ? null : number);
export const committed = (versions, lagging) => (
  { type: 'done', outcome: { type: 'done', versions: Array.from(versions, version), lagging } });
export function refusedTransaction(code, message, key, found, listed) {
  const shards = new Map();
  for (let at = 0; at < listed.length; at += 2) {
    shards.set(listed[at], [...(shards.get(listed[at]) ?? []), listed[at + 1]]);
  }
  const outcome = { type: 'failed', code, message, key: key < 0 ? null : key, found: found ?? null, shards };
  return { type: 'done', outcome };
}
