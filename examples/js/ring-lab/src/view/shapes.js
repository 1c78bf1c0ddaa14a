// What each kind of message looks like: a colour and a shape, so that either is enough.

import { themeColor } from "./palette.js";

/** @typedef {import("../sim/world.js").Flight["sort"]} Sort */

/** @type {[Sort, string, string][]} sort, colour of the theme, name */
export const KINDS = [
  ["read", "kind-read", "read"],
  ["write", "kind-write", "write"],
  ["mirror", "kind-mirror", "mirror write"],
  ["repair", "kind-repair", "repair"],
  ["compare", "kind-read", "compare"],
  ["refused", "kind-refused", "refused"],
  ["retry", "kind-retry", "retry"],
  ["fetch", "accent", "new map"],
  ["rows", "text", "rows copied"],
  ["command", "kind-quiet", "coordinator"],
];
const COLORS = new Map(KINDS.map(([sort, color]) => [sort, color]));

/**
 * Draws one message.
 * @param {CanvasRenderingContext2D} pen
 * @param {Sort} sort
 * @param {number} x
 * @param {number} y
 * @param {number} size half its width
 */
export function drawShape(pen, sort, x, y, size) {
  const color = themeColor(COLORS.get(sort) ?? "kind-quiet");
  pen.fillStyle = color;
  pen.strokeStyle = color;
  pen.lineWidth = 2;
  pen.beginPath();
  switch (sort) {
    case "read":
      pen.arc(x, y, size, 0, 2 * Math.PI);
      pen.fill();
      break;
    case "compare":
      pen.arc(x, y, size * 0.9, 0, 2 * Math.PI);
      pen.moveTo(x - size * 0.45, y - size * 0.2);
      pen.lineTo(x + size * 0.45, y - size * 0.2);
      pen.moveTo(x - size * 0.45, y + size * 0.25);
      pen.lineTo(x + size * 0.45, y + size * 0.25);
      pen.stroke();
      break;
    case "write":
      pen.rect(x - size * 0.9, y - size * 0.9, size * 1.8, size * 1.8);
      pen.fill();
      break;
    case "mirror":
      polygon(pen, x, y, size * 1.25, 4, -Math.PI / 2);
      pen.fill();
      break;
    case "repair":
      polygon(pen, x, y, size * 1.25, 3, -Math.PI / 2);
      pen.fill();
      break;
    case "refused":
      pen.lineWidth = Math.max(2.5, size * 0.55);
      pen.moveTo(x - size, y - size);
      pen.lineTo(x + size, y + size);
      pen.moveTo(x + size, y - size);
      pen.lineTo(x - size, y + size);
      pen.stroke();
      break;
    case "retry":
      pen.lineWidth = Math.max(2.5, size * 0.5);
      pen.arc(x, y, size * 0.9, 0.5, 2 * Math.PI - 0.35);
      pen.stroke();
      pen.beginPath();
      polygon(pen, x + size * 0.95, y - size * 0.35, size * 0.55, 3, Math.PI / 2);
      pen.fill();
      break;
    case "fetch":
      polygon(pen, x, y, size * 1.2, 5, -Math.PI / 2);
      pen.stroke();
      break;
    case "rows":
      pen.rect(x - size, y - size, size * 2, size * 0.5);
      pen.rect(x - size, y - size * 0.25, size * 2, size * 0.5);
      pen.rect(x - size, y + size * 0.5, size * 2, size * 0.5);
      pen.fill();
      break;
    case "command":
      polygon(pen, x, y, size * 0.8, 6, 0);
      pen.stroke();
      break;
    case "answer":
      pen.globalAlpha *= 0.55;
      pen.arc(x, y, Math.max(1.8, size * 0.4), 0, 2 * Math.PI);
      pen.fill();
      pen.globalAlpha /= 0.55;
      break;
  }
}

/** @param {CanvasRenderingContext2D} pen @param {number} x @param {number} y @param {number} radius @param {number} corners @param {number} turn */
function polygon(pen, x, y, radius, corners, turn) {
  for (let corner = 0; corner <= corners; corner++) {
    const angle = turn + (corner * 2 * Math.PI) / corners;
    const [px, py] = [x + radius * Math.cos(angle), y + radius * Math.sin(angle)];
    if (corner === 0) pen.moveTo(px, py);
    else pen.lineTo(px, py);
  }
}
