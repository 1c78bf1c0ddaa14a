// Colours: of shards, told apart by people who see colours differently, and of the theme.

/** After Okabe and Ito, with the yellow darkened. */
const SHARDS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#a89b00", "#8b7fd6"];

/** The shards that the lab has room for at once. */
export const SHARDS_MAX = SHARDS.length;

/** @type {Map<number, string>} */
const given = new Map();

/**
 * A shard's colour: its own for as long as it is there.
 * @param {number} id
 * @returns {string}
 */
export function shardColor(id) {
  return given.get(id) ?? "#888888";
}

/** Gives a colour to each of these shards, and takes those of others back. @param {number[]} ids */
export function giveColors(ids) {
  for (const id of [...given.keys()]) if (!ids.includes(id)) given.delete(id);
  const taken = new Set(given.values());
  for (const id of ids.filter((id) => !given.has(id))) {
    const free = SHARDS.find((color) => !taken.has(color)) ?? "#888888";
    given.set(id, free);
    taken.add(free);
  }
}

const probe = document.createElement("i");
/** @type {Map<string, string>} */
let resolved = new Map();

/**
 * A colour of the theme as it is now, for a canvas.
 * @param {string} name without the dashes
 * @returns {string}
 */
export function themeColor(name) {
  let color = resolved.get(name);
  if (color === undefined) {
    if (!probe.isConnected) {
      probe.hidden = true;
      document.body.append(probe);
    }
    probe.style.color = `var(--${name})`;
    color = getComputedStyle(probe).color;
    resolved.set(name, color);
  }
  return color;
}

/** The theme has changed. */
export function forgetTheme() {
  resolved = new Map();
}
