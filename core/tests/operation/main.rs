//! What no sequence of events can make an operation do: any replies, in any order, lost, repeated
//! or senseless; any snapshots; any moments.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails should say where"
)]

mod case;
mod oracle;

use std::collections::BTreeMap;

use case::{Case, Event, plan, run};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use ringshift::{OperationError, Outcome, Plan, Policy};

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
