// Light, dark, or as the system says; kept for the next visit where that is allowed.

import { byId, say } from "./dom.js";
import { forgetTheme } from "./palette.js";

const THEMES = ["system", "light", "dark"];
const KEPT = "ring-lab-theme";

/** @param {() => void} changed @returns {() => void} goes on to the next theme */
export function theme(changed) {
  const button = byId("theme", HTMLButtonElement);
  const root = document.documentElement;
  let at = Math.max(0, THEMES.indexOf(recall()));
  const put = () => {
    const name = THEMES[at] ?? "system";
    if (name === "system") root.removeAttribute("data-theme");
    else root.dataset["theme"] = name;
    say(button, `Theme: ${name}`);
    forgetTheme();
    changed();
  };
  const next = () => {
    at = (at + 1) % THEMES.length;
    keep(THEMES[at] ?? "system");
    put();
  };
  button.addEventListener("click", next);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", put);
  put();
  return next;
}

function recall() {
  try {
    return localStorage.getItem(KEPT) ?? "system";
  } catch {
    return "system";
  }
}

/** @param {string} name */
function keep(name) {
  try {
    localStorage.setItem(KEPT, name);
  } catch {
    // A page that may keep nothing starts anew.
  }
}
