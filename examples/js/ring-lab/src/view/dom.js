// Small helpers for the page's elements.

/**
 * The element of that id.
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
export function byId(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`the page has no ${kind.name} #${id}`);
  return found;
}

/**
 * A new element.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {{ class?: string, text?: string, title?: string }} [looks]
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, looks = {}, ...children) {
  const made = document.createElement(tag);
  if (looks.class) made.className = looks.class;
  if (looks.text !== undefined) made.textContent = looks.text;
  if (looks.title) made.title = looks.title;
  made.append(...children);
  return made;
}

/** Sets a text only where it differs, so that nothing is laid out again for nothing. @param {Element} element @param {string} text */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** @param {number} number @returns {string} with thousands set apart */
export const count = (number) => number.toLocaleString("en-US");

/** @param {number} part @param {number} whole @returns {string} */
export const percent = (part, whole) => `${((100 * part) / whole).toFixed(1)} %`;

/**
 * Fits a canvas to its box, for the screen's own pixels.
 * @param {HTMLCanvasElement} canvas
 * @returns {{ pen: CanvasRenderingContext2D, width: number, height: number }} in CSS pixels
 */
export function fit(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const scale = Math.min(3, devicePixelRatio || 1);
  const [w, h] = [Math.round(width * scale), Math.round(height * scale)];
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  return { pen, width, height };
}

/** Whether the reader wants little motion. */
export const calm = matchMedia("(prefers-reduced-motion: reduce)");
