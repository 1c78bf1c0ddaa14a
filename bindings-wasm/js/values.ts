import { RingshiftError } from './shapes.js';
import type { Value } from './client-types.js';

/** A caller's value as bytes. */
export function bytes(value: Value): Uint8Array {
  if (value instanceof Uint8Array) return value;
  const text = value as string & { isWellFormed?(): boolean };
  if (typeof text === 'string' && text.isWellFormed?.() !== false) {
    return new TextEncoder().encode(text);
  }
  const what = typeof text === 'string' ? 'text with half a surrogate pair' : typeof value;
  throw new RingshiftError('argument', `a value is bytes or text, not ${what}`);
}
