import { Snapshot } from './machine.js';

/** The snapshot that `bytes` hold: those of a snapshot, of a topology record, or JSON text. */
export function snapshotIn(bytes: Uint8Array | Snapshot): Snapshot {
  if (!(bytes instanceof Uint8Array)) return bytes;
  const first = bytes.find((byte) => byte > 0x20);
  if (first !== 0x7b) return Snapshot.decode(bytes);
  return Snapshot.fromTopology(new TextDecoder().decode(bytes));
}
