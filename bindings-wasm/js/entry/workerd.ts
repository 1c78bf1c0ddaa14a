// For Cloudflare's workers, where a module can't be made of bytes.
import module from './ringshift.wasm';
import { start } from '../wasm.js';

start(module);

export * from '../main.js';
