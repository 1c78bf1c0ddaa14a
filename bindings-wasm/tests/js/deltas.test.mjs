// Deltas: the core's vectors, replayed through the package.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { hex, read, ringshift, slug, unhex } from './built.mjs';

const { Router, Snapshot } = ringshift;
const vectors = read('deltas');

it('deltas lead to exactly these bytes', () => {
  for (const { why, base, delta, result } of vectors.deltas.cases) {
    const snapshot = Snapshot.decode(unhex(base));
    const next = snapshot.advance(unhex(delta));
    assert.equal(hex(next.encode()), result, why);
    assert.equal(hex(snapshot.advance(unhex(result)).encode()), result);
    assert.equal(hex(snapshot.encode()), base, 'what was at hand stays');
    const router = new Router(snapshot);
    assert.equal(router.install(next), base === result ? 'same' : 'replaced');
  }
});

it('what leads nowhere is refused', () => {
  for (const { why, base, delta, error } of vectors.refused.cases) {
    const snapshot = Snapshot.decode(unhex(base));
    assert.equal(slug(() => snapshot.advance(unhex(delta))), error, why);
    assert.equal(hex(snapshot.encode()), base);
  }
});

it('a delta is bytes, and leads on from a snapshot only', () => {
  const [{ base, delta }] = vectors.deltas.cases;
  for (const given of ['delta', undefined, [1], Snapshot.decode(unhex(base))]) {
    assert.equal(slug(() => Snapshot.decode(unhex(base)).advance(given)), 'argument');
  }
  assert.equal(slug(() => Snapshot.decode(unhex(delta))), 'topology_format');
});
