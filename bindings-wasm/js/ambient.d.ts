// What the build puts in the place of these names.
declare module 'ringshift-base64' {
  const text: string;
  export default text;
}
declare module '*.wasm' {
  const module: WebAssembly.Module;
  export default module;
}
