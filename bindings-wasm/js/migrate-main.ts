export * from './main.js';
export {
  Chunks, Coordinator, Guard, MemoryShard, Plan, TopologyRecord, homeInstalls, plan,
} from './migrate.js';
