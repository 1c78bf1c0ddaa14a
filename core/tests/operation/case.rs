//! One case: an operation, the plans that its key has had, and what happens to it; and running it
//! under the eyes of the oracle.

use ringshift::{
    Attempt, AttemptId, AttemptKind, DomainId, Epoch, Failure, Fence, Instant, KeyspaceId,
    Operation, Outcome, Plan, Policy, ReadPlace, Refusal, Reply, ShardId, Slot, Step, Term,
    Version,
};

use super::oracle::Oracle;

const FROM: ShardId = ShardId(1);
const TO: ShardId = ShardId(2);
const START_MS: u64 = 1_000;

fn e(n: u32) -> Epoch {
    Epoch::new(n).unwrap()
}

/// One thing that happens: which, and a number that decides what exactly.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    Poll,
    /// A reply that fits, to the attempt that a good driver has just sent.
    Answer(u32),
    /// Any reply at all, to any attempt.
    Noise(u32),
    Snapshot(u32),
    /// `handle_timeout` this much later.
    Time(u32),
    /// At the moment that the operation asked for.
    Wake,
}

#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) plans: Vec<Plan>,
    pub(crate) is_write: bool,
    pub(crate) policy: Policy,
    pub(crate) events: Vec<Event>,
}

/// The key's plan at an epoch. `route` is one of the ways that the phases send a key.
pub(crate) fn plan(snapshot: u32, epoch: u32, route: u8) -> Plan {
    let stable = |shard| Plan {
        snapshot: e(snapshot),
        keyspace: KeyspaceId(2),
        slot: Slot(77),
        stored_slot: 77 << 4,
        fence: Fence {
            domain: DomainId(1),
            epoch: e(epoch),
        },
        authority: shard,
        mirror: None,
        read: ReadPlace::One(shard),
        strict: false,
        shadow: None,
        leased: None,
    };
    let in_wave = |authority, mirror, strict| Plan {
        fence: Fence {
            domain: DomainId(3),
            epoch: e(epoch),
        },
        mirror: Some(mirror),
        strict,
        ..stable(authority)
    };
    let (first, second) = (TO, FROM);
    match route {
        0 => stable(FROM),
        1 => stable(TO),
        2 => in_wave(FROM, TO, false),
        3 => in_wave(FROM, TO, true),
        4 => Plan {
            shadow: Some(TO),
            ..in_wave(FROM, TO, true)
        },
        5 | 6 => Plan {
            read: ReadPlace::Fallback { first, second },
            ..in_wave(FROM, TO, true)
        },
        7 => in_wave(TO, FROM, false),
        _ => in_wave(TO, FROM, true),
    }
}

fn any_reply(dice: u32) -> Reply {
    let version = Version::new(e(1), dice / 16 % 4);
    let (current, drained) = (e(dice / 64 % 20), e(dice / 1_280 % 20));
    match dice % 16 {
        0 => Reply::Found { version },
        1 => Reply::Deleted { version },
        2 => Reply::Missing,
        3 => Reply::Written { version },
        4 => Reply::Superseded,
        5 => Reply::Conflict {
            found: Some(version),
        },
        6 => Reply::Conflict { found: None },
        7 | 8 => Reply::Refused(Refusal::StaleEpoch { current, drained }),
        9 => Reply::Refused(Refusal::NotReady { current }),
        10 => Reply::Refused(Refusal::NotOwner),
        11 => Reply::Refused(Refusal::WrongRole { current }),
        12 => Reply::Refused(Refusal::LeaseOver { current }),
        13 => Reply::Refused(Refusal::StaleTerm { seen: Term(dice) }),
        14 => Reply::Failed(Failure::MaybeApplied),
        _ if dice & 16 == 0 => Reply::Failed(Failure::NotSent),
        _ => Reply::Failed(Failure::Rejected),
    }
}

/// A reply that such an attempt may well get.
fn fitting_reply(attempt: &Attempt, dice: u32) -> Reply {
    let version = Version::new(e(1), dice / 16 % 4);
    let found = (dice & 64 == 0).then_some(version);
    match (dice % 8, attempt.kind) {
        (0, _) => any_reply(dice / 8),
        (1, _) => Reply::Refused(Refusal::StaleEpoch {
            current: attempt.fence.epoch.next().unwrap(),
            drained: e(attempt.fence.epoch.get() + dice / 8 % 2),
        }),
        (_, AttemptKind::Apply { .. }) if dice & 8 != 0 => Reply::Superseded,
        (_, AttemptKind::Apply { version, .. }) => Reply::Written { version },
        (2 | 3, AttemptKind::Read | AttemptKind::Confirm) => Reply::Missing,
        (4, AttemptKind::Read) => Reply::Deleted { version },
        (_, AttemptKind::Read) => Reply::Found { version },
        (2, AttemptKind::Write) => Reply::Failed(Failure::MaybeApplied),
        (3, AttemptKind::Write) => Reply::Conflict { found },
        (_, AttemptKind::Write | AttemptKind::Confirm) => Reply::Written { version },
    }
}

/// Runs a case, with every step and every event shown to the oracle. Answers how it ended.
pub(crate) fn run(case: &Case) -> (Outcome, Oracle) {
    let mut now = Instant::from_millis(START_MS);
    let first = case.plans[0];
    let mut op = if case.is_write {
        Operation::write(first, case.policy, now)
    } else {
        Operation::read(first, case.policy, now)
    };
    let mut oracle = Oracle::new(case.is_write, first, case.policy);
    let mut wake = now;
    for event in &case.events {
        match *event {
            Event::Poll => wake = drain(&mut op, &mut oracle).unwrap_or(wake),
            Event::Answer(dice) => {
                wake = drain(&mut op, &mut oracle).unwrap_or(wake);
                if let Some(attempt) = oracle.last_sent() {
                    let reply = fitting_reply(&attempt, dice);
                    reply_to(&mut op, &mut oracle, now, attempt.id, reply);
                }
            }
            Event::Noise(dice) => {
                let id = AttemptId(dice % 7);
                reply_to(&mut op, &mut oracle, now, id, any_reply(dice / 7));
            }
            Event::Snapshot(dice) => {
                let plan = case.plans[dice as usize % case.plans.len()];
                op.handle_snapshot(now, plan);
                oracle.snapshot(plan);
            }
            Event::Time(ms) => {
                now = now.after(ms.into());
                op.handle_timeout(now);
            }
            Event::Wake => {
                now = now.max(wake.min(Instant::from_millis(START_MS + 3_000)));
                op.handle_timeout(now);
            }
        }
        oracle.check_plan(op.plan());
    }
    // Whatever has happened: at the deadline it is over.
    now = now.max(Instant::from_millis(
        START_MS + u64::from(case.policy.deadline_ms),
    ));
    op.handle_timeout(now);
    drain(&mut op, &mut oracle);
    let Step::Done(outcome) = op.poll() else {
        panic!("still not over at the deadline: {op:?}");
    };
    let over = op.clone();
    op.handle_timeout(now.after(1));
    for &plan in &case.plans {
        op.handle_snapshot(now, plan);
    }
    for id in 0..9 {
        assert!(
            op.handle_reply(now, AttemptId(id), Reply::Missing).is_err(),
            "a reply to what is over"
        );
    }
    assert_eq!(op, over, "something changed after the end");
    (outcome, oracle)
}

fn reply_to(op: &mut Operation, oracle: &mut Oracle, now: Instant, id: AttemptId, reply: Reply) {
    let before = op.clone();
    match op.handle_reply(now, id, reply) {
        Ok(()) => oracle.reply(id, reply),
        Err(_) => assert_eq!(*op, before, "a refused reply changed something"),
    }
}

/// Polls until it waits or is over, which takes few steps; answers when it wants to be called.
fn drain(op: &mut Operation, oracle: &mut Oracle) -> Option<Instant> {
    for _ in 0..4 {
        match op.poll() {
            Step::Send(attempt) => oracle.sent(attempt, op.plan()),
            Step::Refresh { .. } => {}
            Step::Wait { until } => {
                assert_eq!(op.poll(), Step::Wait { until });
                return Some(until);
            }
            Step::Done(outcome) => {
                assert_eq!(op.poll(), Step::Done(outcome));
                oracle.ended(outcome);
                return None;
            }
        }
    }
    panic!("poll goes on and on: {op:?}");
}
