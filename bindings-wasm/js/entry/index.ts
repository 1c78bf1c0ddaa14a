// The usual entry: the module stands in this file as text, and is started at import.
import { inflateSync } from 'fflate';
import { packed, size } from 'ringshift-base64';
import { start } from '../wasm.js';

const bytes = 'fromBase64' in Uint8Array
  ? (Uint8Array as unknown as { fromBase64(text: string): Uint8Array }).fromBase64(packed)
  : Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
start(new WebAssembly.Module(inflateSync(bytes, { out: new Uint8Array(size) }) as Uint8Array<ArrayBuffer>));

export * from 'ringshift-main';
