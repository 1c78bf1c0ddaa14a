import type { Waits } from './drive.js';
import type { Policy } from './types.js';

/** What a client gives to something of its own that isn't one operation: a transaction. */
export interface Session {
  readonly policy: Policy;
  /** Tells it from every other one. */
  readonly op: Uint8Array;
  readonly waits: Waits;
  /** Gets a snapshot past that epoch, if there is one. */
  refresh(newerThan: number): Promise<void>;
  /** Counts how it ended. */
  ended(slug: string): void;
  /** To be called when it is over. */
  close(): void;
}
