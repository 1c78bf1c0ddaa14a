// A real Chromium, and pages that tell what went wrong in them.
import { existsSync, mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const shots = fileURLToPath(new URL("../../../../target/ring-lab/", import.meta.url));
const executablePath = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/google-chrome"].find((path) => path && existsSync(path));
const args = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
];

export const launch = () => chromium.launch({ executablePath, args });

/** A page of the lab; `wrong` collects console errors, exceptions and refused policies. */
export async function open(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme: "light", ...options });
  const page = await context.newPage();
  const wrong = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") wrong.push(message.text());
  });
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("requestfailed", (request) => wrong.push(`${request.url()} failed`));
  await page.goto(url);
  await page.waitForFunction(() => globalThis.ringLab !== undefined);
  return { page, wrong, close: () => context.close() };
}

/** Keeps a picture of the page in target/ring-lab/. */
export async function shoot(page, name, options = {}) {
  mkdirSync(shots, { recursive: true });
  await page.screenshot({ path: `${shots}${name}.png`, ...options });
}

/** The number that a counter shows. */
export async function counter(page, name) {
  return Number((await page.locator(`[data-counter=${name}] dd`).textContent()).replaceAll(",", ""));
}

/** What part of a canvas isn't transparent, and how many different colours it has (coarsely). */
export function ink(page, selector) {
  return page.evaluate((what) => {
    const canvas = document.querySelector(what);
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const colors = new Set();
    let full = 0;
    for (let at = 0; at < data.length; at += 4) {
      if (data[at + 3] < 200) continue;
      full += 1;
      colors.add(((data[at] >> 5) << 6) | ((data[at + 1] >> 5) << 3) | (data[at + 2] >> 5));
    }
    return { share: (4 * full) / data.length, colors: colors.size };
  }, selector);
}
