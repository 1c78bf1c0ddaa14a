// Copies the page and the built package side by side into dist/. Usage: node build.mjs
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const pack = fileURLToPath(new URL("../../../bindings-wasm/dist/", import.meta.url));
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
const modules = readdirSync(pack).filter((name) => name.endsWith(".mjs"));
for (const name of modules) cpSync(join(pack, name), join(out, "ringshift", name));
console.log(`${out}: the page, and ${modules.length} modules of the package`);
