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

const page = (lab) => {
  const file = lab.path("node_modules/ringshift/package.json");
  const { exports } = JSON.parse(readFileSync(file, "utf8"));
  const imports = {
    ringshift: target(exports, "."),
    "ringshift/slim": target(exports, "./slim"),
  };
  return (
    `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">` +
    `<script type="importmap" nonce="page">${JSON.stringify({ imports })}</script>` +
    `<script type="module" src="/main.js"></script>`
  );
};

const open = async (lab, main, policy) => {
  lab.fill({ "main.js": main });
  lab.write({ "index.html": page(lab) });
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
    name: "chromium, ringshift/slim",
    version,
    run: async (lab) => same(await open(lab, SLIM())),
  },
];

const SLIM = () => `
import { init, Snapshot, Router, Operation, RingshiftError } from "ringshift/slim";
await init();
${bare()}`;
