//! `transactions.json`: what a transaction is told, and exactly what it asks for.

mod scripts;
pub(crate) mod words;

use ringshift::{
    AttemptId, Batch, BatchReply, Instant, PinError, Pinned, Reply, Router, Snapshot, Transaction,
    TransactionOutcome, TransactionStep,
};
use serde_json::{Value, json};

use super::operation::policy;
use super::{Section, hex};
use scripts::{Does, Script};

const START_MS: u64 = 10_000;
/// Times that a story is woken after its last event.
const WAKES_MAX: usize = 40;

pub(super) fn sections() -> Result<Vec<Section>, String> {
    let cases = scripts::all()?
        .iter()
        .map(|script| trace(script).map_err(|e| format!("{}: {e}", script.name)))
        .collect::<Result<_, _>>()?;
    Ok(vec![Section {
        name: "traces",
        about: "One transaction each, on `keys` (hex) of keyspace `orders`, by `policy`, begun at the first event's moment with the keys pinned by `snapshots[0]` (bytes in hex); `again` says whether the work can be done once more. `events` are handed in one by one; after each, poll until it says work, wait or done: it must say exactly the steps in `then`. An event has its moment `at` in milliseconds, and one of `begin`, which may be the end, too; `reply` with the `id` of its batch (with `unknown`, it is refused as `unknown_attempt` and changes nothing); `commit`, with [read, written] of each key; `roll_back`; `snapshot`, a place in `snapshots`; `timeout`. Steps: {send} with a part for each key, which is named by its place; {work}; {refresh}; {wait}; {done}. Which row a part expects is between the machine and the store, so that not every language shows it. Attempts, refusals and versions are written as in operation.json.",
        cases,
    }])
}

/// A transaction, or how it ended before it began.
struct Run {
    machine: Result<Transaction, TransactionOutcome>,
    last: Option<Batch>,
    until: Option<Instant>,
}

fn trace(script: &Script) -> Result<Value, String> {
    let routers: Vec<Router> = script
        .snapshots
        .iter()
        .map(|snapshot| Router::new(snapshot.clone().into()))
        .collect();
    let keys = keys_in(routers.first().ok_or("no snapshot")?, script.slots)?;
    let pinned = |place: usize| -> Result<Result<Pinned, PinError>, String> {
        let router = routers.get(place).ok_or("no such snapshot")?;
        let keyspace = router.keyspace("orders").map_err(|e| e.to_string())?;
        Ok(keyspace.transaction(&keys))
    };
    let mut now = Instant::from_millis(START_MS);
    let mut run = Run {
        machine: match pinned(0)? {
            Ok(pinned) => Ok(Transaction::new(pinned, script.policy, script.again, now)),
            Err(error) => Err(TransactionOutcome::Failed(error.into())),
        },
        last: None,
        until: None,
    };
    let mut events = vec![json!({"at": START_MS, "begin": true, "then": run.drain()?})];
    for does in &script.events {
        // A reply answers the next batch; the waits before it need not be told.
        while run.must_wait_for(does) {
            events.push(run.event(&mut now, &Does::Wakes, &pinned)?);
        }
        let event = run.event(&mut now, does, &pinned)?;
        events.push(event);
    }
    for _ in 0..WAKES_MAX {
        if run.is_over() {
            break;
        }
        events.push(run.event(&mut now, &Does::Wakes, &pinned)?);
    }
    if !run.is_over() {
        return Err("it isn't over at its end".to_owned());
    }
    Ok(json!({
        "name": script.name,
        "snapshots": script.snapshots.iter().map(|s| hex(&Snapshot::encode(s))).collect::<Vec<_>>(),
        "keys": keys.iter().map(|key| hex(key.as_bytes())).collect::<Vec<_>>(),
        "again": script.again,
        "policy": policy(&script.policy),
        "events": events,
    }))
}

impl Run {
    fn must_wait_for(&self, does: &Does) -> bool {
        let replies = matches!(
            does,
            Does::Gets(_) | Does::Conflicts(..) | Does::Refused(_) | Does::Fails(_)
        );
        let (Ok(machine), Some(last)) = (&self.machine, &self.last) else {
            return false;
        };
        let nothing = BatchReply::Done(Vec::new());
        let is_asked = machine
            .clone()
            .handle_reply(Instant::ZERO, last.id, nothing);
        let mut machine = machine.clone();
        let waits = matches!(machine.poll(), TransactionStep::Wait { .. });
        replies && waits && is_asked.is_err()
    }

    fn event(
        &mut self,
        now: &mut Instant,
        does: &Does,
        pinned: &impl Fn(usize) -> Result<Result<Pinned, PinError>, String>,
    ) -> Result<Value, String> {
        match does {
            Does::Wakes => *now = self.until.ok_or("it doesn't wait")?,
            Does::Passes(ms) => *now = now.after(*ms),
            _ => {}
        }
        let now = *now;
        let mut event = json!({"at": now.as_millis()});
        let mut put = |name: &str, value: Value| {
            if let Some(event) = event.as_object_mut() {
                event.insert(name.to_owned(), value);
            }
        };
        let machine = self.machine.as_mut().map_err(|_| "it is over")?;
        let last = self.last.as_ref().ok_or("nothing was sent")?;
        let reply = match does {
            Does::Gets(reply) => Some(BatchReply::Done(vec![*reply; last.parts.len()])),
            Does::Conflicts(part, found) => Some(BatchReply::Conflict {
                part: *part,
                found: *found,
            }),
            Does::Refused(why) => Some(BatchReply::Refused(*why)),
            Does::Fails(failure) => Some(BatchReply::Failed(*failure)),
            _ => None,
        };
        if let Some(reply) = reply {
            put("id", json!(last.id));
            put("reply", words::reply(&reply));
            let known = machine.handle_reply(now, last.id, reply);
            known.map_err(|e| e.to_string())?;
        }
        match does {
            Does::GetsInVain(id) => {
                let (before, reply) = (machine.clone(), BatchReply::Done(vec![Reply::Missing]));
                put("id", json!(id));
                put("reply", words::reply(&reply));
                put("unknown", json!(true));
                let taken = machine.handle_reply(now, AttemptId(*id), reply).is_ok();
                if taken || *machine != before {
                    return Err("a reply was taken that should be unknown".to_owned());
                }
            }
            Does::Commits(uses) => {
                let said = uses.iter().map(|used| [used.read, used.write]);
                put("commit", json!(said.collect::<Vec<_>>()));
                machine.commit(now, uses.clone());
            }
            Does::RollsBack => {
                put("roll_back", json!(true));
                machine.roll_back();
            }
            Does::Learns(place) => {
                put("snapshot", json!(place));
                machine.handle_snapshot(now, pinned(*place)?);
            }
            Does::Wakes | Does::Passes(_) => {
                put("timeout", json!(true));
                machine.handle_timeout(now);
            }
            _ => {}
        }
        put("then", json!(self.drain()?));
        Ok(event)
    }

    /// All steps up to work, wait or done.
    fn drain(&mut self) -> Result<Vec<Value>, String> {
        let machine = match &mut self.machine {
            Ok(machine) => machine,
            Err(outcome) => return Ok(vec![words::step(TransactionStep::Done(outcome.clone()))]),
        };
        let mut steps = Vec::new();
        for _ in 0..8 {
            let step = machine.poll();
            steps.push(words::step(step.clone()));
            match step {
                TransactionStep::Send(batch) if batch.blocking => self.last = Some(batch),
                TransactionStep::Send(_) | TransactionStep::Refresh { .. } => {}
                TransactionStep::Wait { until } => {
                    self.until = Some(until);
                    return Ok(steps);
                }
                TransactionStep::Work { .. } | TransactionStep::Done(_) => return Ok(steps),
            }
        }
        Err("it goes on and on".to_owned())
    }

    fn is_over(&mut self) -> bool {
        let machine = self.machine.as_mut();
        machine.map_or(true, |machine| {
            matches!(machine.poll(), TransactionStep::Done(_))
        })
    }
}

/// A key for each of these slots; the same one for the same slot.
fn keys_in(router: &Router, slots: &[u32]) -> Result<Vec<String>, String> {
    let keyspace = router.keyspace("orders").map_err(|e| e.to_string())?;
    let key_in = |slot: u32| {
        (0..10_000).map(|n| format!("user:{n}")).find(|key| {
            let plan = keyspace.plan(key.as_bytes());
            plan.is_ok_and(|plan| plan.slot.0 == slot)
        })
    };
    let found = slots.iter().map(|&slot| key_in(slot).ok_or("no key in it"));
    Ok(found.collect::<Result<_, _>>()?)
}
