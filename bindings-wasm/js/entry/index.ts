// The usual entry: the module stands in this file as text, and is started at import.
import { letters, often, size, text } from 'ringshift-letters';
import * as main from 'ringshift-main';
import { named, start } from '../wasm.js';

/** The bytes that the build has put into letters: see `letters.mjs` there. */
function bytes(): Uint8Array<ArrayBuffer> {
  const one = often.length;
  const order = often.concat([...Array(256).keys()].filter((byte) => !often.includes(byte)));
  const places = new Uint8Array(128);
  for (let i = 0; i < letters.length; i++) places[letters.charCodeAt(i)] = i;
  const bytes = new Uint8Array(size);
  for (let [i, at, from] = [0, 0, 0]; at < size; i++) {
    const place = places[text.charCodeAt(i)] as number;
    if (place < one) {
      bytes[at++] = order[from + place] as number;
      from = 0;
    } else {
      from = one * (place - one + 1);
    }
  }
  return bytes;
}
start(new WebAssembly.Module(bytes()));
named(main);

export * from 'ringshift-main';
