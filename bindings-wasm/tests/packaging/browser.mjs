// One Chromium for all environments that need a page, started at the first of them.
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { chromium } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];
const ARGS =
  "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking " +
  "--disable-component-update --disable-sync --disable-dev-shm-usage";

let browser;

/** Where Chromium is: CHROME, or the first of its names on PATH. */
function chromePath() {
  if (process.env.CHROME) return process.env.CHROME;
  const folders = (process.env.PATH ?? "").split(delimiter);
  const found = folders
    .flatMap((folder) => NAMES.map((name) => join(folder, name)))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
  if (!found) throw new Error("no Chromium on PATH, and CHROME isn't set");
  return found;
}

async function opened() {
  browser ??= await chromium.launch({ executablePath: chromePath(), args: ARGS.split(" ") });
  return browser;
}

/** The browser's version. */
export const version = async () => (await opened()).version();

/** Opens a page and waits for what the program saw there, as JSON; fails with the page's errors. */
export async function visit(url) {
  const page = await (await opened()).newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(`${error.name}: ${error.message}`));
  page.on("console", (line) => line.type() === "error" && errors.push(line.text()));
  page.on("requestfailed", (request) => errors.push(`${request.url()} failed`));
  try {
    await page.goto(url);
    const end = Date.now() + 20_000;
    for (;;) {
      // A dev server may load the page again at any moment, which ends the evaluation.
      const saw = await page.evaluate("JSON.stringify(globalThis.ringshiftSaw)").catch(() => null);
      if (saw) return saw;
      if (errors.length > 0 || Date.now() > end) {
        throw new Error(`nothing seen at ${url}: ${errors.join("; ") || "no error either"}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  } finally {
    await page.close();
  }
}

/** Ends the browser, if one was started. */
export async function close() {
  await browser?.close();
}
