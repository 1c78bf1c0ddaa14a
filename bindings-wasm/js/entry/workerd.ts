// For Cloudflare's workers, where a module can't be made of bytes.
import module from 'ringshift-module.wasm';
import * as main from 'ringshift-main';
import { named, start } from '../wasm.js';

start(module);
named(main);

export * from 'ringshift-main';
