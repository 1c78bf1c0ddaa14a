// Copies the page and the built package side by side into dist/.
// Usage: node build.mjs [folder of the package's modules]
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const built = fileURLToPath(new URL("../../../dist/npm/package/dist/", import.meta.url));
const pack = process.argv[2] ?? built;
const out = join(here, "dist");

if (!existsSync(pack)) {
  console.error("the package isn't built; run `node bindings-wasm/build.mjs` first");
  process.exit(1);
}
rmSync(out, { recursive: true, force: true });
mkdirSync(join(out, "ringshift"), { recursive: true });
for (const part of ["index.html", "icon.svg", "style", "src"]) {
  cpSync(join(here, part), join(out, part), { recursive: true });
}
// The types go along as those of modules, for whoever checks the page.
const modules = readdirSync(pack).filter((name) => /\.mjs$|\.d\.ts$/.test(name));
for (const name of modules) cpSync(join(pack, name), join(out, "ringshift", name.replace(/\.d\.ts$/, ".d.mts")));
console.log(`${out}: the page, and ${modules.length} files of the package`);
