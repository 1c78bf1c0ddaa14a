// From a key to its bytes in the module's scratch buffer.
import * as raw from 'ringshift-gen';
import { RingshiftError } from './shapes.js';
import type { Key, Packed } from './types.js';
import { memory } from './wasm.js';

/** The longest key, and the longest text that is looked at. */
const KEY_MAX = 65_536;
/** Text up to here is written faster by a loop than by the encoder. */
const LOOP_MAX = typeof process === 'object' && process.versions?.node ? 32 : 96;
const encoder = new TextEncoder();

let bytes = new Uint8Array(0);
let ends = new Uint32Array(0);
let shards = new Uint16Array(0);
let [at, endsAt, shardsAt] = [0, 0, 0];
let [bytesMax, keysMax] = [0, 0];

/** Makes room for so many bytes and keys, and for views on them after the memory has grown. */
function room(bytesWanted: number, keysWanted: number): void {
  if (bytesMax === 0 || bytesWanted > bytesMax || keysWanted > keysMax) {
    bytesMax = Math.max(bytesMax, bytesWanted, 4 * KEY_MAX);
    keysMax = Math.max(keysMax, keysWanted, 64);
    [at, endsAt, shardsAt] = raw.room(bytesMax, keysMax) as unknown as [number, number, number];
  }
  bytes = new Uint8Array(memory(), at, bytesMax);
  ends = new Uint32Array(memory(), endsAt, keysMax);
  shards = new Uint16Array(memory(), shardsAt, keysMax);
}

const type = (key: unknown): RingshiftError =>
  new RingshiftError('key_type', `a key is text, bytes, an integer or a list of these, not ${
    key === null ? 'null' : Array.isArray(key) ? 'a list in a list' : typeof key}`);

const isWellFormed = (text: string): boolean => text.isWellFormed?.() ?? !/\p{Surrogate}/u.test(text);

/** Refuses text that has no UTF-8 form. */
export function wellFormed(text: string): void {
  if (!isWellFormed(text)) {
    throw new RingshiftError('key_encoding', 'the key has half a surrogate pair, so it has no UTF-8 form');
  }
}

/** Writes a key into the scratch buffer; how many bytes it has. */
export function put(key: Key): number {
  if (typeof key !== 'string') return Array.isArray(key) ? composite(key) : part(key as never, 0);
  if (bytes.length === 0) room(0, 0);
  const view = bytes;
  const { length } = key;
  if (length <= LOOP_MAX) {
    // One look at all of them afterwards is cheaper than a branch at each.
    let seen = 0;
    for (let i = 0; i < length; i++) {
      const code = key.charCodeAt(i);
      view[i] = code;
      seen |= code;
    }
    if (seen < 128) return length;
  }
  return text(key, 0);
}

/** A key's bytes, as stores keep it. */
export function keyBytes(key: Key): Uint8Array {
  const length = put(key);
  room(0, 0);
  return bytes.slice(0, length);
}

function text(key: string, from: number): number {
  const { length } = key;
  if (length > KEY_MAX) raw.tooLong(encoder.encode(key).length);
  const { written } = encoder.encodeInto(key, from === 0 ? bytes : bytes.subarray(from));
  if (written !== length) wellFormed(key);
  return written as number;
}

/** Writes a key, or a part of one, that isn't a list. */
function part(key: string | number | bigint | Uint8Array, from: number): number {
  if (bytes.length === 0) room(0, 0);
  if (typeof key === 'string') return text(key, from);
  if (typeof key === 'bigint' || Number.isSafeInteger(key)) return text(String(key), from);
  if (!(key instanceof Uint8Array)) throw type(key);
  if (key.length > KEY_MAX) raw.tooLong(key.length);
  bytes.set(key, from);
  return key.length;
}

function composite(parts: readonly unknown[]): number {
  if (parts.length > keysMax) room(0, Math.min(parts.length, KEY_MAX));
  let [end, count] = [0, 0];
  for (const one of parts) {
    end += part(one as never, end);
    if (end + 4 * (count + 1) > KEY_MAX) raw.tooLong(end + 4 * (count + 1));
    ends[count++] = end;
  }
  return raw.composite(end, count);
}

const BATCH_KEYS = 1_024;
/** Much longer texts are joined and written more slowly, letter by letter. */
const BATCH_UNITS = 1 << 14;
/** Routes the keys that are in the scratch buffer. */
type Route = (bytes: number, count: number, utf16: boolean) => void;

/** Routes `keys` in batches that fit the scratch buffer; where each is goes to `out`. */
export function many(keys: readonly Key[] | Packed, out: Uint16Array, route: Route): number {
  const list = Array.isArray(keys);
  if (!list && !((keys as Packed)?.bytes instanceof Uint8Array && (keys as Packed).ends instanceof Uint32Array)) {
    throw new RingshiftError('argument', 'keys are a list, or { bytes: Uint8Array, ends: Uint32Array }');
  }
  const count = list ? keys.length : (keys as Packed).ends.length;
  if (out.length < count) {
    throw new RingshiftError('argument', `\`out\` has room for ${out.length} of ${count} keys`);
  }
  if (list) lists(keys, out, route);
  else packed(keys as Packed, out, route);
  return count;
}

function lists(keys: readonly Key[], out: Uint16Array, route: Route): void {
  for (let from = 0; from < keys.length;) {
    const to = texts(keys, from, route) || others(keys, from, route);
    out.set(shards.subarray(0, to - from), from);
    from = to;
  }
}

/** Routes the texts from `from` on: up to where, 0 if there is none, or one of them is refused. */
function texts(keys: readonly Key[], from: number, route: Route): number {
  room(0, BATCH_KEYS);
  const last = Math.min(keys.length, from + BATCH_KEYS);
  let [to, units] = [from, 0];
  for (; to < last && units < BATCH_UNITS; to++) {
    const key = keys[to];
    if (typeof key !== 'string') break;
    if (key.length > KEY_MAX) break;
    ends[to - from] = units += key.length;
  }
  if (to === from) return 0;
  const joined = (from === 0 && to === keys.length ? keys : keys.slice(from, to)).join('');
  if (units > bytesMax) room(units, 0);
  let { read, written } = encoder.encodeInto(joined, bytes);
  if (written !== units) {
    // Half a pair at the end of one text and half at the start of the next make a whole one.
    if (keys.slice(from, to).some((key) => !isWellFormed(key as string))) return 0;
    if (read !== units) {
      room(3 * units, 0);
      ({ written } = encoder.encodeInto(joined, bytes));
      // The ends were kept: making room doesn't change what is in it.
    }
  }
  route(written as number, to - from, written !== units);
  return to;
}

/** Routes one key, or throws what is wrong with it: the first that is refused says why. */
function others(keys: readonly Key[], from: number, route: Route): number {
  ends[0] = put(keys[from] as Key);
  route(ends[0], 1, false);
  return from + 1;
}

function packed(keys: Packed, out: Uint16Array, route: Route): void {
  for (let [from, base] = [0, 0]; from < keys.ends.length;) {
    const to = Math.min(keys.ends.length, from + BATCH_KEYS);
    for (let i = from, start = base; i < to; i++) {
      const end = keys.ends[i] as number;
      if (end < start || end > keys.bytes.length) {
        throw new RingshiftError('argument', `ends[${i}] is ${end}; ends rise, and stay within the bytes`);
      }
      if (end - start > KEY_MAX) raw.tooLong(end - start);
      start = end;
    }
    const last = keys.ends[to - 1] as number;
    room(last - base, to - from);
    bytes.set(keys.bytes.subarray(base, last));
    for (let i = from; i < to; i++) ends[i - from] = (keys.ends[i] as number) - base;
    route(last - base, to - from, false);
    out.set(shards.subarray(0, to - from), from);
    [from, base] = [to, last];
  }
}
