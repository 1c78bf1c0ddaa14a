use super::*;
use AttemptKind::{Confirm, Write};

const LOST: Reply = Reply::Failed(Failure::MaybeApplied);

/// A write that its authority has accepted as version 4 in a phase that waits for the mirror.
#[track_caller]
fn accepted() -> Trace {
    Trace::write(double_write(5, true))
        .sends(FROM, 5, Write)
        .gets(written(4))
        .sends(TO, 5, own(4))
}

#[test]
fn a_stable_write_asks_one_shard() {
    Trace::write(stable(5, FROM))
        .sends(FROM, 5, Write)
        .gets(written(4))
        .ends(done(4, None));
    for found in [Some(v(3)), None] {
        Trace::write(stable(5, FROM))
            .sends(FROM, 5, Write)
            .gets(Reply::Conflict { found })
            .ends(Outcome::Conflict { found });
    }
}

#[test]
fn a_relaxed_mirror_is_written_but_not_waited_for() {
    for (plan, authority, mirror) in [(double_write(5, false), FROM, TO), (reversed(5), TO, FROM)] {
        Trace::write(plan)
            .sends(authority, 5, Write)
            .gets(written(4))
            .trails(mirror, 5, own(4))
            .ends(done(4, Some(mirror)));
    }
}

#[test]
fn a_strict_mirror_is_waited_for() {
    accepted().gets(written(4)).ends(done(4, None));
    accepted().gets(Reply::Superseded).ends(done(4, None));
}

#[test]
fn in_read_new_a_write_is_answered_after_both_inside_the_ramp_and_outside() {
    let outside = Plan {
        read: ReadPlace::One(FROM),
        ..ramp(5)
    };
    for plan in [ramp(5), outside] {
        Trace::write(plan)
            .sends(FROM, 5, Write)
            .gets(written(4))
            .sends(TO, 5, own(4))
            .gets(written(4))
            .ends(done(4, None));
    }
}

/// Protects against a write on the old owner after the switch: what is refused is never sent there
/// again, and nothing is reported as done before the new owner has it.
#[test]
fn race_5_a_write_by_an_old_map_goes_where_the_new_one_says() {
    Trace::write(stable(5, FROM))
        .sends(FROM, 5, Write)
        .gets(stale(9, 9))
        .refreshes(8)
        .learns(reversed(9))
        .sends(TO, 9, Write)
        .gets(written(4))
        .trails(FROM, 9, own(4))
        .ends(done(4, Some(FROM)));
}

/// Protects against a second authority: a client ahead of the shard waits there with its map, and
/// goes neither elsewhere nor back to an older one.
#[test]
fn race_6_a_client_ahead_of_the_shard_waits_and_keeps_its_map() {
    let mut trace = Trace::write(reversed(9));
    for _ in 0..20 {
        trace = trace
            .sends(TO, 9, Write)
            .gets(not_ready(8))
            .learns(double_write(8, false))
            .learns(reversed(9))
            .waits_at_most(8);
        assert_eq!(trace.op.plan(), &reversed(9));
    }
    trace
        .sends(TO, 9, Write)
        .gets(written(4))
        .trails(FROM, 9, own(4))
        .ends(done(4, Some(FROM)));
}

/// Protects against a lost write that was reported as done, or as failed.
#[test]
fn race_7_a_mirror_that_fails_makes_a_strict_write_indeterminate() {
    accepted()
        .gets(LOST)
        .runs_out()
        .ends(indeterminate(Some(v(4))));
    accepted()
        .gets(Reply::Failed(Failure::Rejected))
        .ends(indeterminate(Some(v(4))));
    // It is tried again, under the same stamp, and its authority is not asked a second time.
    accepted()
        .gets(Reply::Failed(Failure::NotSent))
        .learns(reversed(6))
        .waits_at_most(10)
        .sends(TO, 5, own(4))
        .gets(not_ready(5))
        .waits_at_most(8)
        .sends(TO, 5, own(4))
        .waits_at_most(1_000)
        .waits_at_most(40)
        .sends(TO, 5, own(4))
        .gets(written(4))
        .ends(done(4, None));
}

/// Protects against a write that is applied twice: one without an answer is asked about, by its
/// operation id, and never sent again.
#[test]
fn race_13_a_write_without_an_answer_is_never_sent_twice() {
    let unknown = || {
        Trace::write(stable(5, FROM))
            .sends(FROM, 5, Write)
            .gets(LOST)
            .waits_at_most(10)
            .sends(FROM, 5, Confirm)
    };
    unknown().gets(written(4)).ends(done(4, None));
    unknown().gets(Reply::Missing).ends(indeterminate(None));
    unknown().runs_out().ends(indeterminate(None));
    unknown()
        .gets(Reply::Failed(Failure::Rejected))
        .ends(indeterminate(None));
    unknown()
        .gets(LOST)
        .refreshes(5)
        .learns(stable(5, FROM))
        .waits_at_most(4)
        .sends(FROM, 5, Confirm)
        .gets(not_ready(4))
        .waits_at_most(8)
        .sends(FROM, 5, Confirm)
        .gets(written(4))
        .ends(done(4, None));
    // The id moves with the row: the new authority knows.
    unknown()
        .gets(stale(9, 9))
        .refreshes(8)
        .learns(reversed(9))
        .sends(TO, 9, Confirm)
        .gets(written(4))
        .trails(FROM, 9, own(4))
        .ends(done(4, Some(FROM)));
}

/// The same, where the store doesn't keep operation ids, and where time says that it was lost.
#[test]
fn race_13_without_operation_ids_the_outcome_is_unknown_at_once() {
    let policy = Policy {
        confirm: false,
        ..policy()
    };
    let unsure = || Trace::new(Operation::write, ramp(5), policy).sends(FROM, 5, Write);
    unsure().gets(LOST).ends(indeterminate(None));
    unsure().gets(found(4)).ends(indeterminate(None));
    unsure().waits_at_most(1_000).ends(indeterminate(None));
    Trace::write(ramp(5))
        .sends(FROM, 5, Write)
        .waits_at_most(1_000)
        .waits_at_most(10)
        .sends(FROM, 5, Confirm)
        .gets(written(4))
        .sends(TO, 5, own(4))
        .gets(written(4))
        .ends(done(4, None));
}

#[test]
fn a_write_that_certainly_was_not_sent_or_was_refused_is_sent_again() {
    Trace::write(stable(5, FROM))
        .sends(FROM, 5, Write)
        .gets(Reply::Failed(Failure::NotSent))
        .refreshes(5)
        .learns(stable(7, TO))
        .sends(TO, 7, Write)
        .gets(not_ready(6))
        .waits_at_most(8)
        .sends(TO, 7, Write)
        .gets(Reply::Failed(Failure::Rejected))
        .ends(Outcome::Failed(OperationError::Rejected));
}

#[test]
fn stale_rule_a_a_drain_past_the_stamp_has_carried_the_write() {
    accepted().gets(stale(6, 6)).ends(done(4, None));
    accepted().gets(stale(9, 7)).ends(done(4, None));
}

#[test]
fn stale_rule_c_no_mirror_any_more_and_the_same_authority() {
    accepted()
        .gets(stale(6, 5))
        .refreshes(5)
        .learns(stable(6, FROM))
        .ends(done(4, None));
    // A map that isn't new enough decides nothing.
    accepted()
        .gets(stale(9, 5))
        .refreshes(8)
        .learns(stable(8, FROM))
        .waits_at_most(2)
        .sends(TO, 5, own(4))
        .gets(stale(9, 5))
        .refreshes(8)
        .learns(stable(9, TO))
        .ends(indeterminate(Some(v(4))));
}

/// Protects against reporting a write as done that only the authority has, while another phase
/// reads from the mirror: nothing carried it there, so nobody may say so.
#[test]
fn race_25_a_newer_epoch_that_nothing_drained_is_not_done() {
    // Drained to exactly the stamp's epoch: that was the barrier that led to it.
    for drained in [0, 4, 5] {
        for newer in [double_write(6, true), ramp(6), reversed(6), stable(6, TO)] {
            accepted()
                .gets(stale(6, drained))
                .refreshes(5)
                .learns(newer)
                .ends(indeterminate(Some(v(4))));
        }
    }
}

#[test]
fn what_a_refused_put_if_has_seen_in_the_ramp_is_pushed_before_the_answer() {
    let conflicting = || {
        Trace::write(ramp(5))
            .sends(FROM, 5, Write)
            .gets(conflict(3))
            .sends(TO, 5, found_by(1, 3))
    };
    let seen = Outcome::Conflict { found: Some(v(3)) };
    conflicting().gets(written(3)).ends(seen);
    conflicting().gets(Reply::Superseded).ends(seen);
    // Refused: nothing was changed and nothing shown, so all of it begins again.
    conflicting()
        .gets(stale(6, 6))
        .refreshes(5)
        .learns(reversed(6))
        .sends(TO, 6, Write)
        .gets(conflict(3))
        .ends(seen);
    conflicting()
        .gets(not_ready(5))
        .waits_at_most(8)
        .sends(FROM, 5, Write)
        .gets(written(4))
        .sends(TO, 5, own(4))
        .gets(written(4))
        .ends(done(4, None));
    // There is nothing to push, or nobody reads it from there.
    let outside = Plan {
        read: ReadPlace::One(FROM),
        ..ramp(5)
    };
    for (plan, found) in [(ramp(5), None), (outside, Some(v(3)))] {
        Trace::write(plan)
            .sends(FROM, 5, Write)
            .gets(Reply::Conflict { found })
            .ends(Outcome::Conflict { found });
    }
}
