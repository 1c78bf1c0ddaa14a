// Chromium without a bundler: an import map, made from the package's own `exports`.
import { readFileSync } from "node:fs";
import { visit, version } from "../browser.mjs";
import { bare, esm, same } from "../lab.mjs";

const CONDITIONS = ["browser", "import", "default"];

/** What a browser's resolution would find under `subpath`. */
function target(exports, subpath) {
  let value = exports[subpath];
  while (value && typeof value === "object") {
    const [, next] = Object.entries(value).find(([name]) => CONDITIONS.includes(name)) ?? [];
    value = next;
  }
  if (!value) throw new Error(`the manifest exports no \`${subpath}\` to browsers`);
  return value.replace(/^\./, "/node_modules/ringshift");
}

const page = (lab, first) => {
  const file = lab.path("node_modules/ringshift/package.json");
  const { exports } = JSON.parse(readFileSync(file, "utf8"));
  const imports = {
    ringshift: target(exports, "."),
    "ringshift/local": target(exports, "./local"),
    "ringshift/slim": target(exports, "./slim"),
  };
  return (
    `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">` +
    `<script type="importmap" nonce="page">${JSON.stringify({ imports })}</script>` +
    (first ? `<script src="/${first}"></script>` : "") +
    `<script type="module" src="/main.js"></script>`
  );
};

const open = async (lab, main, policy, first) => {
  lab.fill({ "main.js": main, "capture.js": CAPTURE });
  lab.write({ "index.html": page(lab, first) });
  const headers = policy ? { "content-security-policy": policy } : {};
  return visit(await lab.serve(lab.folder, headers));
};

const STRICT = "default-src 'none'; img-src data:; script-src 'self' 'nonce-page'";

export const environments = [
  {
    name: "chromium, no bundler",
    version,
    run: async (lab) => same(await open(lab, esm())),
  },
  {
    // Nothing but scripts is allowed: the package fetches nothing.
    name: "chromium, strict policy",
    version,
    run: async (lab) => same(await open(lab, esm(), `${STRICT} 'wasm-unsafe-eval'`)),
  },
  {
    // What the README says of such a page: the browser refuses, in words that name the policy.
    name: "chromium, wasm forbidden",
    version,
    async run(lab) {
      const said = await open(lab, esm(), STRICT).catch((error) => error.message);
      if (!/CompileError.*(unsafe-eval|Content Security Policy)/s.test(said)) {
        throw new Error(`not the browser's refusal: ${said}`);
      }
    },
  },
  {
    name: "chromium, flat memory",
    version,
    async run(lab) {
      const [before, after] = JSON.parse(await open(lab, MEMORY(), null, "capture.js"));
      if (!(before > 1_000_000 && after === before)) {
        throw new Error(`the module's memory went from ${before} to ${after} bytes`);
      }
    },
  },
  {
    name: "chromium, ringshift/slim",
    version,
    run: async (lab) => same(await open(lab, SLIM())),
  },
];

const SLIM = () => `
import { init, Snapshot, Router, Operation, RingshiftError } from "ringshift/slim";
import { fromTopology } from "ringshift/local";
await init();
${bare()}`;

/** Remembers the memory of each module that is started. */
const CAPTURE = `
globalThis.memories = [];
WebAssembly.Instance = class extends WebAssembly.Instance {
  constructor(...of) {
    super(...of);
    memories.push(this.exports.memory);
  }
};`;

const snapshots = JSON.parse(
  readFileSync(new URL("../../../../core/tests/vectors/snapshot.json", import.meta.url), "utf8"),
).snapshots.cases;
const bytes = (name) => [...Buffer.from(snapshots.find((one) => one.name === name).bytes, "hex")];

/** A million routes, 10,000 installs and 10,000 operations, after a tenth of that. */
const MEMORY = () => `
import { Operation, Router, Snapshot } from "ringshift";
const [older, newer] = ${JSON.stringify([bytes("demo at home"), bytes("demo in read-new")])}
  .map((of) => Uint8Array.from(of));
const long = new Router(Snapshot.decode(older));
const name = long.snapshot.keyspaces[0];
const keyspace = long.keyspace(name);
const keys = Array.from({ length: 1_000 }, (_, i) => "user:" + i + "ы".repeat(i % 3));
const work = (times) => {
  for (let i = 0; i < 100_000 * times; i++) keyspace.route(keys[i % 1_000]);
  for (let i = 0; i < 1_000 * times; i++) {
    const router = new Router(older);
    router.install(newer);
    router.free();
    const operation = Operation.write(keyspace, keys[i % 1_000], { seed: i }, i);
    const { attempt } = operation.poll();
    operation.handleReply(i, attempt.id, { type: "written", version: 1n << 32n });
    if (operation.poll().type !== "done") throw new Error("a write doesn't end");
    operation.free();
  }
};
const grown = () => memories.reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
work(1);
const before = grown();
work(10);
globalThis.ringshiftSaw = [before, grown()];`;
