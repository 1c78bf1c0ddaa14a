export * from './machine.js';
export type * from './types.js';
