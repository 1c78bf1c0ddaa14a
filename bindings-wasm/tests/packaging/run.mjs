// Installs the packed package in every environment that it is made for, and runs one program there.
//
//     node run.mjs [--tarball FILE] [--list] [NAME…]     NAME: a part of an environment's name
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { close } from "./browser.mjs";
import { environments as bundlers } from "./environments/bundlers.mjs";
import { environments as node } from "./environments/node.mjs";
import { environments as pages } from "./environments/pages.mjs";
import { environments as runners } from "./environments/runners.mjs";
import { environments as runtimes } from "./environments/runtimes.mjs";
import { environments as types } from "./environments/types.mjs";
import { here, Lab } from "./lab.mjs";

const { values, positionals } = parseArgs({
  options: { tarball: { type: "string" }, list: { type: "boolean" } },
  allowPositionals: true,
});
const all = [...node, ...types, ...pages, ...bundlers, ...runners, ...runtimes];
const chosen = all.filter(
  ({ name }) => positionals.length === 0 || positionals.some((part) => name.includes(part)),
);

/** The one tarball that packing leaves. */
function packed() {
  const dist = resolve(here, "../../../dist");
  const names = readdirSync(dist).filter((name) => /^ringshift-.*\.tgz$/.test(name));
  if (names.length !== 1) {
    throw new Error(`${dist} has ${names.length} tarballs; \`cargo xtask package npm\` makes one`);
  }
  return join(dist, names[0]);
}

/** The tarball, installed once by npm as a user would, without a network. */
function install(folder, tarball) {
  mkdirSync(folder);
  writeFileSync(join(folder, "package.json"), `{ "name": "consumer", "private": true }`);
  const flags = ["--no-save", "--offline", "--no-audit", "--no-fund", "--loglevel=error"];
  execFileSync("npm", ["install", ...flags, tarball], { cwd: folder, stdio: "inherit" });
  const installed = readdirSync(join(folder, "node_modules")).filter((name) => name[0] !== ".");
  if (installed.join() !== "ringshift") {
    throw new Error(`the package brings others with it: ${installed}`);
  }
  return join(folder, "node_modules", "ringshift");
}

async function main() {
  const tarball = values.tarball ? resolve(values.tarball) : packed();
  const folder = mkdtempSync(join(tmpdir(), "ringshift-packaging-"));
  const failed = [];
  try {
    const installed = install(join(folder, "installed"), tarball);
    for (const [index, { name, version, run }] of chosen.entries()) {
      const lab = new Lab(join(folder, String(index)), installed);
      const begun = performance.now();
      const problem = await run(lab).then(
        () => null,
        (error) => error,
      );
      // What didn't start can't be stopped either.
      await lab.close().catch(() => {});
      const ms = Math.round(performance.now() - begun);
      const label = `${name.padEnd(26)} ${String(await version()).padEnd(16)} ${String(ms).padStart(6)} ms`;
      console.log(`${label}   ${problem ? "FAILED" : "ok"}`);
      if (problem) {
        failed.push(name);
        console.log(`  ${String(problem.message ?? problem).replaceAll("\n", "\n  ")}`);
      }
    }
  } finally {
    await close();
    rmSync(folder, { recursive: true, force: true });
  }
  console.log(`${chosen.length - failed.length} of ${chosen.length} environments ok`);
  if (chosen.length === 0 || failed.length > 0) process.exitCode = 1;
}

if (values.list) {
  for (const { name } of all) console.log(name);
} else {
  await main();
}
