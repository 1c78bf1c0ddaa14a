//! What no sequence of events can make an operation do: any replies, in any order, lost, repeated
//! or senseless; any snapshots; any moments.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails should say where"
)]

mod oracle;

use std::collections::BTreeMap;

use oracle::Oracle;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use ringshift::{
    Attempt, AttemptId, AttemptKind, DomainId, Epoch, Failure, Fence, Instant, KeyspaceId,
    Operation, OperationError, Outcome, Plan, Policy, ReadPlace, Refusal, Reply, ShardId, Slot,
    Step, Term, Version,
};

const FROM: ShardId = ShardId(1);
const TO: ShardId = ShardId(2);
const START_MS: u64 = 1_000;

fn e(n: u32) -> Epoch {
    Epoch::new(n).unwrap()
}

/// One thing that happens: which, and a number that decides what exactly.
#[derive(Clone, Copy, Debug)]
enum Event {
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
struct Case {
    plans: Vec<Plan>,
    is_write: bool,
    policy: Policy,
    events: Vec<Event>,
}

/// The key's plan at an epoch. `route` is one of the ways that the phases send a key.
fn plan(snapshot: u32, epoch: u32, route: u8) -> Plan {
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

/// A history: at each snapshot the key's domain moves on, or something else has changed.
fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let step = (0..9_u8, 1..3_u32, prop::bool::weighted(0.8));
    prop::collection::vec(step, 1..7).prop_map(|steps| {
        let (mut snapshot, mut epoch, mut route) = (3, 3, steps[0].0);
        let history = steps.into_iter().map(|(next, later, moves)| {
            snapshot += later;
            if moves {
                (epoch, route) = (snapshot, next);
            }
            plan(snapshot, epoch, route)
        });
        history.collect()
    })
}

fn case() -> impl Strategy<Value = Case> {
    let event = prop_oneof![
        2 => Just(Event::Poll),
        8 => any::<u32>().prop_map(Event::Answer),
        2 => any::<u32>().prop_map(Event::Noise),
        3 => any::<u32>().prop_map(Event::Snapshot),
        1 => (0..400_u32).prop_map(Event::Time),
        4 => Just(Event::Wake),
    ];
    let attempts_max = prop_oneof![4 => Just(1_000_u16), 1 => 0..6_u16];
    let attempt_ms = prop_oneof![Just(0_u32), Just(100)];
    let policy = (attempts_max, attempt_ms, any::<bool>(), any::<u64>()).prop_map(
        |(attempts_max, attempt_ms, confirm, seed)| Policy {
            deadline_ms: 2_000,
            attempt_ms,
            attempts_max,
            confirm,
            seed,
        },
    );
    let events = prop::collection::vec(event, 0..60);
    (plans(), any::<bool>(), policy, events).prop_map(|(plans, is_write, policy, events)| Case {
        plans,
        is_write,
        policy,
        events,
    })
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
fn run(case: &Case) -> (Outcome, Oracle) {
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

proptest! {
    #![proptest_config(Config { cases: 30_000, ..Config::default() })]

    #[test]
    fn no_sequence_of_events_breaks_a_promise(case in case()) {
        run(&case);
    }
}

/// That the property above isn't empty: its sequences end in every way that there is.
#[test]
fn the_sequences_reach_every_outcome() {
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    for _ in 0..10_000 {
        let case = case().new_tree(&mut runner).unwrap().current();
        let (outcome, oracle) = run(&case);
        let name = match outcome {
            Outcome::Value { .. } if oracle.has_applied() => "value, repaired",
            Outcome::Value { .. } => "value",
            Outcome::Missing if oracle.has_applied() => "missing, repaired",
            Outcome::Missing => "missing",
            Outcome::Written {
                lagging: Some(_), ..
            } => "written, lagging",
            Outcome::Written { .. } => oracle.why_written(),
            Outcome::Conflict { .. } if oracle.has_applied() => "conflict, pushed",
            Outcome::Conflict { .. } => "conflict",
            Outcome::Failed(OperationError::Indeterminate { version: Some(_) }) => {
                "indeterminate, accepted"
            }
            Outcome::Failed(error) => error.code().as_str(),
        };
        *seen.entry(name).or_default() += 1;
    }
    for name in [
        "value",
        "value, repaired",
        "missing",
        "missing, repaired",
        "written, lagging",
        "written, no mirror",
        "written, mirrored",
        "written, drained",
        "written, no mirror any more",
        "conflict",
        "conflict, pushed",
        "indeterminate",
        "indeterminate, accepted",
        "deadline",
        "rejected",
        "wrong_role",
    ] {
        assert!(seen.contains_key(name), "`{name}` is missing in {seen:?}");
    }
}
