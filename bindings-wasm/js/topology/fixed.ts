import type { Snapshot } from '../machine.js';
import type { Topology } from '../client-types.js';

/** A snapshot that never changes: for tests, and for a cluster that never moves. */
export function fixed(snapshot: Snapshot): Topology {
  return {
    fetch: (newerThan) => Promise.resolve(snapshot.epoch > newerThan ? snapshot : null),
  };
}
