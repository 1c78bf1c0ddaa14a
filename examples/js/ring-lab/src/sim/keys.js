// The keys that the traffic touches.

/** How many keys the lab holds. */
export const KEYS = 360;

/** @returns {string[]} */
export function labKeys() {
  return Array.from({ length: KEYS }, (_, n) => `user:${String(n + 1).padStart(3, "0")}`);
}
