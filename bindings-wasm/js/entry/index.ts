// The usual entry: the module stands in this file as text, and is started at import.
import text from 'ringshift-base64';
import { start } from '../wasm.js';

const bytes = 'fromBase64' in Uint8Array
  ? (Uint8Array as unknown as { fromBase64(text: string): Uint8Array<ArrayBuffer> }).fromBase64(text)
  : Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
start(new WebAssembly.Module(bytes));

export * from '../main.js';
