// A snapshot of the client's module, for a module that isn't the client's: it goes over as bytes.
import * as raw from 'ringshift-gen';
import type { Snapshot } from 'ringshift';
import * as check from './check.js';

/** Hands a snapshot to `use`, read into this module. */
export function read<T>(snapshot: Snapshot | Uint8Array, use: (held: raw.Snapshot) => T): T {
  const bytes = snapshot instanceof Uint8Array ? snapshot : check.object(snapshot, 'a snapshot').encode?.();
  const held = raw.Snapshot.decode(check.binary(bytes, 'a snapshot'));
  try {
    return use(held);
  } finally {
    held.free();
  }
}
