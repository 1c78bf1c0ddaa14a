// For Cloudflare's workers, where a module can't be made of bytes.
import module from 'ringshift-module.wasm';
import { start } from '../wasm.js';

start(module);

export * from 'ringshift-main';
