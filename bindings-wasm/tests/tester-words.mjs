// How the programs of the binding tester write keys, arguments and answers.

const unhex = (hex) => Uint8Array.from(Buffer.from(hex, 'hex'));
const hex = (bytes) => Buffer.from(bytes).toString('hex');
const digits = (number) => (number === null ? null : String(number));
const version = (text) => (text === null ? null : BigInt(text));
const only = (one) => (typeof one === 'string' ? [one, null] : Object.entries(one)[0]);

// Keys

const run = (value) => (typeof value === 'string' ? value : value.repeat.repeat(value.count));
const KEYS = {
  text: run,
  hex: (value) => unhex(run(value)),
  utf16: (value) => String.fromCharCode(...(value.match(/..../g) ?? []).map((unit) => parseInt(unit, 16))),
  int: (value) => (Number.isSafeInteger(Number(value)) ? Number(value) : BigInt(value)),
  parts: (value) => value.map(key),
  none: () => null,
  float: (value) => value,
  bool: (value) => value,
  uuid: (value) => ({ toString: () => value }),
};
const key = (typed) => {
  const [kind, value] = only(typed);
  return KEYS[kind](value);
};
// The same keys back to back, where none is refused.
const packed = (keys) => {
  const all = keys.map((typed) => {
    const [kind, value] = only(typed);
    return kind === 'hex' ? unhex(run(value)) : new TextEncoder().encode(KEYS[kind](value));
  });
  let end = 0;
  const ends = Uint32Array.from(all, (bytes) => (end += bytes.length));
  return { bytes: Uint8Array.from(all.flatMap((bytes) => [...bytes])), ends };
};

// Arguments

const camel = (name) => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
const policy = (said) => said && Object.fromEntries(Object.entries(said).map(
  ([name, value]) => [camel(name), name === 'seed' ? BigInt(value) : value]));
const refusal = (said) => {
  const [code, fields] = only(said);
  return { code, ...fields };
};
const reply = (said) => {
  const [type, of] = only(said);
  if (type === 'refused') return { type, refusal: refusal(of) };
  if (type === 'failed') return { type, failure: of };
  if (type === 'conflict') return { type, found: version(of.found) };
  return of === null ? { type } : { type, version: version(of.version) };
};
const batchReply = (said) => {
  const [type, of] = only(said);
  switch (type) {
    case 'done': return { type, replies: of.map(reply) };
    case 'conflict': return { type: 'not-done', part: of.part, reply: { type, found: version(of.found) } };
    case 'refused': return { type: 'not-done', part: 0, reply: { type, refusal: refusal(of) } };
    default: return { type: 'not-done', part: 0, reply: { type, failure: of } };
  }
};
const content = (said) => {
  if (said === null) return null;
  const [kind, of] = only(said);
  const op = unhex(of.op);
  if (kind === 'row') {
    const value = of.value === null ? null : unhex(of.value);
    return { op, row: { value, deleted: value === null, op } };
  }
  const [type, change] = only(of.change);
  if (type === 'delete') return { op, change: { type } };
  const value = unhex(change.value);
  if (type === 'put') return { op, change: { type, value } };
  return { op, change: { type: 'put-if', value, expected: version(change.expected) } };
};
/** Data for the core; bytes are written as {$hex}. */
const data = (said) => {
  if (said === null || typeof said !== 'object') return said;
  if (Array.isArray(said)) return said.map(data);
  if ('$hex' in said) return unhex(said.$hex);
  return Object.fromEntries(Object.entries(said).map(([name, value]) => [name, data(value)]));
};

// Answers

const saidRefusal = ({ code, ...fields }) => (Object.keys(fields).length ? { [code]: fields } : code);
const saidReply = (reply) => {
  switch (reply.type) {
    case 'refused': return { refused: saidRefusal(reply.refusal) };
    case 'failed': return { failed: reply.failure };
    case 'conflict': return { conflict: { found: digits(reply.found) } };
    case 'missing': case 'superseded': return reply.type;
    default: return { [reply.type]: { version: digits(reply.version) } };
  }
};
const saidAttempt = ({ kind, version, foundBy, storedSlot, ...fields }) => ({
  ...fields,
  stored_slot: storedSlot,
  kind: kind === 'apply'
    ? { apply: { version: digits(version), payload: foundBy === null ? 'own' : { found_by: foundBy } } }
    : kind,
});
const saidOutcome = ({ type, ...of }) => {
  if (type === 'missing') return type;
  if (type === 'failed') {
    const { message, ...failed } = of;
    if (typeof message !== 'string' || message === '') return { failed: of };
    if ('version' in failed) failed.version = digits(failed.version);
    if (failed.last) failed.last = saidRefusal(failed.last);
    return { failed };
  }
  if ('version' in of) of.version = digits(of.version);
  if ('found' in of) of.found = digits(of.found);
  return { [type]: of };
};
const saidStep = (step) => {
  switch (step.type) {
    case 'send': return { send: saidAttempt(step.attempt) };
    case 'refresh': return { refresh: { newer_than: step.newerThan } };
    case 'wait': return { wait: { until: step.until } };
    case 'done': return { done: 'compared' in step ? step.compared : saidOutcome(step.outcome) };
  }
};
const saidEnd = ({ type, message, ...of }) => {
  if (type === 'done') return { committed: { versions: of.versions.map(digits), lagging: of.lagging } };
  if (typeof message !== 'string' || message === '') return of;
  return { failed: { ...of, found: digits(of.found), shards: [...of.shards] } };
};
const saidTransaction = (step) => {
  if (step.type === 'work') return 'work';
  if (step.type === 'done') return { done: saidEnd(step.outcome) };
  if (step.type !== 'send') return saidStep(step);
  const { numbers, parts, ...batch } = step.batch;
  return { send: { ...batch, parts: parts.map(({ key, attempt }) => ({ key, attempt: saidAttempt(attempt) })) } };
};
/** The core's own data: numbers that JSON can't hold as text, bytes as lists. */
const saidData = (value) => {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (value === null || typeof value !== 'object') return value;
  if (ArrayBuffer.isView(value)) return [...value];
  if (Array.isArray(value)) return value.map(saidData);
  if (value instanceof Map) return { map: [...value] };
  return Object.fromEntries(Object.entries(value).map(([name, of]) => [name, saidData(of)]));
};
const snake = (value) => Object.fromEntries(Object.entries(value).map(
  ([name, of]) => [name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), of]));

export {
  batchReply, content, data, digits, hex, key, only, packed, policy, refusal, reply, saidData, saidRefusal, saidReply, saidStep, saidTransaction, snake, unhex, version,
};
