//! Histories made by hand, one for each verdict and its innocent twin.

use super::classify::Wrong;
use super::{Finding, Verdict, Violation, check};
use crate::history::{Function, Op, Outcome, Value, ValueId};

pub(super) fn v(id: u64) -> Value {
    ValueId::new(id)
}

/// An acknowledged operation of key 0.
pub(super) fn op(function: Function, value: Value, invoke_ns: u64, complete_ns: u64) -> Op {
    Op {
        process: 0,
        key: 0,
        function,
        value,
        invoke_ns,
        complete_ns,
        outcome: Outcome::Ok,
    }
}

fn write(id: u64, from: u64, to: u64) -> Op {
    op(Function::Write, v(id), from, to)
}

fn read(id: u64, from: u64, to: u64) -> Op {
    op(Function::Read, v(id), from, to)
}

fn put_if(expect: u64, id: u64, from: u64, to: u64) -> Op {
    op(Function::WriteIf { expect: v(expect) }, v(id), from, to)
}

fn delete(from: u64, to: u64) -> Op {
    op(Function::Delete, None, from, to)
}

fn info(op: Op) -> Op {
    Op {
        outcome: Outcome::Info,
        ..op
    }
}

fn fail(op: Op) -> Op {
    Op {
        outcome: Outcome::Fail,
        ..op
    }
}

/// Judges a key that held v1 at first.
fn judge(ops: &[Op]) -> Verdict {
    check(ops, |_| v(1))
}

#[track_caller]
fn good(ops: &[Op]) {
    let verdict = judge(ops);
    assert!(verdict.is_clean(), "{verdict}");
}

#[track_caller]
fn bad(ops: &[Op], lost: usize, resurrected: usize, wrong_reads: usize) -> Verdict {
    let verdict = judge(ops);
    let counts = (
        verdict.lost(),
        verdict.resurrected(),
        verdict.wrong_reads(),
        verdict.undecided.len(),
    );
    assert_eq!(counts, (lost, resurrected, wrong_reads, 0), "{verdict}");
    verdict
}

#[test]
fn an_empty_history_is_good() {
    good(&[]);
    good(&[read(1, 1, 2)]);
}

#[test]
fn a_write_that_nobody_sees_again_is_lost() {
    good(&[write(2, 1, 2), read(2, 3, 4)]);
    bad(&[write(2, 1, 2), read(1, 3, 4)], 1, 0, 0);
    bad(&[write(2, 1, 2), read(0, 3, 4)], 1, 0, 0);
    // However many reads miss it, it is one write.
    bad(&[write(2, 1, 2), read(1, 3, 4), read(1, 5, 6)], 1, 0, 0);
}

#[test]
fn a_loaded_record_that_is_gone_is_lost() {
    good(&[delete(1, 4), read(0, 2, 3)]);
    let verdict = bad(&[read(0, 2, 3)], 1, 0, 0);
    let expected = Finding::Lost {
        write: None,
        seen: read(0, 2, 3),
    };
    assert_eq!(verdict.findings, [expected]);
}

#[test]
fn a_deleted_value_that_comes_back_is_resurrected() {
    good(&[delete(1, 2), read(0, 3, 4)]);
    good(&[delete(1, 3), read(1, 2, 4)]);
    bad(&[delete(1, 2), read(1, 3, 4)], 0, 1, 0);
    good(&[delete(1, 2), write(2, 3, 4), read(2, 5, 6)]);
    bad(&[write(2, 1, 2), delete(3, 4), read(2, 5, 6)], 0, 1, 0);
    // A write that may still be on its way is no resurrection.
    good(&[info(write(2, 1, 2)), delete(3, 4), read(2, 5, 6)]);
    // One that was seen before the delete is.
    let seen_before = [
        info(write(2, 1, 2)),
        read(2, 2, 2),
        delete(3, 4),
        read(2, 5, 6),
    ];
    bad(&seen_before, 0, 1, 0);
}

#[test]
fn an_older_value_while_the_newer_one_is_there_is_a_wrong_read() {
    let verdict = bad(&[write(2, 1, 2), read(1, 3, 4), read(2, 5, 6)], 0, 0, 1);
    let expected = Finding::WrongRead {
        seen: read(1, 3, 4),
        why: Wrong::Stale,
    };
    assert_eq!(verdict.findings, [expected]);
    good(&[write(2, 1, 4), read(1, 3, 4), read(2, 5, 6)]);
}

#[test]
fn a_value_from_nowhere_is_a_wrong_read() {
    bad(&[read(7, 1, 2)], 0, 0, 1);
    bad(&[fail(write(2, 1, 2)), read(2, 3, 4)], 0, 0, 1);
    bad(&[read(2, 1, 2), write(2, 3, 4)], 0, 0, 1);
    good(&[fail(write(2, 1, 2)), read(1, 3, 4)]);
    // Intervals that touch overlap.
    good(&[read(2, 1, 3), write(2, 3, 4)]);
}

#[test]
fn two_readers_may_not_disagree_about_the_order() {
    let ops = [
        write(2, 1, 20),
        write(3, 1, 20),
        read(2, 2, 3),
        read(3, 4, 5),
    ];
    good(&ops);
    bad(&[ops[0], ops[1], ops[2], ops[3], read(2, 6, 7)], 0, 0, 1);
}

#[test]
fn an_unknown_outcome_may_come_late_or_never() {
    let late = info(write(2, 1, 2));
    good(&[late, read(1, 3, 4), read(2, 50, 60)]);
    good(&[late, read(1, 3, 4)]);
    bad(&[late, read(2, 3, 4), read(1, 5, 6)], 0, 0, 1);
    let late = info(delete(1, 2));
    good(&[late, read(1, 3, 4), read(0, 50, 60)]);
    good(&[late, write(2, 3, 4), read(0, 50, 60)]);
    // It happens at most once.
    let twice = [
        late,
        read(0, 3, 4),
        write(2, 5, 6),
        read(2, 7, 8),
        read(0, 9, 10),
    ];
    bad(&twice, 0, 0, 1);
}

#[test]
fn a_read_that_failed_says_nothing() {
    good(&[fail(read(9, 1, 2)), info(read(9, 3, 4))]);
}

#[test]
fn a_put_if_replaces_what_it_expects() {
    good(&[put_if(1, 2, 1, 2), read(2, 3, 4)]);
    good(&[delete(1, 2), put_if(0, 2, 3, 4), read(2, 5, 6)]);
    good(&[put_if(1, 2, 1, 9), put_if(2, 3, 1, 9), read(3, 10, 11)]);
    good(&[
        fail(put_if(7, 2, 1, 2)),
        info(put_if(7, 3, 1, 2)),
        read(1, 3, 4),
    ]);
    bad(&[put_if(0, 2, 1, 2)], 1, 0, 0);
    bad(&[put_if(7, 2, 1, 2)], 0, 0, 1);
    bad(&[put_if(3, 2, 1, 9), put_if(2, 3, 1, 9)], 0, 0, 1);
    bad(&[write(2, 1, 2), put_if(1, 3, 3, 4)], 1, 0, 0);
    bad(&[delete(1, 2), put_if(1, 3, 3, 4)], 0, 1, 0);
}

#[test]
fn two_put_ifs_that_replace_the_same_value_lose_one_write() {
    bad(&[put_if(1, 2, 1, 9), put_if(1, 3, 1, 9)], 1, 0, 0);
    good(&[put_if(1, 2, 1, 9), info(put_if(1, 3, 1, 9))]);
}

#[test]
fn a_history_at_fault_is_not_called_good() {
    for ops in [
        &[write(2, 1, 2), write(2, 3, 4)][..],
        &[write(2, 3, 2)],
        &[write(0, 1, 2)],
        &[write(1, 1, 2)],
    ] {
        let verdict = judge(ops);
        assert!(!verdict.is_clean());
        assert!(
            matches!(verdict.undecided[..], [Violation::Malformed { .. }]),
            "{verdict}"
        );
    }
}

#[test]
fn too_many_at_once_are_undecided_not_good() {
    let mut ops = vec![delete(1, 100); 129];
    assert!(matches!(
        judge(&ops).undecided[..],
        [Violation::Undecided { .. }]
    ));
    ops.pop();
    good(&ops);
}

#[test]
fn keys_are_judged_alone() {
    let other = |op: Op| Op { key: 5, ..op };
    let ops = [
        write(2, 1, 2),
        other(write(3, 1, 2)),
        read(2, 3, 4),
        other(read(1, 3, 4)),
    ];
    let verdict = check(&ops, |_| v(1));
    assert_eq!((verdict.keys, verdict.operations), (2, 4));
    assert_eq!(verdict.lost(), 1, "{verdict}");
    assert_eq!(
        verdict.to_string(),
        "lost: the write of v3 of key 5 by process 0 (1..2 ns, ok); \
         the read of v1 of key 5 by process 0 (3..4 ns, ok) missed it\n"
    );
}
