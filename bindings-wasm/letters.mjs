// A module as text, in the source of a script: letters that no string has to escape.
//
// Not base64 of a packed module: what travels is packed on its way anyhow, and packs this as well as
// it packs the bytes, so that nothing has to be unpacked here. Base64 of the bytes as they are would
// be a third larger when packed, since equal bytes look different there.

// All of ASCII that can be seen, but what quotes, escapes or ends a script.
const LETTERS = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i))
  .filter((letter) => !'"\'`$\\<'.includes(letter)).join('');
/** The last ones stand before a letter that is one of the next as many bytes. */
const SHIFTS = 2;
const ONE = LETTERS.length - SHIFTS;

/** The source of a script that exports `letters`, `bytes` (in the order of their letters), `text` and `size`. */
export function inLetters(module) {
  const count = new Uint32Array(256);
  for (const byte of module) count[byte]++;
  const often = [...count.keys()].sort((a, b) => count[b] - count[a]).slice(0, ONE).sort((a, b) => a - b);
  const rest = [...count.keys()].filter((byte) => !often.includes(byte));
  const order = [...often, ...rest];
  const text = Array.from(module, (byte) => {
    const place = order.indexOf(byte);
    return (place < ONE ? '' : LETTERS[ONE - 1 + Math.floor(place / ONE)]) + LETTERS[place % ONE];
  }).join('');
  return `export const letters = ${JSON.stringify(LETTERS)};
export const often = ${JSON.stringify(often)};
export const text = ${JSON.stringify(text)};
export const size = ${module.length};
`;
}
