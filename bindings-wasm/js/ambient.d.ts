// What the build puts in the place of these names.
declare module 'ringshift-letters' {
  /** All letters; the last ones stand before a letter. */
  export const letters: string;
  /** The bytes that are one letter, by its place. */
  export const often: number[];
  /** The module in letters; and how large it is. */
  export const text: string;
  export const size: number;
}
declare module '*.wasm' {
  const module: WebAssembly.Module;
  export default module;
}
