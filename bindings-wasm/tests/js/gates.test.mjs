// The core's vectors of what a coordinator judges by: gates, hours, pace, checklist.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { read, slug } from './built.mjs';
import { narrow } from './words.mjs';
import { Pace, adviseStrategy, allowed, checklist, judge } from '../../../dist/npm/package/dist/node-migrate.mjs';

const vectors = read('gates');

it('verdicts', () => {
  for (const { gates, health, own, shards, verdicts } of vectors.verdicts.cases) {
    for (const given of [(data) => data, JSON.stringify]) {
      const seen = health === null ? null : given(health);
      assert.deepEqual(narrow(judge(given(gates), seen, given(own), shards)), verdicts);
    }
  }
  assert.equal(judge({}, null).length, 5);
});

it('hours', () => {
  for (const { calendar, unix_ms, utc_offset_min, allowed: said } of vectors.hours.cases) {
    assert.deepEqual(narrow(allowed(calendar, unix_ms, utc_offset_min)), said);
    if (utc_offset_min === 0) assert.deepEqual(narrow(allowed(JSON.stringify(calendar), unix_ms)), said);
  }
  for (const { calendar } of vectors.no_calendars.cases) {
    assert.equal(slug(() => allowed(calendar, null)), 'argument', JSON.stringify(calendar));
  }
});

it('paces', () => {
  for (const { throttle, events } of vectors.paces.cases) {
    const pace = new Pace(throttle);
    for (const { p99, spend, rate, under, ready_at } of events) {
      if (p99) pace.handleP99(...p99);
      else pace.spend(...spend);
      assert.deepEqual([pace.rate(), pace.rate(700), pace.readyAt], [rate, under, ready_at]);
    }
    pace.free();
  }
});

it('checklists', () => {
  for (const { ticks, settings, items } of vectors.checklists.cases) {
    assert.deepEqual(checklist(ticks, settings), items);
  }
});

it('what is no data of theirs is refused', () => {
  for (const call of [
    () => judge({ nothing: 1 }, null), () => judge({}, { error_ppm: -1 }), () => judge({}, null, { shadow: 1 }),
    () => judge({}, null, {}, [-1]), () => judge(null, null), () => allowed({}, 0.5), () => allowed({}, 1, 1_441),
    () => new Pace({ rows: 1 }), () => new Pace('{'), () => new Pace({}).rate(-1), () => new Pace({}).handleP99(0, -1, 1),
    () => new Pace({}).spend(0, 1.5, 1), () => checklist({ marks: [{}] }, {}), () => checklist({}, { checks: 1 }),
    () => adviseStrategy({ risk: 'none' }), () => adviseStrategy(null),
  ]) assert.equal(slug(call), 'argument', String(call));
});
