// The other runtimes: Bun, Deno, and Cloudflare's workerd.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { check, cjs, esm, here, same, tools, versionOf } from "../lab.mjs";

/** A tool's program, in the package of this platform that npm chose. */
function program(scope, file) {
  const folder = join(here, "node_modules", scope);
  const found = existsSync(folder) ? readdirSync(folder) : [];
  const programs = found.map((name) => join(folder, name, file)).filter((path) => existsSync(path));
  if (programs.length === 0) throw new Error(`npm has no ${scope} for this platform`);
  return programs[0];
}

const exe = process.platform === "win32" ? ".exe" : "";
const bun = () => program("@oven", `bin/bun${exe}`);
const deno = () => program("@deno", `deno${exe}`);

export const environments = [
  {
    name: "bun, ES module",
    version: () => versionOf("bun"),
    async run(lab) {
      lab.fill({ "main.mjs": esm() });
      check(await lab.run(bun(), ["--no-install", "main.mjs"]));
    },
  },
  {
    name: "bun, CommonJS",
    version: () => versionOf("bun"),
    async run(lab) {
      lab.fill({ "main.cjs": cjs() });
      check(await lab.run(bun(), ["--no-install", "main.cjs"]));
    },
  },
  {
    // No permission is given: routing needs none.
    name: "deno",
    version: () => versionOf("deno"),
    async run(lab) {
      lab.fill({ "main.mjs": esm() });
      const env = { DENO_DIR: lab.path("deno"), DENO_NO_UPDATE_CHECK: "1" };
      const args = ["run", "--no-prompt", "--no-remote", "--node-modules-dir=manual", "main.mjs"];
      check(await lab.run(deno(), args, { env }));
    },
  },
  {
    // As Cloudflare's own tool does it: bundled with the `workerd` condition, wasm as a module.
    name: "workerd",
    version: () => versionOf("workerd"),
    async run(lab) {
      const answer = `export default { fetch: () => Response.json(globalThis.ringshiftSaw) };`;
      lab.fill({ "main.js": esm() + answer });
      await tools("esbuild").build({
        absWorkingDir: lab.folder,
        entryPoints: ["main.js"],
        bundle: true,
        format: "esm",
        conditions: ["workerd", "worker", "browser"],
        external: ["node:*"],
        loader: { ".wasm": "copy" },
        logLevel: "silent",
        outdir: "elsewhere",
        outExtension: { ".js": ".mjs" },
      });
      const modules = readdirSync(lab.path("elsewhere")).map((path) => ({
        type: path.endsWith(".wasm") ? "CompiledWasm" : "ESModule",
        path: lab.path("elsewhere", path),
        contents: readFileSync(lab.path("elsewhere", path)),
      }));
      modules.sort((one) => (one.path.endsWith("main.mjs") ? -1 : 1));
      const { Miniflare } = tools("miniflare");
      const worker = new Miniflare({
        modules,
        modulesRoot: lab.path("elsewhere"),
        compatibilityDate: "2026-04-01",
        cf: false,
        handleStructuredLogs: () => {},
      });
      lab.closers.push(() => worker.dispose());
      const response = await worker.dispatchFetch("http://localhost/");
      same(await response.text());
    },
  },
];
