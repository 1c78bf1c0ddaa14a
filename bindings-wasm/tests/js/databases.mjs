// The SQLite classes of this process: Node's own, and `better-sqlite3`'s, whose binaries need the
// Node that they were made for.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const own = process.getBuiltinModule('node:sqlite');

/** By name, at least one. `RINGSHIFT_BETTER_SQLITE3` says where another build of that package is. */
export const databases = {
  ...(own && { 'node:sqlite': own.DatabaseSync }),
  ...better(process.env.RINGSHIFT_BETTER_SQLITE3),
};

function better(folder) {
  const major = Number(process.versions.node.split('.')[0]);
  // Version 13 needs Node 22, and stops the process in an older one.
  if (folder === undefined && major < 22) return {};
  return { 'better-sqlite3': require(folder ?? 'better-sqlite3') };
}
