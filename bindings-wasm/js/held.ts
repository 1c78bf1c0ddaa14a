// What lives in the module's memory, and what every class needs.
import * as check from './check.js';
import { RingshiftError } from './shapes.js';

/** What stands in the place of a value that was freed: whatever is asked of it, it throws. */
const GONE = new Proxy({}, {
  get() {
    throw new RingshiftError('disposed', 'it was freed; keep it for as long as it is used');
  },
});

/** Something that lives in the module's memory. What is never freed goes with the process. */
export abstract class Held<T extends { free(): void }> {
  /** @internal */
  _raw: T;
  /** @internal */
  constructor(held: T) {
    this._raw = held;
  }
  /** Gives the memory back. A second time does nothing; any other use throws `disposed`. */
  free(): void {
    if (this._raw === GONE) return;
    this._raw.free();
    this._raw = GONE as T;
  }
  /** @internal */
  get freed(): boolean {
    return this._raw === GONE;
  }
  /** The same, for `using`. */
  [Symbol.dispose](): void {
    this.free();
  }
}

/** What `of` holds, if it is one of `kind` and wasn't freed. */
export function held<T extends { free(): void }>(of: Held<T>, kind: Function, what: string): T {
  if (!(of instanceof kind)) throw check.bad(what, `a ${kind.name}`, of);
  void (of._raw as unknown as { __wbg_ptr: number }).__wbg_ptr;
  return of._raw;
}

export function text(value: unknown, what: string): string {
  if (typeof value === 'string') return value;
  throw check.bad(what, 'a string', value);
}
