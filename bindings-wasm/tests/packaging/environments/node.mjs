// Node itself, by both module systems.
import { createRequire } from "node:module";
import { check, cjs, esm } from "../lab.mjs";

const node = process.execPath;
const version = () => process.versions.node;

export const environments = [
  {
    name: "node, ES module",
    version,
    async run(lab) {
      lab.fill({ "main.mjs": esm() });
      check(await lab.run(node, ["main.mjs"]));
    },
  },
  {
    name: "node, CommonJS",
    version,
    async run(lab) {
      lab.fill({ "main.cjs": cjs() });
      check(await lab.run(node, ["main.cjs"]));
    },
  },
  {
    // A router made by one half of a program must be a router to the other.
    name: "node, both at once",
    version,
    async run(lab) {
      lab.fill({
        "main.mjs": `
import { createRequire } from "node:module";
import * as imported from "ringshift";
const required = createRequire(import.meta.url)("ringshift");
const classes = Object.keys(required).filter((name) => typeof required[name] === "function");
const other = classes.filter((name) => required[name] !== imported[name]);
if (other.length > 0 || !classes.includes("Router")) throw new Error("twice: " + other);
const { Snapshot, Router, Operation, RingshiftError } = required;
${esm().replace(/^import.*\n/, "")}`,
      });
      check(await lab.run(node, ["main.mjs"]));
    },
  },
  {
    name: "node, ringshift/migrate",
    version,
    async run(lab) {
      lab.fill({ "main.mjs": MIGRATE });
      const said = await lab.run(node, ["main.mjs"]);
      if (said.trim() !== "complete true 3") throw new Error(said);
    },
  },
  {
    // What the manifest promises to readers of files: the wasm, for those who compile it their way.
    name: "node, files by name",
    version,
    async run(lab) {
      lab.fill();
      const resolve = createRequire(lab.path("main.cjs")).resolve;
      for (const file of ["ringshift/package.json", "ringshift/ringshift.wasm"]) resolve(file);
    },
  },
];

// A third shard joins two: planned, then carried out on shards in memory, on a clock that jumps.
const MIGRATE = `
import { Chunks, Coordinator, MemoryShard, TopologyRecord, fromTopology, plan } from "ringshift/migrate";
import { Router } from "ringshift";

const shards = [1, 2].map((id) => ({ id, name: "pg-" + id }));
const topology = { cluster: "demo", keyspaces: { orders: { bits: 6 } }, shards };
const record = TopologyRecord.create(fromTopology(topology));
const wanted = plan(record.snapshot, { add: [{ id: 3, name: "pg-3" }] });
const [{ slots_moved: moved, slots_least: least }] = wanted.figures;
const coordinator = new Coordinator(record.drawTerm(), {}, wanted, 0);
const stores = new Map([1, 2, 3].map((id) => [id, new MemoryShard()]));
const chunks = new Chunks();
let now = 0;
let over;
while (!over) {
  const action = coordinator.poll();
  over = action.over;
  if (action.wait) coordinator.handleTimeout((now = action.wait.until));
  if (!action.do) continue;
  const { id, shard, command } = action.do;
  const store = shard === null ? record : stores.get(shard);
  coordinator.handleAnswer(now, id, store.command(command, chunks));
}
// The snapshot crosses to the other entry, which has a module of its own.
const router = new Router(record.snapshot.encode());
const owners = new Set(router.snapshot.owners("orders"));
console.log(over, moved === least && moved > 0, owners.size);
`;
