import { RingshiftError } from './shapes.js';
import { Snapshot } from './machine.js';

/** The snapshot that `bytes` hold: those of a snapshot, or of a topology record. */
export function snapshotIn(bytes: Uint8Array | Snapshot): Snapshot {
  if (!(bytes instanceof Uint8Array)) return bytes;
  if (bytes.find((byte) => byte > 0x20) !== 0x7b) return Snapshot.decode(bytes);
  const text = 'this is a topology in JSON, which makes a first snapshot: `fromTopology` of `ringshift/local` reads it';
  throw new RingshiftError('topology_format', text);
}
