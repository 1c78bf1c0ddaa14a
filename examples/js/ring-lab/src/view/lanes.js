// The lanes: clients on the left, shards on the right, the map and its coordinator above, and
// every message on its way between them.

import { calm, fit } from "./dom.js";
import { shardColor, themeColor } from "./palette.js";
import { drawShape } from "./shapes.js";

/** @typedef {import("../sim/world.js").World} World */
/** @typedef {import("../sim/world.js").Place} Place */
/** @typedef {import("../sim/world.js").Flight} Flight */
/** @typedef {{ x: number, y: number, w: number, h: number }} Box */
/** @typedef {{ clients: Box[], shards: Map<number, Box>, topology: Box, narrow: boolean }} Layout */

const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";

export class Lanes {
  #drawn = false;

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    new ResizeObserver(() => this.redraw()).observe(canvas);
  }

  redraw() {
    this.#drawn = false;
  }

  /** Draws, if anything has changed. @param {World} world */
  frame(world) {
    if (this.#drawn || this.canvas.clientWidth === 0) return;
    this.#drawn = true;
    const { pen, width, height } = fit(this.canvas);
    pen.clearRect(0, 0, width, height);
    const layout = arrange(world, width, height);
    const wave = world.migrating ? world.waves.present : null;
    this.#lines(pen, layout, wave && !wave.over ? wave : null);
    for (const [n, box] of layout.clients.entries()) this.#client(pen, box, world, n, layout);
    for (const [id, box] of layout.shards) this.#shard(pen, box, world, id, layout);
    this.#topology(pen, layout.topology, world);
    const size = layout.narrow ? 5 : 6.5;
    for (const flight of world.flights) this.#flight(pen, layout, world, flight, size);
  }

  /** @param {CanvasRenderingContext2D} pen @param {Layout} layout @param {{ from: number, to: number } | null} wave */
  #lines(pen, layout, wave) {
    for (const [id, box] of layout.shards) {
      const one = wave !== null && (id === wave.from || id === wave.to);
      pen.strokeStyle = one ? shardColor(id) : themeColor("line");
      pen.globalAlpha = one ? 0.45 : 0.8;
      pen.lineWidth = one ? 2 : 1;
      for (const client of layout.clients) {
        pen.beginPath();
        curve(pen, right(client), left(box));
        pen.stroke();
      }
    }
    pen.globalAlpha = 1;
  }

  /** @param {CanvasRenderingContext2D} pen @param {Box} box @param {World} world @param {number} n @param {Layout} layout */
  #client(pen, box, world, n, layout) {
    const client = world.clients[n];
    if (!client) return;
    const old = client.epoch < world.snapshot.epoch;
    card(pen, box, old ? themeColor("kind-write") : themeColor("line"), old ? [5, 4] : []);
    const name = client.told ? `client ${n + 1}` : layout.narrow ? `${n + 1}, not told` : client.name;
    words(pen, box, name, `epoch ${client.epoch}${client.fetching ? " …" : ""}`, old ? "kind-write" : "soft");
  }

  /** @param {CanvasRenderingContext2D} pen @param {Box} box @param {World} world @param {number} id @param {Layout} layout */
  #shard(pen, box, world, id, layout) {
    const shard = world.snapshot.shards.find((shard) => shard.id === id);
    const wave = world.migrating ? world.waves.present : null;
    const side = wave?.over === false ? (wave.from === id ? "FROM" : wave.to === id ? "TO" : "") : "";
    const row = side ? world.guardRow(id) : undefined;
    card(pen, box, side ? shardColor(id) : themeColor("line"), [], side ? 3 : 1);
    pen.fillStyle = shardColor(id);
    pen.fillRect(box.x, box.y + 6, 5, box.h - 12);
    const name = shard?.name ?? `#${id}`;
    const role = row ? `${row.closed ? "closed" : row.role === "none" ? "no role yet" : row.role}` : `${world.shards.get(id)?.rows ?? 0} rows`;
    const inner = { ...box, x: box.x + 5, w: box.w - 5 };
    const shown = layout.narrow ? role.replace("readable-mirror", "read. mirror") : role;
    words(pen, inner, side ? `${name} · ${side}` : name, box.h > 34 ? shown : "", row?.closed ? "kind-refused" : "soft");
    if (row?.closed) lock(pen, box);
  }

  /** @param {CanvasRenderingContext2D} pen @param {Box} box @param {World} world */
  #topology(pen, box, world) {
    card(pen, box, themeColor("line"), []);
    const doing = world.runner?.doing;
    const what = doing ? `${nameOf(doing.point.goal)} / ${doing.point.stage}` : world.migrating ? "waiting" : "at rest";
    words(pen, box, `map: epoch ${world.snapshot.epoch}`, what, "soft");
  }

  /** @param {CanvasRenderingContext2D} pen @param {Layout} layout @param {World} world @param {Flight} flight @param {number} size */
  #flight(pen, layout, world, flight, size) {
    const [from, to] = [anchor(layout, flight.from, flight.to), anchor(layout, flight.to, flight.from)];
    if (!from || !to) return;
    const part = calm.matches ? 0.5 : (world.clock.now - flight.left) / (flight.due - flight.left);
    const [x, y] = along(from, to, Math.min(1, Math.max(0, part)));
    pen.globalAlpha = 1;
    drawShape(pen, flight.sort, x, y + (flight.sort === "answer" ? 3 : 0), size);
  }
}

/** @param {World} world @param {number} width @param {number} height @returns {Layout} */
function arrange(world, width, height) {
  const narrow = width < 520;
  const [w, pad, top] = [narrow ? 88 : 138, narrow ? 6 : 16, 62];
  const place = (/** @type {number} */ x, /** @type {number} */ n, /** @type {number} */ of) => {
    const room = (height - top - 10) / of;
    const h = Math.min(46, room - 8);
    return { x, y: top + n * room + (room - h) / 2, w, h };
  };
  const ids = world.shownShards();
  const shards = new Map(ids.map((id, n) => [id, place(width - pad - w, n, ids.length)]));
  const clients = world.clients.map((_, n) => place(pad, n, world.clients.length));
  const wide = narrow ? 136 : 190;
  return { clients, shards, topology: { x: (width - wide) / 2, y: 8, w: wide, h: 44 }, narrow };
}

/** Where a message leaves or reaches a place. @param {Layout} layout @param {Place} place @param {Place} other @returns {[number, number] | null} */
function anchor(layout, place, other) {
  if (place === "topology") {
    const { x, y, w, h } = layout.topology;
    return [other !== "topology" && "client" in other ? x : x + w, y + h / 2];
  }
  if ("client" in place) {
    const box = layout.clients[place.client];
    return box ? right(box) : null;
  }
  const box = layout.shards.get(place.shard);
  return box ? left(box) : null;
}

/** @param {Box} box @returns {[number, number]} */
const right = (box) => [box.x + box.w, box.y + box.h / 2];
/** @param {Box} box @returns {[number, number]} */
const left = (box) => [box.x, box.y + box.h / 2];

/** @param {CanvasRenderingContext2D} pen @param {[number, number]} from @param {[number, number]} to */
function curve(pen, from, to) {
  const bend = (to[0] - from[0]) * 0.45;
  pen.moveTo(...from);
  pen.bezierCurveTo(from[0] + bend, from[1], to[0] - bend, to[1], ...to);
}

/** A point on the same curve. @param {[number, number]} from @param {[number, number]} to @param {number} t @returns {[number, number]} */
function along(from, to, t) {
  const bend = (to[0] - from[0]) * 0.45;
  const [a, b, c, d] = [(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t ** 3];
  const x = a * from[0] + b * (from[0] + bend) + c * (to[0] - bend) + d * to[0];
  return [x, (a + b) * from[1] + (c + d) * to[1]];
}

/** @param {CanvasRenderingContext2D} pen @param {Box} box @param {string} edge @param {number[]} dash @param {number} [width] */
function card(pen, box, edge, dash, width = 1.5) {
  pen.beginPath();
  pen.roundRect(box.x, box.y, box.w, box.h, 8);
  pen.fillStyle = themeColor("card");
  pen.fill();
  pen.setLineDash(dash);
  pen.lineWidth = dash.length > 0 ? 2 : width;
  pen.strokeStyle = edge;
  pen.stroke();
  pen.setLineDash([]);
}

/** @param {CanvasRenderingContext2D} pen @param {Box} box @param {string} first @param {string} second @param {string} tone */
function words(pen, box, first, second, tone) {
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  const middle = box.y + box.h / 2;
  pen.fillStyle = themeColor("text");
  pen.font = `600 13px ${FONT}`;
  pen.fillText(first, box.x + 9, second ? middle - 8 : middle + 1, box.w - 14);
  if (!second) return;
  pen.fillStyle = themeColor(tone);
  pen.font = `${tone === "soft" ? 400 : 600} 12px ${FONT}`;
  pen.fillText(second, box.x + 9, middle + 9, box.w - 14);
}

/** A padlock in the corner of a box. @param {CanvasRenderingContext2D} pen @param {Box} box */
function lock(pen, box) {
  const [x, y] = [box.x + box.w - 18, box.y + box.h / 2 + 8];
  pen.fillStyle = themeColor("kind-refused");
  pen.strokeStyle = pen.fillStyle;
  pen.lineWidth = 2;
  pen.beginPath();
  pen.arc(x, y - 3, 4, Math.PI, 0);
  pen.stroke();
  pen.fillRect(x - 6, y - 2, 12, 9);
}

/** @param {import("../package.js").Goal} goal @returns {string} */
export function nameOf(goal) {
  // A point of a ramp doesn't say how far it goes.
  return typeof goal === "string" ? goal : "ramp";
}
