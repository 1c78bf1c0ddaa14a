// What the build puts in the place of these names.
declare module 'ringshift-base64' {
  /** The module, deflated, in base64; and how large it is. */
  export const packed: string;
  export const size: number;
}
declare module '*.wasm' {
  const module: WebAssembly.Module;
  export default module;
}
