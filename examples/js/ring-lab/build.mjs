// Copies the page and the built package side by side into dist/.
// Usage: node build.mjs [folder of the package's modules]
import { cpSync, existsSync, mkdirSync, rmSync } from "node:fs";
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
// The entry that has it all is one file. Its types go along, for whoever checks the page.
cpSync(join(pack, "migrate.mjs"), join(out, "ringshift", "migrate.mjs"));
cpSync(join(pack, "migrate.d.ts"), join(out, "ringshift", "migrate.d.mts"));
console.log(`${out}: the page and the package`);
