import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, rmSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

test('the quickstart says what its comments say', () => {
  // From here, where the package is found.
  const here = fileURLToPath(new URL('quickstart.copy.mjs', import.meta.url));
  copyFileSync(new URL('../../../examples/js/quickstart.mjs', import.meta.url), here);
  try {
    const said = execFileSync(process.execPath, [here], { encoding: 'utf8' });
    assert.match(said, /^pg-[12]\n/);
    assert.match(said, /phase: null/);
    assert.match(said, /Uint16Array\(3\)/);
    assert.match(said, /\ntwo apples\nversion_conflict\n$/);
  } finally {
    rmSync(here);
  }
});
