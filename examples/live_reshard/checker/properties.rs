//! The checker against random histories: the definition on tiny ones, a real register on long ones.

use proptest::prelude::*;

use super::brute::is_linearizable;
use super::tests::{op, v};
use super::{check, check_key, classify};
use crate::history::{Function, Op, Outcome, Value};

const INITIAL: u64 = 100;
const NOBODYS: u64 = 200;

/// Any operation at all; writes get their own value by their place later.
fn any_op() -> impl Strategy<Value = Op> {
    let function = prop_oneof![
        4 => Just(Function::Read),
        3 => Just(Function::Write),
        2 => seen().prop_map(|expect| Function::WriteIf { expect }),
        2 => Just(Function::Delete),
    ];
    let outcome = prop_oneof![
        6 => Just(Outcome::Ok),
        2 => Just(Outcome::Info),
        1 => Just(Outcome::Fail),
    ];
    (function, seen(), 0_u64..14, 0_u64..8, outcome).prop_map(
        |(function, value, from, length, outcome)| Op {
            outcome,
            ..op(function, value, from, from + length)
        },
    )
}

fn seen() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => (1_u64..8).prop_map(v),
        3 => Just(None),
        2 => Just(v(INITIAL)),
        1 => Just(v(NOBODYS)),
    ]
}

fn tiny_history() -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec(any_op(), 0..8).prop_map(|mut ops| {
        for (op, id) in ops.iter_mut().zip(1..) {
            match op.function {
                Function::Write | Function::WriteIf { .. } => op.value = v(id),
                Function::Delete => op.value = None,
                Function::Read => {}
            }
        }
        ops
    })
}

/// One step of a client against a real register.
#[derive(Clone, Copy, Debug)]
struct Turn {
    kind: u8,
    before: u64,
    after: u64,
    fate: u8,
}

fn turns(length: usize) -> impl Strategy<Value = Vec<Turn>> {
    let turn =
        (0_u8..10, 0_u64..60, 0_u64..60, 0_u8..20).prop_map(|(kind, before, after, fate)| Turn {
            kind,
            before,
            after,
            fate,
        });
    prop::collection::vec(turn, 0..length)
}

/// Plays the turns one after the other, ten nanoseconds apart, and blurs when each began and ended.
fn play(turns: &[Turn], initial: Value) -> (Vec<Op>, Value) {
    let mut value = initial;
    let mut ops = Vec::new();
    for (turn, id) in turns.iter().zip(1_u64..) {
        let now = 100 + id * 10;
        let (from, to) = (now - turn.before, now + turn.after);
        let happens = turn.fate > 1;
        let outcome = match turn.fate {
            0 | 2 => Outcome::Info,
            1 => Outcome::Fail,
            _ => Outcome::Ok,
        };
        let written = v(id);
        let done = match turn.kind {
            0..4 => op(Function::Read, value, from, to),
            4..7 => op(Function::Write, written, from, to),
            7 => op(Function::WriteIf { expect: value }, written, from, to),
            _ => op(Function::Delete, None, from, to),
        };
        ops.push(Op { outcome, ..done });
        match done.function {
            Function::Write | Function::WriteIf { .. } if happens => value = written,
            Function::Delete if happens => value = None,
            _ => {}
        }
    }
    (ops, value)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn agrees_with_the_definition(ops in tiny_history(), loaded: bool) {
        let initial = if loaded { v(INITIAL) } else { None };
        let truth = is_linearizable(&ops, initial);
        let judged = check_key(&ops, initial);
        prop_assert_eq!(judged.is_ok(), truth, "{:?}", judged);
        match judged {
            Ok(()) => prop_assert!(classify::findings(&ops, initial).is_empty()),
            Err(violation) => {
                prop_assert!(!classify::classify(&ops, initial, violation).is_empty());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_real_register_is_good(turns in turns(300), loaded: bool) {
        let initial = if loaded { v(NOBODYS * 10) } else { None };
        let (mut ops, last) = play(&turns, initial);
        ops.push(op(Function::Read, last, 10_000, 10_001));
        let verdict = check(&ops, |_| initial);
        prop_assert!(verdict.is_clean(), "{}", verdict);
        prop_assert!(classify::findings(&ops, initial).is_empty());
    }

    #[test]
    fn a_last_write_that_is_missing_is_lost(turns in turns(200)) {
        let (mut ops, before) = play(&turns, None);
        let unknown_delete = ops
            .iter()
            .any(|op| op.function == Function::Delete && op.outcome == Outcome::Info);
        prop_assume!(before.is_some() || !unknown_delete);
        ops.push(op(Function::Write, v(5_000), 10_000, 10_001));
        ops.push(op(Function::Read, before, 10_003, 10_004));
        let verdict = check(&ops, |_| None);
        let unknown_write = ops.iter().any(|op| op.value == before && op.outcome == Outcome::Info);
        prop_assert!(verdict.lost() == 1 || unknown_write, "{}", verdict);
    }

    #[test]
    fn a_deleted_value_that_comes_back_is_caught(turns in turns(200)) {
        let (mut ops, _) = play(&turns, None);
        ops.push(op(Function::Write, v(5_000), 10_000, 10_001));
        ops.push(op(Function::Delete, None, 10_002, 10_003));
        ops.push(op(Function::Read, v(5_000), 10_004, 10_005));
        let verdict = check(&ops, |_| None);
        prop_assert_eq!(verdict.resurrected(), 1, "{}", verdict);
    }

    #[test]
    fn a_swapped_value_is_caught(turns in turns(200), at: prop::sample::Index, id in 1_u64..200) {
        let (mut ops, last) = play(&turns, None);
        ops.push(op(Function::Read, last, 10_000, 10_001));
        let reads: Vec<usize> = (0..ops.len())
            .filter(|&at| ops[at].function == Function::Read && ops[at].outcome == Outcome::Ok)
            .collect();
        let at = reads[at.index(reads.len())];
        ops[at].value = v(id);
        let verdict = check(&ops, |_| None);
        let write = ops.iter().find(|op| {
            op.value == v(id) && matches!(op.function, Function::Write | Function::WriteIf { .. })
        });
        // Wrong for certain: nobody wrote it, the write had failed, or it had not begun.
        let impossible = write.is_none_or(|write| {
            write.outcome == Outcome::Fail || ops[at].precedes(write)
        });
        prop_assert!(!impossible || verdict.wrong_reads() > 0, "{}", verdict);
    }
}
