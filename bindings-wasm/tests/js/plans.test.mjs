// The core's vectors of plans: a wish in, exactly this plan out, as data and as text.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { read, slug, unhex } from './built.mjs';
import { Plan, Snapshot, adviseStrategy, plan } from '../../../dist/npm/package/dist/node-migrate.mjs';

const vectors = read('plans');
const planned = (one, given) => plan(
  Snapshot.decode(unhex(one.snapshot)), given(one.changes), one.wave_slots_max,
  one.options === null ? undefined : given(one.options));

it('wishes give exactly these plans', () => {
  for (const one of vectors.plans.cases) {
    for (const given of [(data) => data, JSON.stringify]) {
      const made = planned(one, given);
      assert.deepEqual(made.toJSON(), one.plan, one.why);
      assert.equal(String(made), one.text);
      assert.deepEqual(JSON.parse(JSON.stringify(made.figures)), one.plan.figures);
      assert.equal(made.log.planned.length, one.plan.log.planned.length);
      assert.deepEqual(Plan.from(one.plan).toJSON(), one.plan);
      assert.equal(made.check(unhex(one.snapshot)), undefined);
    }
  }
});

it('wishes that can’t be planned are refused', () => {
  for (const one of vectors.refused.cases) {
    for (const given of [(data) => data, JSON.stringify]) {
      assert.equal(slug(() => planned(one, given)), one.error, one.why);
    }
  }
});

it('a plan fits its own snapshot only', () => {
  for (const { why, plan: kept, snapshot, error } of vectors.checks.cases) {
    const got = slug(() => Plan.from(kept).check(unhex(snapshot)));
    assert.equal(got, error ?? undefined, why);
  }
});

it('circumstances choose the strategy', () => {
  for (const { circumstances, advice } of vectors.advice.cases) {
    assert.deepEqual(adviseStrategy(circumstances), advice);
  }
});
