// Buttons and shortcuts of the simulation.

import { byId, say } from "./dom.js";

/**
 * What the controls can do.
 * @typedef {{
 *   toggle: () => void, step: () => void, nextPhase: () => void, back: () => void, reset: () => void,
 *   speed: (speed: number) => void, add: () => void, start: () => void, theme: () => void, key: () => void,
 * }} Deeds
 */

export class Controls {
  #play = byId("play", HTMLButtonElement);
  #step = byId("step", HTMLButtonElement);
  #phase = byId("next-phase", HTMLButtonElement);
  #back = byId("back", HTMLButtonElement);
  #speed = byId("speed", HTMLSelectElement);
  #help = byId("help", HTMLDialogElement);

  /** @param {Deeds} deeds */
  constructor(deeds) {
    this.deeds = deeds;
    this.#play.addEventListener("click", deeds.toggle);
    this.#step.addEventListener("click", deeds.step);
    this.#phase.addEventListener("click", deeds.nextPhase);
    this.#back.addEventListener("click", deeds.back);
    byId("reset", HTMLButtonElement).addEventListener("click", deeds.reset);
    this.#speed.addEventListener("change", () => deeds.speed(Number(this.#speed.value)));
    byId("help-open", HTMLButtonElement).addEventListener("click", () => this.#help.showModal());
    document.addEventListener("keydown", (event) => this.#key(event));
  }

  /** @param {{ playing: boolean, migrating: boolean, canGoBack: boolean }} now */
  show({ playing, migrating, canGoBack }) {
    say(this.#play, playing ? "Pause" : "Play");
    this.#play.setAttribute("aria-pressed", String(playing));
    this.#step.disabled = !migrating;
    this.#phase.disabled = !migrating;
    this.#back.disabled = !canGoBack;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || this.#help.open) return;
    const target = /** @type {HTMLElement} */ (event.target);
    if (target.closest("input:not([type=checkbox]), select, textarea, [contenteditable]")) {
      if (event.key === "Escape") target.blur();
      return;
    }
    // A focused button keeps the space bar to itself.
    const deed = event.key === " " && target.closest("button, input, [role=slider]") ? undefined : this.#deed(event);
    if (!deed) return;
    event.preventDefault();
    deed();
  }

  /** @param {KeyboardEvent} event @returns {(() => void) | undefined} */
  #deed(event) {
    const { deeds } = this;
    switch (event.key) {
      case " ":
        return deeds.toggle;
      case "ArrowRight":
        return event.shiftKey ? this.#if(this.#phase, deeds.nextPhase) : this.#if(this.#step, deeds.step);
      case "b":
        return this.#if(this.#back, deeds.back);
      case "a":
        return deeds.add;
      case "m":
        return deeds.start;
      case "k":
        return deeds.key;
      case "r":
        return deeds.reset;
      case "t":
        return deeds.theme;
      case "+":
      case "=":
        return () => this.#faster(1);
      case "-":
        return () => this.#faster(-1);
      case "?":
        return () => this.#help.showModal();
      default:
        return undefined;
    }
  }

  /** @param {HTMLButtonElement} button @param {() => void} deed */
  #if(button, deed) {
    return button.disabled ? undefined : deed;
  }

  /** @param {number} by */
  #faster(by) {
    const { options, selectedIndex } = this.#speed;
    this.#speed.selectedIndex = Math.min(options.length - 1, Math.max(0, selectedIndex + by));
    this.deeds.speed(Number(this.#speed.value));
  }
}
