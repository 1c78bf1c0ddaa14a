export declare const KINDS: readonly string[];
export declare const REPLIES: readonly string[];
/**
 * An error of this package. Match on `code`, which never changes and is the same in every
 * language; the message is for people.
 */
export declare class RingshiftError extends Error {
  constructor(code: string, message: string, details?: object);
  /** The slug. `errorCodes()` lists them all. */
  readonly code: string;
}
