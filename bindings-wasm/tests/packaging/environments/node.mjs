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
      if (!said.includes("first of the plan")) throw new Error(said);
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

const MIGRATE = `
import { Snapshot, Router } from "ringshift";
import { plan, Coordinator } from "ringshift/migrate";
const shards = [1, 2].map((id) => ({ id, name: "pg-" + id }));
const snapshot = Snapshot.fromTopology({ cluster: "demo", keyspaces: { orders: {} }, shards });
console.log(plan.name, Coordinator.name, Router.name, "first of the plan");
`;
