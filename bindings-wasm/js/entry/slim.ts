// Without the module: the application brings it, from where it likes.
import * as main from 'ringshift-main';
import { named, start, started } from '../wasm.js';

named(main);

/**
 * Starts the package on `ringshift/ringshift.wasm`, compiled or as its bytes. Call it, or `init`,
 * before anything else; a second call does nothing.
 */
export function initSync(module: WebAssembly.Module | BufferSource): void {
  if (!started()) start(module instanceof WebAssembly.Module ? module : new WebAssembly.Module(module));
}

/** The same from a URL (unless told: the file beside this one), a response, or what `initSync` takes. */
export async function init(
  from?: string | URL | Response | Promise<Response> | WebAssembly.Module | BufferSource,
): Promise<void> {
  if (started()) return;
  if (from instanceof WebAssembly.Module || from instanceof ArrayBuffer || ArrayBuffer.isView(from)) {
    return initSync(from);
  }
  const source = from ?? new URL('./ringshift.wasm', import.meta.url);
  const response = typeof source === 'string' || source instanceof URL ? fetch(source) : source;
  start(await WebAssembly.compileStreaming(response));
}

export * from 'ringshift-main';
