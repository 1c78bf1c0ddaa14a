// The package, as the page uses it: one module, beside this folder.

export * from "../ringshift/migrate.mjs";
