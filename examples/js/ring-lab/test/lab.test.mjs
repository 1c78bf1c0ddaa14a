// The page in a real Chromium, over a loopback server. What it shows is compared with what the
// package says in this process.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { counter, ink, launch, open, shoot } from "./browser.mjs";
import { serve } from "./server.mjs";
import { Router, fromTopology, plan } from "../dist/src/package.js";

const PHASES = ["prepare", "double-write", "shadow-read", "read-new", "reversed", "ended-to"];
const LIMIT = { timeout: 30_000 };
const topology = (placement = "balanced") => ({
  cluster: "ring-lab",
  keyspaces: { orders: { placement: { [placement]: { vnodes: 160 } } } },
  shards: ["a", "b", "c"].map((name, n) => ({ id: n + 1, name: `shard-${name}`, weight: 1 })),
});
const fourth = { id: 4, name: "shard-d", weight: 1 };

let server, browser;
before(async () => {
  server = await serve();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

/** Opens the page, and fails if anything went wrong in it by the end. */
async function lab(options, walk) {
  const { page, wrong, close } = await open(browser, server.url, options);
  try {
    await walk(page);
    assert.deepEqual(wrong, []);
  } finally {
    await close();
  }
}

const figure = async (page, id) => Number(await page.locator(`[data-figure=${id}] [data-slots]`).getAttribute("data-slots"));
const over = (page) => page.waitForFunction(() => globalThis.ringLab.lab.world.runner?.ending, null, LIMIT);
const speed = (page, value) => page.locator("#speed").selectOption(value);
const settle = (page) => page.waitForTimeout(250);

test("the page loads under its policy, and draws the ring and the lanes", async () => {
  await lab({}, async (page) => {
    await settle(page);
    const ring = await ink(page, "#ring");
    assert.ok(ring.share > 0.2 && ring.share < 0.7, `the ring covers ${ring.share}`);
    assert.ok(ring.colors >= 3, `${ring.colors} colours`);
    assert.ok((await ink(page, "#lanes")).share > 0.1);
    assert.equal(await page.locator("#shards tr").count(), 3);
    assert.equal(await counter(page, "lost"), 0);
    await shoot(page, "desktop-light", { fullPage: true });
  });
});

test("where the page can't run, it says why", async () => {
  const page = await browser.newPage();
  await page.goto(new URL("../dist/index.html", import.meta.url).href);
  await page.waitForSelector("#fatal:not([hidden])");
  assert.match(await page.locator("#fatal").textContent(), /Serve this folder/);
  await page.close();
});

test("adding a shard shows what the package plans", async () => {
  const snapshot = fromTopology(topology());
  const changes = { add: [fourth], remove: [], reweight: [] };
  const [expected] = plan(snapshot, changes).figures;
  const [ring] = plan(fromTopology(topology("ring")), changes).figures;
  await lab({}, async (page) => {
    await page.locator("#add").click();
    assert.equal(await figure(page, "moved"), expected.slots_moved);
    assert.equal(await figure(page, "least"), expected.slots_least);
    assert.equal(await figure(page, "modulo"), expected.slots_modulo);
    assert.equal(await figure(page, "other"), ring.slots_moved);
    assert.equal(await page.locator("#plan-waves li").count(), expected.waves);
    const moving = await page.locator("#ring-moving").textContent();
    assert.equal(Number(moving.replaceAll(",", "")), expected.slots_moved);
    await settle(page);
    await shoot(page, "planned", { fullPage: true });

    // Another weight, another plan; and none at all once the wish is discarded.
    await page.getByLabel("weight of shard-d").fill("0.5");
    const lighter = { add: [{ ...fourth, weight: 0.5 }], remove: [], reweight: [] };
    assert.equal(await figure(page, "moved"), plan(snapshot, lighter).figures[0].slots_moved);
    await page.getByRole("button", { name: "Remove shard-b" }).click();
    const both = { ...lighter, remove: [2] };
    assert.equal(await figure(page, "moved"), plan(snapshot, both).figures[0].slots_moved);
    await page.locator("#discard").click();
    assert.equal(await page.locator("#shards tr").count(), 3);
    assert.ok(await page.locator("#start").isDisabled());

    // The ring itself as the placement.
    await page.getByRole("radio", { name: "ring" }).check();
    await page.locator("#add").click();
    assert.equal(await figure(page, "moved"), ring.slots_moved);

    // A wish that can't be: every shard removed.
    await page.locator("#discard").click();
    for (const name of ["a", "b", "c"]) await page.getByRole("button", { name: `Remove shard-${name}` }).click();
    assert.match(await page.locator("#plan-status").textContent(), /can't be planned/);
    assert.ok(await page.locator("#start").isDisabled());
  });
});

test("a migration goes through every phase, loses nothing, and the client that isn't told learns", async () => {
  await lab({}, async (page) => {
    await page.locator("#add").click();
    await page.evaluate(() => {
      globalThis.seen = new Set();
      const { world } = globalThis.ringLab.lab;
      world.listen((topic) => {
        if (topic === "swapped") for (const wave of world.waves.list) globalThis.seen.add(wave.stands);
      });
    });
    await speed(page, "16");
    await page.locator("#start").click();
    await page.waitForFunction(() => globalThis.seen.has("read-new"), null, LIMIT);
    assert.ok((await page.locator("#phases tr[aria-current]").count()) <= 1);
    await speed(page, "64");
    await over(page);
    await settle(page);
    const seen = await page.evaluate(() => [...globalThis.seen]);
    for (const phase of PHASES) assert.ok(seen.includes(phase), `${phase} was not seen`);
    const ended = await page.evaluate(() => {
      const { world } = globalThis.ringLab.lab;
      const last = world.clients.at(-1);
      return {
        ending: world.runner.ending, refreshes: last.refreshes, epoch: last.epoch, told: last.told,
        keys: world.keys.length, audited: world.audited, acknowledged: world.oracle.writes, reads: world.oracle.reads,
        owners: [...new Set(world.snapshot.owners("orders"))].length,
      };
    });
    assert.equal(ended.ending, "complete");
    assert.equal(ended.told, false);
    assert.ok(ended.refreshes > 0 && ended.epoch > 1, JSON.stringify(ended));
    assert.equal(ended.owners, 4);
    // Every key was looked up again at the end, and judged.
    assert.deepEqual(ended.audited, { checked: ended.keys, unknown: 0 });
    assert.ok(ended.acknowledged > 300 && ended.reads > ended.keys);
    assert.equal(await counter(page, "lost"), 0);
    assert.equal(await counter(page, "failures"), 0);
    assert.ok((await counter(page, "refusals")) > 0 && (await counter(page, "retries")) > 0);
    assert.match(await page.locator("#status").textContent(), /complete\. 0 acknowledged writes lost/);
    await shoot(page, "complete", { fullPage: true });

    // The same cluster goes on: the new shard leaves again.
    await page.getByRole("button", { name: "Remove shard-d" }).click();
    await page.locator("#start").click();
    await over(page);
    await settle(page);
    assert.equal(await page.locator("#shards tr").count(), 3);
    assert.equal(await counter(page, "lost"), 0);
  });
});

test("when mirrors lie, the page counts what is lost", async () => {
  await lab({}, async (page) => {
    await page.locator("#lie").check();
    await page.locator("#add").click();
    await speed(page, "64");
    await page.locator("#start").click();
    await page.waitForFunction(() => globalThis.ringLab.lab.world.oracle.losses.length > 0, null, LIMIT);
    await settle(page);
    assert.ok((await counter(page, "lost")) > 0);
    assert.ok(await page.locator("[data-counter=lost]").evaluate((box) => box.classList.contains("bad")));
    await page.locator("#reset").click();
    assert.ok(!(await page.locator("#lie").isChecked()));
    await settle(page);
    assert.equal(await counter(page, "lost"), 0);
  });
});

test("roll back, in the middle of reading new, takes everything back", async () => {
  await lab({}, async (page) => {
    const before = await page.evaluate(() => [...globalThis.ringLab.lab.owners].join());
    await page.locator("#add").click();
    await speed(page, "16");
    await page.locator("#start").click();
    await page.waitForFunction(() => globalThis.ringLab.lab.world.waves.present?.stands === "read-new", null, LIMIT);
    // A moment with much on its way.
    await page.evaluate(() => {
      const { lab, player } = globalThis.ringLab;
      player.playUntil(() => lab.world.flights.size >= 9);
    });
    await page.waitForFunction(() => !globalThis.ringLab.player.playing, null, LIMIT);
    await shoot(page, "mid-migration", { fullPage: true });
    await page.locator("#theme").click();
    await page.locator("#theme").click();
    await settle(page);
    await shoot(page, "mid-migration-dark", { fullPage: true });
    await speed(page, "64");
    await page.locator("#back").click();
    await over(page);
    await settle(page);
    const { ending, owners, shards } = await page.evaluate(() => {
      const { world } = globalThis.ringLab.lab;
      return { ending: world.runner.ending, owners: [...globalThis.ringLab.lab.owners].join(), shards: world.snapshot.shards.length };
    });
    assert.ok(ending["rolled-back"], JSON.stringify(ending));
    assert.equal(shards, 3);
    assert.equal(owners, before);
    assert.equal(await counter(page, "lost"), 0);
    assert.match(await page.locator("#status").textContent(), /Taken back to where it began\. 0/);
  });
});

test("everything can be done from the keyboard, and focus is seen", async () => {
  await lab({}, async (page) => {
    await page.keyboard.press("Tab");
    const walked = [];
    for (let press = 0; press < 45; press++) {
      const at = await page.evaluate(() => {
        const { activeElement: element } = document;
        const shown = element.closest(".segments label")?.querySelector("span") ?? element;
        const { outlineStyle, outlineWidth } = getComputedStyle(shown);
        return { id: element.id || element.name || element.getAttribute("aria-label") || element.className, ring: outlineStyle !== "none" && outlineWidth !== "0px" };
      });
      if (at.id === "skip" && walked.length > 0) break;
      if (at.id) assert.ok(at.ring, `no focus is seen at ${at.id}`);
      walked.push(at.id);
      await page.keyboard.press("Tab");
    }
    for (const id of ["help-open", "theme", "ring", "placement", "weight of shard-a", "add", "play", "reset", "speed", "log", "key", "map"]) {
      assert.ok(walked.includes(id), `${id} is not reached: ${walked}`);
    }

    await page.locator("h1").click();
    await page.keyboard.press("?");
    assert.ok(await page.locator("#help").isVisible());
    await page.keyboard.press("Escape");
    assert.ok(await page.locator("#help").isHidden());
    await page.keyboard.press("a");
    assert.equal(await page.locator("#shards tr").count(), 4);
    await page.keyboard.press("+");
    assert.equal(await page.locator("#speed").inputValue(), "2");
    for (let press = 0; press < 4; press++) await page.keyboard.press("+");
    await page.keyboard.press("m");
    assert.equal(await page.locator("#play").textContent(), "Pause");
    await page.keyboard.press(" ");
    assert.equal(await page.locator("#play").textContent(), "Play");
    const commands = () => page.evaluate(() => globalThis.ringLab.lab.world.figures.commands);
    const paused = () => page.waitForFunction(() => !globalThis.ringLab.player.playing, null, LIMIT);
    const before = await commands();
    await page.keyboard.press("ArrowRight");
    await paused();
    assert.equal(await commands(), before + 1);
    const stands = () => page.evaluate(() => globalThis.ringLab.lab.world.waves.list.map((wave) => wave.stands).join());
    const stood = await stands();
    await page.keyboard.press("Shift+ArrowRight");
    await paused();
    assert.notEqual(await stands(), stood);
    await page.keyboard.press("b");
    await over(page);
    await page.keyboard.press("r");
    assert.equal(await page.locator("#shards tr").count(), 3);

    // The ring, as a slider of sample keys.
    await page.locator("#ring").focus();
    await page.keyboard.press("ArrowRight");
    const first = await page.locator("#key").inputValue();
    await page.keyboard.press("ArrowRight");
    const second = await page.locator("#key").inputValue();
    assert.notEqual(first, second);
    assert.ok((await page.locator("#ring").getAttribute("aria-valuetext")).includes(second));
  });
});

test("a key's explanation is the package's own", async () => {
  const keyspace = new Router(fromTopology(topology())).keyspace("orders");
  await lab({}, async (page) => {
    for (const key of ["user:007", "", "ключ 🗝", "a/b?c=d", "{tag}rest"]) {
      await page.locator("#key").fill(key);
      const expected = keyspace.explain(key);
      const step = (id) => page.locator(`[data-step=${id}] dd`).textContent();
      assert.equal(await step("hash"), expected.hash);
      assert.equal(await step("slot"), expected.slot.toLocaleString("en-US"));
      assert.equal(await step("authority"), expected.authority);
      assert.equal(await step("reads"), expected.reads.join(", then "));
      assert.equal(await step("domain"), `${expected.domain} at epoch ${expected.domainEpoch}`);
      assert.equal(await step("mirror"), "none");
    }
    // Hovering a key on the ring explains it.
    await page.locator("#ring").scrollIntoViewIfNeeded();
    const [x, y, key] = await page.evaluate(() => {
      const { world } = globalThis.ringLab.lab;
      const [key] = world.keys;
      const box = document.querySelector("#ring").getBoundingClientRect();
      const angle = ((world.slots.get(key) + 0.5) / 65_536) * 2 * Math.PI - Math.PI / 2;
      const radius = (box.width / 2) * 0.665;
      return [box.x + box.width / 2 + radius * Math.cos(angle), box.y + box.height / 2 + radius * Math.sin(angle), key];
    });
    await page.mouse.move(x, y);
    assert.equal(await page.locator("#key").inputValue(), key);
  });
});

test("dark, light, little motion, and from 360 pixels on", async () => {
  const looks = (page) =>
    page.evaluate(() => {
      const bright = (color) => {
        const [r, g, b] = color.match(/[\d.]+/g).map((part) => (part / 255 <= 0.03928 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const card = bright(getComputedStyle(document.querySelector(".card")).backgroundColor);
      const contrast = (selector) => {
        const text = bright(getComputedStyle(document.querySelector(selector)).color);
        return (Math.max(card, text) + 0.05) / (Math.min(card, text) + 0.05);
      };
      return { card, text: contrast("h2"), soft: contrast(".hint"), width: document.documentElement.scrollWidth };
    });
  await lab({ viewport: { width: 360, height: 740 } }, async (page) => {
    await settle(page);
    const { width, text, soft, card } = await looks(page);
    assert.ok(width <= 360, `the page is ${width} wide`);
    assert.ok(card > 0.8 && text >= 7 && soft >= 4.5, JSON.stringify({ card, text, soft }));
    await shoot(page, "narrow-light", { fullPage: true });
  });
  await lab({ viewport: { width: 360, height: 740 }, colorScheme: "dark", reducedMotion: "reduce" }, async (page) => {
    await page.locator("#add").click();
    await speed(page, "16");
    await page.locator("#start").click();
    await page.waitForFunction(() => globalThis.ringLab.lab.world.waves.present?.stands === "double-write", null, LIMIT);
    await page.locator("#play").click();
    const { width, text, soft, card } = await looks(page);
    assert.ok(width <= 360, `the page is ${width} wide`);
    assert.ok(card < 0.05 && text >= 7 && soft >= 4.5, JSON.stringify({ card, text, soft }));
    await shoot(page, "narrow-dark", { fullPage: true });
  });
  await lab({ colorScheme: "dark" }, async (page) => {
    await settle(page);
    await shoot(page, "desktop-dark", { fullPage: true });
    await page.locator("#theme").click();
    assert.ok((await looks(page)).card > 0.8, "light, because the reader says so");
  });
});

test("nothing jumps while it works", async () => {
  await lab({}, async (page) => {
    await page.evaluate(() => {
      globalThis.shifted = 0;
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) globalThis.shifted += entry.value;
      }).observe({ type: "layout-shift", buffered: true });
    });
    await page.locator("#add").click();
    await page.waitForTimeout(600);
    await speed(page, "64");
    await page.locator("#start").click();
    await over(page);
    assert.ok((await page.evaluate(() => globalThis.shifted)) < 0.02, `shifted by ${await page.evaluate(() => globalThis.shifted)}`);
  });
});
