// Puts the page together: the cluster, its views, and the clock that moves it.

import { phases } from "./package.js";
import { Player } from "./player.js";
import { Lab } from "./state.js";
import { Controls } from "./view/controls.js";
import { Counters } from "./view/counters.js";
import { byId, fit, make, say } from "./view/dom.js";
import { Explain } from "./view/explain.js";
import { Lanes } from "./view/lanes.js";
import { PlanPanel } from "./view/plan-panel.js";
import { Ring } from "./view/ring.js";
import { KINDS, drawShape } from "./view/shapes.js";
import { ShardsPanel } from "./view/shards-panel.js";
import { theme } from "./view/theme.js";
import { WavePanel } from "./view/wave-panel.js";

/** @typedef {import("./sim/world.js").World} World */
/** @typedef {import("./package.js").Ending} Ending */

/** One of so many keys is drawn on the ring. */
const SAMPLE = 5;
const table = phases();
const lab = new Lab();
const player = new Player(() => lab.world, () => show());
const ring = new Ring(byId("ring", HTMLCanvasElement), (key) => explain.choose(key));
const lanes = new Lanes(byId("lanes", HTMLCanvasElement));
const explain = new Explain(lab, (dot, words) => ring.mark(dot, words));
const shards = new ShardsPanel(lab);
const plans = new PlanPanel(lab, table.map((phase) => phase.name), () => start());
const wave = new WavePanel(table);
const counters = new Counters();
const status = byId("status", HTMLParagraphElement);
const moment = byId("moment", HTMLSpanElement);

const controls = new Controls({
  toggle: () => (player.playing ? player.pause() : player.play()),
  step: () => playUntil((world) => world.figures.commands),
  nextPhase: () => playUntil((world) => world.waves.list.map((one) => `${one.stands} ${one.info?.ramp_ppm}`).join()),
  back: () => {
    lab.world.runner?.rollBack("asked for in the page");
    announce("Rolling back: after the present move, everything goes back to where it began.");
    if (!player.playing) player.play();
  },
  reset: () => {
    player.pause();
    lab.reset();
  },
  speed: (speed) => (player.speed = speed),
  add: () => lab.add(),
  start: () => start(),
  theme: () => nextTheme(),
  key: () => explain.focus(),
});

const lie = byId("lie", HTMLInputElement);
lie.addEventListener("change", () => (lab.world.lying = lie.checked));

function start() {
  const focused = document.activeElement === byId("start", HTMLButtonElement);
  if (!lab.start()) return;
  // Its button is of no use now; whoever was there goes on at the next one.
  if (focused) byId("play", HTMLButtonElement).focus({ preventScroll: true });
  wave.clear();
  announce("The migration has begun.");
  player.play();
}

/** Plays on until what `read` answers is another, or the migration is over. @param {(world: World) => unknown} read */
function playUntil(read) {
  const { world } = lab;
  const before = read(world);
  player.playUntil(() => !world.migrating || read(world) !== before);
}

/** @param {string} words */
function announce(words) {
  say(status, words);
}

/** Follows a cluster's news. @param {World} world */
function follow(world) {
  world.listen((topic, detail) => {
    if (topic === "commanded") {
      const { doing, answer } = /** @type {{ doing: import("./package.js").Do, answer: import("./package.js").Answer }} */ (detail);
      wave.log(doing, answer);
    } else if (topic === "swapped") {
      const { present } = world.waves;
      if (present) announce(describe(world, present));
      dirty = true;
    } else if (topic === "over") {
      announce(ended(world, /** @type {Ending} */ (detail)));
      dirty = true;
    }
  });
}

/** @param {World} world @param {import("./sim/waves.js").FollowedWave} present */
function describe(world, present) {
  const name = (/** @type {number} */ id) => world.snapshot.shards.find((shard) => shard.id === id)?.name ?? `#${id}`;
  const ramp = present.stands === "read-new" ? ` at ${(present.info?.ramp_ppm ?? 0) / 10_000} %` : "";
  return `Wave ${name(present.from)} → ${name(present.to)}: ${present.stands}${ramp}. The map is at epoch ${world.snapshot.epoch}.`;
}

/** @param {World} world @param {Ending} ending */
function ended(world, ending) {
  const { losses } = world.oracle;
  const lost = `${losses.length} acknowledged writes lost, ${world.audited.checked} keys looked up.`;
  if (ending === "complete") return `The migration is complete. ${lost}`;
  if ("rolled-back" in ending) return `Taken back to where it began. ${lost}`;
  return `The migration stopped: ${JSON.stringify(ending)}. ${lost}`;
}

let dirty = false;
/** @type {World | null} */
let followed = null;

/** Everything that doesn't change with every frame. */
function show() {
  const { world } = lab;
  if (followed !== world) {
    followed = world;
    follow(world);
    wave.clear();
    lie.checked = world.lying;
    announce("Clients read and write. Nothing moves.");
    ring.sample(world.keys.filter((_, n) => n % SAMPLE === 0).map((key) => ({ key, slot: world.slots.get(key) ?? 0 })));
  }
  const { picture } = lab;
  ring.show(picture);
  lanes.redraw();
  shards.show();
  plans.show();
  explain.offer();
  explain.show();
  const moving = picture.moves?.reduce((sum, to) => sum + (to < 0 ? 0 : 1), 0) ?? 0;
  say(byId("ring-slots", HTMLElement), picture.owners.length.toLocaleString("en-US"));
  say(byId("ring-moving", HTMLElement), picture.moves ? moving.toLocaleString("en-US") : "0");
  say(byId("ring-moving-word", HTMLElement), world.migrating ? "left to move" : "would move");
  say(byId("ring-epoch", HTMLSpanElement), `epoch ${world.snapshot.epoch}`);
  const finishing = world.waves.list.some((one) => one.stands === "ended-to" || one.stands === "moved");
  controls.show({ playing: player.playing, migrating: world.migrating, canGoBack: world.migrating && !finishing });
}

/** @param {number} at */
function frame(at) {
  const moved = player.playing;
  player.frame(at);
  if (moved) lanes.redraw();
  const { world } = lab;
  if (dirty) {
    dirty = false;
    lab.tell();
  }
  ring.frame();
  explain.frame();
  lanes.frame(world);
  wave.show(world);
  counters.show(world);
  say(moment, `${Math.floor(world.clock.now).toLocaleString("en-US")} ms`);
  requestAnimationFrame(frame);
}

function legend() {
  const list = byId("legend", HTMLUListElement);
  list.replaceChildren(
    ...KINDS.map(([sort, , name]) => {
      const icon = make("canvas");
      const item = make("li", {}, icon, name);
      list.append(item);
      const { pen } = fit(icon);
      pen.clearRect(0, 0, 16, 16);
      drawShape(pen, sort, 8, 8, 5.5);
      return item;
    }),
  );
}

const nextTheme = theme(() => {
  legend();
  ring.redraw();
  lanes.redraw();
});
lab.listen(show);
lab.tell();
requestAnimationFrame(frame);

/** For the console, and for tests: the same objects that the page shows. */
Object.assign(globalThis, { ringLab: { lab, player } });
