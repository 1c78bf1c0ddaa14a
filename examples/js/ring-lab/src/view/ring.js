// The ring: who has each slot, where the slots that move will go, and where keys are.

import { fit } from "./dom.js";
import { shardColor, themeColor } from "./palette.js";

/**
 * @typedef {{
 *   owners: Uint16Array,
 *   ids: number[],
 *   names: Map<number, string>,
 *   moves: Int32Array | null,
 *   present: ((slot: number) => boolean) | null,
 * }} Picture owners and ids give a slot's shard; moves the shard that it will go to, or -1
 * @typedef {{ key: string, slot: number }} Dot
 */

/** Slots are drawn in so many cells: more than there are pixels on the way round. */
const CELLS = 2048;
const BAND = { inner: 0.74, outer: 0.88 };
const MOVES = { inner: 0.9, outer: 0.985 };
const DOTS = 0.665;

export class Ring {
  /** @type {Picture | null} */
  #picture = null;
  /** @type {Dot[]} by slot */
  #dots = [];
  /** @type {Dot | null} the key that is explained */
  #marked = null;
  #slots = 1;
  #drawn = false;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {(key: string) => void} chosen a sample key was hovered or stepped to
   */
  constructor(canvas, chosen) {
    this.canvas = canvas;
    this.chosen = chosen;
    new ResizeObserver(() => this.redraw()).observe(canvas);
    canvas.addEventListener("pointermove", (event) => this.#hover(event));
    canvas.addEventListener("pointerdown", (event) => this.#hover(event));
    canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  /** @param {Picture} picture */
  show(picture) {
    this.#picture = picture;
    this.#slots = picture.owners.length;
    this.redraw();
  }

  /** @param {Dot[]} dots */
  sample(dots) {
    this.#dots = [...dots].sort((a, b) => a.slot - b.slot);
    this.canvas.setAttribute("aria-valuemax", String(dots.length));
    this.redraw();
  }

  /** @param {Dot | null} dot @param {string} words what to say of it */
  mark(dot, words) {
    this.#marked = dot;
    const at = this.#dots.findIndex((one) => one.key === dot?.key);
    this.canvas.setAttribute("aria-valuenow", String(Math.max(0, at) + 1));
    this.canvas.setAttribute("aria-valuetext", words);
    this.redraw();
  }

  redraw() {
    this.#drawn = false;
  }

  /** Draws, if anything has changed. */
  frame() {
    if (this.#drawn || !this.#picture || this.canvas.clientWidth === 0) return;
    this.#drawn = true;
    const { pen, width } = fit(this.canvas);
    const radius = width / 2;
    pen.clearRect(0, 0, width, width);
    pen.save();
    pen.translate(radius, radius);
    this.#bands(pen, radius, this.#picture);
    this.#keys(pen, radius, this.#picture);
    pen.restore();
  }

  /** @param {CanvasRenderingContext2D} pen @param {number} radius @param {Picture} picture */
  #bands(pen, radius, picture) {
    const step = Math.max(1, this.#slots / CELLS);
    const cells = Math.min(CELLS, this.#slots);
    arc(pen, radius, MOVES, 0, 1, themeColor("ring-rest"));
    for (let cell = 0; cell < cells; cell++) {
      const seen = look(picture, Math.floor(cell * step), Math.floor((cell + 1) * step));
      const [from, to] = [cell / cells, (cell + 1) / cells];
      pen.globalAlpha = picture.moves && !seen.moving ? 0.3 : 1;
      arc(pen, radius, BAND, from, to, shardColor(seen.owner));
      if (seen.moving) {
        pen.globalAlpha = 1;
        const band = seen.present ? { inner: MOVES.inner, outer: 1 } : { inner: MOVES.inner + 0.03, outer: MOVES.outer };
        arc(pen, radius, band, from, to, shardColor(seen.to));
      }
    }
    pen.globalAlpha = 1;
  }

  /** @param {CanvasRenderingContext2D} pen @param {number} radius @param {Picture} picture */
  #keys(pen, radius, picture) {
    const surface = themeColor("card");
    for (const dot of this.#dots) {
      const [x, y] = this.#place(dot.slot, DOTS * radius);
      pen.beginPath();
      pen.arc(x, y, 3.4, 0, 2 * Math.PI);
      pen.fillStyle = shardColor(picture.ids[picture.owners[dot.slot] ?? 0] ?? 0);
      pen.fill();
    }
    const marked = this.#marked;
    if (!marked) return;
    const text = themeColor("text");
    const [x, y] = this.#place(marked.slot, DOTS * radius);
    const [fx, fy] = this.#place(marked.slot, 0.999 * radius);
    pen.lineWidth = 2;
    pen.strokeStyle = surface;
    pen.lineWidth = 5;
    line(pen, x, y, fx, fy);
    pen.strokeStyle = text;
    pen.lineWidth = 2;
    line(pen, x, y, fx, fy);
    pen.beginPath();
    pen.arc(x, y, 6.5, 0, 2 * Math.PI);
    pen.fillStyle = shardColor(picture.ids[picture.owners[marked.slot] ?? 0] ?? 0);
    pen.fill();
    pen.lineWidth = 2.5;
    pen.stroke();
    const [lx, ly] = this.#place(marked.slot, 0.5 * radius);
    const words = marked.key.length > 16 ? `${marked.key.slice(0, 15)}…` : marked.key;
    pen.font = "600 12px ui-monospace, Menlo, Consolas, monospace";
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillStyle = text;
    pen.fillText(words, lx, ly);
  }

  /** @param {number} slot @param {number} distance @returns {[number, number]} */
  #place(slot, distance) {
    const angle = ((slot + 0.5) / this.#slots) * 2 * Math.PI - Math.PI / 2;
    return [distance * Math.cos(angle), distance * Math.sin(angle)];
  }

  /** @param {PointerEvent} event */
  #hover(event) {
    const picture = this.#picture;
    if (!picture) return;
    const radius = this.canvas.clientWidth / 2;
    const [x, y] = [event.offsetX - radius, event.offsetY - radius];
    const distance = Math.hypot(x, y) / radius;
    const turn = (Math.atan2(y, x) / (2 * Math.PI) + 1.25) % 1;
    const slot = Math.floor(turn * this.#slots);
    const near = distance > DOTS - 0.08 && distance < BAND.inner ? this.#nearest(x, y, radius) : null;
    if (near) this.chosen(near.key);
    const title = distance < BAND.inner || distance > 1 ? "" : this.#title(picture, slot);
    if (this.canvas.title !== title) this.canvas.title = title;
  }

  /** @param {Picture} picture @param {number} slot */
  #title(picture, slot) {
    const owner = picture.ids[picture.owners[slot] ?? 0] ?? 0;
    const to = picture.moves?.[slot] ?? -1;
    const name = picture.names.get(owner) ?? `#${owner}`;
    const goes = to < 0 ? "" : ` → ${picture.names.get(to) ?? `#${to}`}`;
    return `slot ${slot.toLocaleString("en-US")}: ${name}${goes}`;
  }

  /** @param {number} x @param {number} y @param {number} radius */
  #nearest(x, y, radius) {
    let [best, least] = [/** @type {Dot | null} */ (null), 14];
    for (const dot of this.#dots) {
      const [dx, dy] = this.#place(dot.slot, DOTS * radius);
      const distance = Math.hypot(dx - x, dy - y);
      if (distance < least) [best, least] = [dot, distance];
    }
    return best;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
    if (step === undefined || this.#dots.length === 0) return;
    event.preventDefault();
    event.stopPropagation();
    const at = this.#dots.findIndex((dot) => dot.key === this.#marked?.key);
    const next = this.#dots[(at + step + this.#dots.length) % this.#dots.length];
    if (next) this.chosen(next.key);
  }
}

/**
 * What a cell shows: its commonest owner, and where any of its slots goes.
 * @param {Picture} picture @param {number} from @param {number} to
 */
function look({ owners, ids, moves, present }, from, to) {
  /** @type {Map<number, number>} */
  const votes = new Map();
  const seen = { owner: 0, moving: false, to: -1, present: false };
  for (let slot = from; slot < to; slot++) {
    const index = owners[slot] ?? 0;
    votes.set(index, (votes.get(index) ?? 0) + 1);
    const goal = moves ? (moves[slot] ?? -1) : -1;
    if (goal >= 0) {
      const now = present?.(slot) ?? false;
      if (!seen.moving || (now && !seen.present)) seen.to = goal;
      seen.moving = true;
      seen.present ||= now;
    }
  }
  let most = 0;
  for (const [index, number] of votes) {
    if (number > most) [most, seen.owner] = [number, ids[index] ?? 0];
  }
  return seen;
}

/** @param {CanvasRenderingContext2D} pen @param {number} radius @param {{ inner: number, outer: number }} band @param {number} from of 1 @param {number} to @param {string} color */
function arc(pen, radius, band, from, to, color) {
  const turn = (/** @type {number} */ part) => part * 2 * Math.PI - Math.PI / 2;
  const seam = to - from < 1 ? 0.0012 : 0;
  pen.beginPath();
  pen.arc(0, 0, band.outer * radius, turn(from), turn(to) + seam);
  pen.arc(0, 0, band.inner * radius, turn(to) + seam, turn(from), true);
  pen.closePath();
  pen.fillStyle = color;
  pen.fill();
}

/** @param {CanvasRenderingContext2D} pen @param {number} x @param {number} y @param {number} tx @param {number} ty */
function line(pen, x, y, tx, ty) {
  pen.beginPath();
  pen.moveTo(x, y);
  pen.lineTo(tx, ty);
  pen.stroke();
}
