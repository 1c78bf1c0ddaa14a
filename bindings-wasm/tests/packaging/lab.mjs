// A folder for one environment, with the package in its node_modules, and what runs in it.
import { spawn } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { vectors } from "./vectors.mjs";

/** This folder: the tools are in its node_modules, the package never is. */
export const here = fileURLToPath(new URL(".", import.meta.url));
/** Resolves what is in it. */
export const tools = createRequire(import.meta.url);
/** The version of a tool, from its own manifest. */
export const versionOf = (tool) =>
  JSON.parse(readFileSync(join(here, "node_modules", tool, "package.json"), "utf8")).version;

const NAMES = "{ Snapshot, Router, Operation, RingshiftError }";
const MARK = "ringshift saw ";
const BODY = readFileSync(join(here, "program.js"), "utf8");
const TAIL = `
const saw = program({ ...${NAMES}, fromTopology }, ${JSON.stringify(vectors)});
globalThis.ringshiftSaw = saw;
console.log(${JSON.stringify(MARK)} + JSON.stringify(saw));
`;
const WANTED = JSON.stringify({
  shards: vectors.keys.map(({ name }) => name),
  epoch: 1,
  outcome: "value",
});

/** The program as an ES module; `before` runs between the import and the program. */
export const esm = () =>
  `import ${NAMES} from "ringshift";\nimport { fromTopology } from "ringshift/local";\n${BODY}${TAIL}`;
/** The program as CommonJS. */
export const cjs = () => `const ${NAMES} = require("ringshift");\nconst { fromTopology } = require("ringshift/local");\n${BODY}${TAIL}`;
/** The program without any import, for an entry that brings the names itself. */
export const bare = () => `${BODY}${TAIL}`;

/** Fails unless `text` has the program's line, with the right answers. */
export function check(text) {
  const line = text.split("\n").find((one) => one.includes(MARK));
  if (!line) throw new Error(`the program said nothing; output:\n${text}`);
  same(line.slice(line.indexOf(MARK) + MARK.length).trim());
}

/** Fails unless the program saw what it must. */
export function same(saw) {
  if (saw !== WANTED) throw new Error(`the program saw ${saw}, and not ${WANTED}`);
}

/** One environment's folder. */
export class Lab {
  constructor(folder, installed) {
    this.folder = folder;
    this.installed = installed;
    this.closers = [];
  }

  /** Puts the installed package into the folder, and files by name. */
  fill(files = {}, packageJson = {}) {
    const manifest = { name: "consumer", private: true, ...packageJson };
    mkdirSync(join(this.folder, "node_modules"), { recursive: true });
    cpSync(this.installed, join(this.folder, "node_modules", "ringshift"), { recursive: true });
    this.write({ "package.json": JSON.stringify(manifest), ...files });
    return this;
  }

  /** Writes files below the folder. */
  write(files) {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(join(this.folder, name, ".."), { recursive: true });
      writeFileSync(join(this.folder, name), text);
    }
  }

  path(...names) {
    return join(this.folder, ...names);
  }

  /** Runs a program in the folder; gives what it wrote, and fails unless it ends well. */
  async run(program, args, { cwd = this.folder, env = {} } = {}) {
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, NODE_PATH: "", NO_COLOR: "1", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const limit = setTimeout(() => child.kill("SIGKILL"), 60_000);
    let text = "";
    child.stdout.on("data", (bytes) => (text += bytes));
    child.stderr.on("data", (bytes) => (text += bytes));
    const code = await new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (status, signal) => resolve(signal ?? status));
    });
    clearTimeout(limit);
    if (code !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${code}:\n${text}`);
    return text;
  }

  /** Serves a folder on loopback, at a port that is free; gives its address. */
  async serve(folder = this.folder, headers = {}) {
    const types = { ".html": "text/html; charset=utf-8", ".wasm": "application/wasm" };
    const server = createServer((request, response) => {
      const path = normalize(new URL(request.url, "http://localhost").pathname);
      try {
        const body = readFileSync(join(folder, path.endsWith("/") ? `${path}index.html` : path));
        const type = types[extname(path) || ".html"] ?? "text/javascript; charset=utf-8";
        response.writeHead(200, { "content-type": type, ...headers }).end(body);
      } catch {
        response.writeHead(404).end();
      }
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    this.closers.push(() => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    });
    return `http://127.0.0.1:${server.address().port}/`;
  }

  async close() {
    for (const close of this.closers.reverse()) await close();
  }
}
