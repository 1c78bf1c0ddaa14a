// The usual entry: the module stands in this file as text, and is started at import.
import { inflateSync } from 'fflate';
import { packed, size } from 'ringshift-base64';
import { start } from '../wasm.js';

// Where there is Node's own zlib, it is ten times as fast as ours, and synchronous too.
const zlib = globalThis.process?.getBuiltinModule?.('node:zlib');
function unpack(): Uint8Array {
  if (zlib) return zlib.inflateRawSync(Buffer.from(packed, 'base64'));
  const letters = atob(packed);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  return inflateSync(bytes, { out: new Uint8Array(size) });
}
start(new WebAssembly.Module(unpack() as Uint8Array<ArrayBuffer>));

export * from 'ringshift-main';
