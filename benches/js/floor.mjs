// What no router behind wasm can beat: the key's characters copied into wasm memory, and one call.

// (module (memory (export "m") 2) (func (export "f") (param i32) (result i32) local.get 0))
const EMPTY = Uint8Array.from([
  0, 97, 115, 109, 1, 0, 0, 0, // magic, version
  1, 6, 1, 96, 1, 127, 1, 127, // type: i32 -> i32
  3, 2, 1, 0, // one function of it
  5, 3, 1, 0, 2, // a memory of two pages
  7, 9, 2, 1, 109, 2, 0, 1, 102, 0, 0, // exports m and f
  10, 6, 1, 4, 0, 32, 0, 11, // its body: the argument
]);

const { m, f } = new WebAssembly.Instance(new WebAssembly.Module(EMPTY)).exports;
const memory = new Uint8Array(m.buffer);
const encoder = new TextEncoder();

/** Copies by a loop over character codes, then calls. */
export function loopAndCall(key) {
  const length = key.length;
  for (let at = 0; at < length; at++) memory[at] = key.charCodeAt(at);
  return f(length);
}

/** Copies by the platform's encoder, then calls. */
export function encodeAndCall(key) {
  return f(encoder.encodeInto(key, memory).written);
}

/** The call alone. */
export const call = f;
