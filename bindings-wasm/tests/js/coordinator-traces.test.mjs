// The core's traces of migrations: each answer in, exactly the next command out, with all that it says.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { read, unhex } from './built.mjs';
import { narrow } from './words.mjs';
import { Coordinator, plan } from '../../../dist/npm/package/dist/node-migrate.mjs';

/** Logs as they are, of what has changed in them; bytes as bytes. */
class Whole {
  log = {};
  made(value) {
    if (value === null || typeof value !== 'object') return value;
    if (Array.isArray(value)) return value.map((one) => this.made(one));
    if ('$hex' in value) return unhex(value.$hex);
    if ('$int' in value) return BigInt(value.$int);
    if ('$changed' in value) return (this.log = { ...this.log, ...value.$changed });
    return Object.fromEntries(Object.entries(value).map(([name, of]) => [name, this.made(of)]));
  }
}

/** An action as the core writes it: the package puts the command's shard beside it. */
function said(action) {
  if (!action.do) return narrow(action);
  const { shard, ...task } = action.do;
  assert.equal(shard, Object.values(task.command)[0].shard ?? null);
  return narrow({ do: task });
}

const KINDS = {
  begin: () => {},
  answer: (machine, { at, id, answer }, whole) => machine.handleAnswer(at, id, whole.made(answer)),
  timeout: (machine, { at }) => machine.handleTimeout(at),
  health: (machine, { at, health }) => machine.handleHealth(at, health),
  wall_clock: (machine, { at, wall_clock: [unixMs, offset] }) => machine.handleWallClock(at, unixMs, offset),
  roll_back: (machine, { roll_back: reason }) => machine.rollBack(reason),
  pause: (machine, { pause: reason }) => machine.pause(reason),
  resume: (machine) => machine.resume(),
  agree_to_finish: (machine) => machine.agreeToFinish(),
};

for (const one of read('coordinator').traces.cases) {
  it(one.name, () => {
    const { term, settings, changes, wave_slots_max: most, events, ends } = one;
    const wanted = changes === null ? null : plan(unhex(one.snapshot), changes, most);
    const machine = new Coordinator(term, settings, wanted, events[0].at);
    const whole = new Whole();
    for (const event of events) {
      const [kind] = Object.keys(event).filter((name) => name in KINDS);
      KINDS[kind](machine, event, whole);
      const then = narrow(whole.made(event.then));
      assert.deepEqual(said(machine.poll()), then, `after ${JSON.stringify(event).slice(0, 300)}`);
      if (event.status) assert.deepEqual(narrow(machine.status), event.status);
    }
    const { epoch, decisions, mismatches, status, log } = whole.made(ends);
    assert.equal(machine.snapshot?.epoch ?? null, epoch);
    assert.deepEqual(narrow(machine.decisions), decisions);
    assert.deepEqual(narrow(machine.mismatches), mismatches);
    assert.deepEqual(narrow(machine.status), status);
    assert.deepEqual(narrow(machine.log), log);
    machine.free();
  });
}
