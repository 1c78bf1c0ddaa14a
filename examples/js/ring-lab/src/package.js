// The package, as the page uses it: one module, beside this folder; and the core's data that the
// page looks into, by name.

export * from "../ringshift/migrate.mjs";

/** @typedef {import("../ringshift/migrate.mjs").SlotRange} SlotRange */
/** @typedef {import("../ringshift/migrate.mjs").GuardRow} GuardRow */
/** @typedef {import("../ringshift/migrate.mjs").Action} Action */
/** @typedef {import("../ringshift/migrate.mjs").PlanFigures} PlanFigures */

/** @typedef {Extract<Action, { do: unknown }>["do"]} Do a command, and where it stands */
/** @typedef {Do["point"]["goal"]} Goal */
/** @typedef {{ keyspace: number, from: number, to: number, slots: SlotRange[] }} PlannedWave */
/** @typedef {{ planned: PlannedWave[], enlist: { id: number }[] | null }} PlanLog what the page reads of a log */
/** @typedef {"complete" | { "rolled-back": { reason: string } } | Record<string, unknown>} Ending */
