import { RingshiftError } from './shapes.js';
import { Snapshot } from './machine.js';

/** What makes a first snapshot of a topology in JSON. */
export type FromTopology = (json: string) => Snapshot;

/** The snapshot that `bytes` hold: those of a snapshot, of a topology record, or, with `fromTopology`, JSON text. */
export function snapshotIn(bytes: Uint8Array | Snapshot, fromTopology?: FromTopology): Snapshot {
  if (!(bytes instanceof Uint8Array)) return bytes;
  if (bytes.find((byte) => byte > 0x20) !== 0x7b) return Snapshot.decode(bytes);
  if (fromTopology) return fromTopology(new TextDecoder().decode(bytes));
  const text = 'it is a topology in JSON; hand `fromTopology` of `ringshift/local` to `file(path, { fromTopology })`';
  throw new RingshiftError('topology_format', text);
}
