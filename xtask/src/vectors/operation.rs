//! `operation.json`: what an operation is told, and exactly what it asks for.

mod scripts;
pub(crate) mod words;

use ringshift::{Attempt, AttemptId, Instant, Operation, Policy, Reply, Router, Snapshot, Step};
use serde_json::{Value, json};

use super::clusters::check_key;
use super::{Section, hex};
use scripts::{Does, Script};

const START_MS: u64 = 10_000;

pub(super) fn sections() -> Result<Vec<Section>, String> {
    let cases = scripts::all()?
        .iter()
        .map(|script| trace(script).map_err(|e| format!("{}: {e}", script.name)))
        .collect::<Result<_, _>>()?;
    Ok(vec![Section {
        name: "traces",
        about: "One operation each: `kind` read or write on `key` (hex) of keyspace `orders`, by `policy`, begun at the first event's moment with the plan of `snapshots[0]` (bytes in hex). `events` are handed in one by one; after each, poll until it says wait or done: it must say exactly the steps in `then`. An event has its moment `at` in milliseconds, and one of `begin`; `reply` with the `id` of its attempt (with `unknown`, it is refused as `unknown_attempt` and changes nothing); `snapshot`, a place in `snapshots`; `timeout`. Steps: {send}, to `shard` with all that its guard and its row need, `kind` being read, write, confirm, or {apply} of a version whose content is the caller's `own` or was `found_by` an attempt; {refresh}; {wait} until a moment; {done}. A version is one signed 64-bit number, epoch << 32 | counter, as a string, and so is `seed`.",
        cases,
    }])
}

fn trace(script: &Script) -> Result<Value, String> {
    let routers: Vec<Router> = script
        .snapshots
        .iter()
        .map(|snapshot| Router::new(snapshot.clone().into()))
        .collect();
    let plan = |place: usize| {
        let router = routers.get(place).ok_or("no such snapshot")?;
        let keyspace = router.keyspace("orders").map_err(|e| e.to_string())?;
        keyspace.plan(script.key).map_err(|e| e.to_string())
    };
    let mut now = Instant::from_millis(START_MS);
    let first = plan(0)?;
    if script.key == super::clusters::MOVING_KEY {
        check_key(first.slot)?;
    }
    let begin = if script.is_write {
        Operation::write
    } else {
        Operation::read
    };
    let mut op = begin(first, script.policy, now);
    let mut told = Told::default();
    let then = told.drain(&mut op)?;
    let mut events = vec![json!({"at": START_MS, "begin": true, "then": then})];
    for does in &script.events {
        if let Does::Wakes = does {
            now = told.until.ok_or("it doesn't wait")?;
        } else if let Does::Passes(ms) = does {
            now = now.after(*ms);
        }
        let mut event = json!({"at": now.as_millis()});
        let put = |event: &mut Value, name: &str, value: Value| {
            if let Some(event) = event.as_object_mut() {
                event.insert(name.to_owned(), value);
            }
        };
        match *does {
            Does::Gets(reply) => {
                let id = told.last.ok_or("nothing was sent")?.id;
                op.handle_reply(now, id, reply).map_err(|e| e.to_string())?;
                reply_into(&mut event, id, reply);
            }
            Does::GetsInVain(id, reply) => {
                let before = op.clone();
                if op.handle_reply(now, AttemptId(id), reply).is_ok() || op != before {
                    return Err("a reply was taken that should be unknown".to_owned());
                }
                reply_into(&mut event, AttemptId(id), reply);
                put(&mut event, "unknown", json!(true));
            }
            Does::Learns(place) => {
                op.handle_snapshot(now, plan(place)?);
                put(&mut event, "snapshot", json!(place));
            }
            Does::Wakes | Does::Passes(_) => {
                op.handle_timeout(now);
                put(&mut event, "timeout", json!(true));
            }
        }
        put(&mut event, "then", json!(told.drain(&mut op)?));
        events.push(event);
    }
    if !matches!(op.poll(), Step::Done(_)) {
        return Err("it isn't over at its end".to_owned());
    }
    Ok(json!({
        "name": script.name,
        "snapshots": script.snapshots.iter().map(|s| hex(&Snapshot::encode(s))).collect::<Vec<_>>(),
        "key": hex(script.key),
        "kind": if script.is_write { "write" } else { "read" },
        "policy": policy(&script.policy),
        "events": events,
    }))
}

fn reply_into(event: &mut Value, id: AttemptId, reply: Reply) {
    if let Some(event) = event.as_object_mut() {
        event.insert("id".to_owned(), json!(id));
        event.insert("reply".to_owned(), words::reply(reply));
    }
}

pub(crate) fn policy(policy: &Policy) -> Value {
    let Policy {
        deadline_ms,
        attempt_ms,
        attempts_max,
        confirm,
        seed,
    } = policy;
    json!({
        "deadline_ms": deadline_ms, "attempt_ms": attempt_ms, "attempts_max": attempts_max,
        "confirm": confirm, "seed": seed.to_string(),
    })
}

/// What the operation has last asked for.
#[derive(Default)]
struct Told {
    last: Option<Attempt>,
    until: Option<Instant>,
}

impl Told {
    /// All steps up to wait or done.
    fn drain(&mut self, op: &mut Operation) -> Result<Vec<Value>, String> {
        let mut steps = Vec::new();
        for _ in 0..8 {
            let step = op.poll();
            steps.push(words::step(step));
            match step {
                Step::Send(attempt) if attempt.blocking => self.last = Some(attempt),
                Step::Send(_) | Step::Refresh { .. } => {}
                Step::Wait { until } => {
                    self.until = Some(until);
                    return Ok(steps);
                }
                Step::Done(_) => return Ok(steps),
            }
        }
        Err("it goes on and on".to_owned())
    }
}
