export { Pins, Transaction } from './pins.js';
export { transaction, type Tx } from './transaction.js';
