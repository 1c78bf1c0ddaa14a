// Test runners, which bring module resolutions of their own.
import { join } from "node:path";
import { cjs, esm, here, versionOf } from "../lab.mjs";

const node = process.execPath;
const bin = (tool, file) => join(here, "node_modules", tool, file);

export const environments = [
  {
    name: "vitest",
    version: () => versionOf("vitest"),
    async run(lab) {
      const test = `${esm()}\ntest("saw it", () => expect(saw.outcome).toBe("value"));\n`;
      lab.fill({
        "main.test.js": test,
        "vitest.config.mjs": "export default { test: { globals: true } };",
      });
      const said = await lab.run(node, [bin("vitest", "vitest.mjs"), "run"]);
      if (!/Tests\s+1 passed/.test(said)) throw new Error(said);
    },
  },
  {
    name: "jest, CommonJS",
    version: () => versionOf("jest"),
    async run(lab) {
      const test = `${cjs()}\ntest("saw it", () => expect(saw.outcome).toBe("value"));\n`;
      lab.fill({ "main.test.cjs": test, "jest.config.json": JSON.stringify({
        testMatch: ["**/*.test.cjs"], watchman: false, cacheDirectory: lab.path("cache"),
      }) });
      const said = await lab.run(node, [bin("jest", "bin/jest.js"), "--ci"]);
      if (!/Tests:\s+1 passed/.test(said)) throw new Error(said);
    },
  },
];
