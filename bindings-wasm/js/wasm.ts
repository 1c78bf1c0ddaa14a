// Starts the module, and says where its exports are. Which bytes, the entry says.
import * as bg from 'ringshift-gen';
import * as shapes from './shapes.js';

interface Exports { memory: WebAssembly.Memory; __wbindgen_start?(): void }

let running: Exports | undefined;

/** Whether there is a module yet. */
export const started = (): boolean => running !== undefined;

/** Starts the module that the whole package runs on; a second call does nothing. */
export function start(module: WebAssembly.Module): void {
  if (started()) return;
  // Functions whose types need no conversion are imported from their own file, past the bindings.
  const imports = WebAssembly.Module.imports(module).map(({ module: from }) => (
    [from, from.endsWith('/shapes.js') ? shapes : bg] as const));
  const instance = new WebAssembly.Instance(module, Object.fromEntries(imports) as never);
  running = instance.exports as unknown as Exports;
  bg.__wbg_set_wasm(running);
  running.__wbindgen_start?.();
}

/** Gives what an entry exports its names back, which are shortened in it, for messages and for debuggers. */
export function named(entry: object): void {
  for (const [name, of] of Object.entries(entry)) {
    if (typeof of === 'function') Object.defineProperty(of, 'name', { value: name });
  }
}

/** The module's memory; its buffer is another one after it has grown. */
export const memory = (): ArrayBuffer => (running as Exports).memory.buffer;
