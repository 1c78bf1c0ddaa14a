export {
  MemoryShard, decide, decideBatch, fromTopology, homes, recipe, statements, type Home, type Recipe,
} from './local.js';
export { MemoryStore, memory } from './stores/memory.js';
