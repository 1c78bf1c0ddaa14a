// Bundlers, whose output runs in a browser or, from another folder, in Node.
import { pathToFileURL } from "node:url";
import { visit } from "../browser.mjs";
import { check, cjs, esm, same, tools, versionOf } from "../lab.mjs";

const node = process.execPath;
const page = (script) =>
  `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">` +
  `<script type="module" src="${script}"></script>`;

const load = (name) => import(pathToFileURL(tools.resolve(name)).href);

const vite = { logLevel: "silent", configFile: false };

async function esbuild(lab, options) {
  const { build } = tools("esbuild");
  const outfile = lab.path("elsewhere", options.format === "cjs" ? "main.cjs" : "main.mjs");
  await build({ bundle: true, absWorkingDir: lab.folder, logLevel: "silent", outfile, ...options });
  // Away from node_modules: what isn't in the bundle isn't there.
  lab.write({ "elsewhere/index.html": page("./main.mjs") });
  return outfile;
}

async function webpack(lab, options) {
  const fixed = { mode: "production", context: lab.folder, performance: false };
  const compiler = tools("webpack")({ ...fixed, ...options });
  const stats = await new Promise((resolve, reject) =>
    compiler.run((error, done) => (error ? reject(error) : resolve(done))),
  );
  await new Promise((resolve) => compiler.close(resolve));
  const { errors, warnings } = stats.toJson({ all: false, errors: true, warnings: true });
  const bad = [...errors, ...warnings];
  if (bad.length > 0) throw new Error(bad.map(({ message }) => message).join("\n"));
}

export const environments = [
  {
    name: "vite, built",
    version: () => versionOf("vite"),
    async run(lab) {
      lab.fill({ "index.html": page("/main.js"), "main.js": esm() });
      const { build } = await load("vite");
      await build({ root: lab.folder, ...vite });
      same(await visit(await lab.serve(lab.path("dist"))));
    },
  },
  {
    name: "vite, dev server",
    version: () => versionOf("vite"),
    async run(lab) {
      lab.fill({ "index.html": page("/main.js"), "main.js": esm() });
      const { createServer } = await load("vite");
      const server = await createServer({
        root: lab.folder,
        server: { host: "127.0.0.1", port: 0, hmr: false },
        ...vite,
      });
      lab.closers.push(() => server.close());
      await server.listen();
      same(await visit(`http://127.0.0.1:${server.httpServer.address().port}/`));
    },
  },
  {
    name: "webpack, for the web",
    version: () => versionOf("webpack"),
    async run(lab) {
      lab.fill({ "main.js": esm() }, { type: "module" });
      const output = { path: lab.path("elsewhere"), filename: "main.mjs" };
      await webpack(lab, { entry: "./main.js", target: "web", output });
      lab.write({ "elsewhere/index.html": page("./main.mjs") });
      same(await visit(await lab.serve(lab.path("elsewhere"))));
    },
  },
  {
    name: "webpack, for Node",
    version: () => versionOf("webpack"),
    async run(lab) {
      lab.fill({ "main.cjs": cjs() });
      const output = { path: lab.path("elsewhere"), filename: "main.cjs" };
      await webpack(lab, { entry: "./main.cjs", target: "node20", output });
      check(await lab.run(node, ["main.cjs"], { cwd: lab.path("elsewhere") }));
    },
  },
  {
    name: "esbuild, for browsers",
    version: () => versionOf("esbuild"),
    async run(lab) {
      lab.fill({ "main.js": esm() });
      await esbuild(lab, { entryPoints: ["main.js"], platform: "browser", format: "esm" });
      same(await visit(await lab.serve(lab.path("elsewhere"))));
    },
  },
  {
    name: "esbuild, Node CommonJS",
    version: () => versionOf("esbuild"),
    async run(lab) {
      lab.fill({ "main.js": esm() });
      await esbuild(lab, { entryPoints: ["main.js"], platform: "node", format: "cjs" });
      check(await lab.run(node, ["main.cjs"], { cwd: lab.path("elsewhere") }));
    },
  },
  {
    name: "esbuild, Node ES module",
    version: () => versionOf("esbuild"),
    async run(lab) {
      lab.fill({ "main.js": esm() });
      await esbuild(lab, { entryPoints: ["main.js"], platform: "node", format: "esm" });
      check(await lab.run(node, ["main.mjs"], { cwd: lab.path("elsewhere") }));
    },
  },
];
