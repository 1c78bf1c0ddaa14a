use super::*;
use crate::ids::Term;
use AttemptKind::{Confirm, Read, Write};

const LOST: Reply = Reply::Failed(Failure::MaybeApplied);

fn deadline(last: Option<Reply>) -> Outcome {
    let last = last.map(|reply| match reply {
        Reply::Refused(refusal) => refusal,
        other => unreachable!("{other:?} is no refusal"),
    });
    Outcome::Failed(OperationError::Deadline { last })
}

fn refused(refusal: Refusal) -> Reply {
    Reply::Refused(refusal)
}

#[test]
fn refusals_without_a_newer_epoch_have_one_refresh_together() {
    let wrong_role = refused(Refusal::WrongRole { current: e(5) });
    let not_owner = refused(Refusal::NotOwner);
    let lease_over = refused(Refusal::LeaseOver { current: e(5) });
    let other_coordinator = refused(Refusal::StaleTerm { seen: Term(3) });
    Trace::write(stable(5, FROM))
        .sends(FROM, 5, Write)
        .gets(other_coordinator)
        .waits_at_most(10)
        .sends(FROM, 5, Write)
        .gets(not_owner)
        .refreshes(5)
        .learns(stable(5, FROM))
        .waits_at_most(4)
        .sends(FROM, 5, Write)
        .gets(not_owner)
        .waits_at_most(20)
        .sends(FROM, 5, Write)
        .gets(lease_over)
        .waits_at_most(40)
        .sends(FROM, 5, Write)
        .gets(wrong_role)
        .ends(Outcome::Failed(OperationError::WrongRole {
            shard: FROM,
            current: e(5),
        }));
    for first in [wrong_role, not_owner, lease_over] {
        Trace::read(stable(5, FROM))
            .sends(FROM, 5, Read)
            .gets(first)
            .refreshes(5)
            .learns(stable(6, TO))
            .sends(TO, 6, Read)
            .gets(found(4))
            .ends(value(2, 4));
    }
}

#[test]
fn the_shard_of_a_wrong_role_is_the_one_that_said_so() {
    let wrong_role = refused(Refusal::WrongRole { current: e(5) });
    let wrong = |shard| {
        let current = e(5);
        Outcome::Failed(OperationError::WrongRole { shard, current })
    };
    let refreshed = Trace::read(ramp(5))
        .sends(TO, 5, Read)
        .gets(wrong_role)
        .refreshes(5)
        .learns(ramp(5))
        .waits()
        .sends(TO, 5, Read);
    refreshed.clone().gets(wrong_role).ends(wrong(TO));
    refreshed
        .gets(Reply::Missing)
        .sends(FROM, 5, Read)
        .gets(wrong_role)
        .ends(wrong(FROM));
    // A write that may have been applied is not reported as a failure.
    Trace::write(stable(5, FROM))
        .sends(FROM, 5, Write)
        .gets(LOST)
        .waits()
        .sends(FROM, 5, Confirm)
        .gets(wrong_role)
        .refreshes(5)
        .learns(stable(5, FROM))
        .waits()
        .sends(FROM, 5, Confirm)
        .gets(wrong_role)
        .ends(indeterminate(None));
}

#[test]
fn the_deadline_ends_every_state() {
    let read = || Trace::read(stable(5, FROM));
    let write = || Trace::write(stable(5, FROM)).sends(FROM, 5, Write);
    // Ready, sent, paused, stale, refreshing: nothing was changed.
    read().runs_out().ends(deadline(None));
    read().sends(FROM, 5, Read).runs_out().ends(deadline(None));
    read()
        .sends(FROM, 5, Read)
        .gets(not_ready(4))
        .runs_out()
        .ends(deadline(Some(not_ready(4))));
    Trace::write(stable(5, FROM))
        .runs_out()
        .ends(deadline(None));
    write()
        .gets(not_ready(4))
        .runs_out()
        .ends(deadline(Some(not_ready(4))));
    write()
        .gets(stale(6, 6))
        .runs_out()
        .ends(deadline(Some(stale(6, 6))));
    write()
        .gets(stale(6, 6))
        .refreshes(5)
        .runs_out()
        .ends(deadline(Some(stale(6, 6))));
    // Something may have been.
    write().runs_out().ends(indeterminate(None));
    write().gets(LOST).runs_out().ends(indeterminate(None));
    let confirming = || write().gets(LOST).waits().sends(FROM, 5, Confirm);
    confirming().runs_out().ends(indeterminate(None));
    confirming()
        .gets(stale(6, 6))
        .refreshes(5)
        .runs_out()
        .ends(indeterminate(None));
    // Something was, and its mirror hasn't said so.
    let accepted = || {
        Trace::write(double_write(5, true))
            .sends(FROM, 5, Write)
            .gets(written(4))
    };
    let unsure = indeterminate(Some(v(4)));
    accepted().runs_out().ends(unsure);
    let mirroring = || accepted().sends(TO, 5, own(4));
    mirroring().runs_out().ends(unsure);
    mirroring().gets(not_ready(5)).runs_out().ends(unsure);
    mirroring().gets(stale(6, 5)).runs_out().ends(unsure);
    mirroring()
        .gets(stale(6, 5))
        .refreshes(5)
        .runs_out()
        .ends(unsure);
    // The answer stands already; only the mirror write goes out.
    Trace::write(double_write(5, false))
        .sends(FROM, 5, Write)
        .gets(written(4))
        .runs_out()
        .trails(TO, 5, own(4))
        .ends(done(4, Some(TO)));
}

#[test]
fn attempts_are_capped() {
    let capped = |attempts_max| Policy {
        attempts_max,
        ..policy()
    };
    let of = |op: fn(Plan, Policy, Instant) -> Operation, plan, n| Trace::new(op, plan, capped(n));
    of(Operation::write, stable(5, FROM), 0).ends(deadline(None));
    of(Operation::write, stable(5, FROM), 2)
        .sends(FROM, 5, Write)
        .gets(not_ready(4))
        .waits()
        .sends(FROM, 5, Write)
        .gets(not_ready(4))
        .waits()
        .ends(deadline(Some(not_ready(4))));
    of(Operation::write, stable(5, FROM), 1)
        .sends(FROM, 5, Write)
        .gets(LOST)
        .waits()
        .ends(indeterminate(None));
    of(Operation::write, double_write(5, true), 1)
        .sends(FROM, 5, Write)
        .gets(written(4))
        .ends(indeterminate(Some(v(4))));
    // One that nobody waits for goes out all the same: the answer stands.
    of(Operation::write, double_write(5, false), 1)
        .sends(FROM, 5, Write)
        .gets(written(4))
        .trails(TO, 5, own(4))
        .ends(done(4, Some(TO)));
}

#[test]
#[cfg_attr(miri, ignore = "as many attempts as there can be")]
fn no_two_attempts_share_a_number() {
    let policy = Policy {
        attempts_max: u16::MAX,
        deadline_ms: u32::MAX,
        ..policy()
    };
    let mut trace = Trace::new(Operation::write, double_write(5, false), policy);
    for _ in 1..u16::MAX {
        trace = trace.sends(FROM, 5, Write).gets(not_ready(4)).waits();
    }
    trace
        .sends(FROM, 5, Write)
        .gets(written(4))
        .trails(TO, 5, own(4))
        .ends(done(4, Some(TO)));
}

#[test]
fn maps_that_are_older_or_of_another_key_change_nothing() {
    let other_key = Plan {
        stored_slot: 1,
        ..reversed(9)
    };
    let other_keyspace = Plan {
        keyspace: KeyspaceId(1),
        ..reversed(9)
    };
    // Of the same epoch with another answer: a fork, which routers refuse to install.
    let forked = Plan {
        read: ReadPlace::One(TO),
        authority: TO,
        ..stable(5, TO)
    };
    let stale_read = Trace::read(stable(5, FROM))
        .sends(FROM, 5, Read)
        .gets(stale(9, 9));
    for strange in [stable(4, TO), other_key, other_keyspace] {
        let before = stale_read.clone().refreshes(8);
        assert_eq!(before.clone().learns(strange).op, before.op);
    }
    stale_read
        // Not asked for yet: the question stands.
        .learns(stable(5, FROM))
        .refreshes(8)
        .learns(forked)
        .waits()
        .sends(FROM, 5, Read)
        .gets(found(4))
        .ends(value(2, 4));
}

#[test]
fn a_newer_map_in_hand_is_tried_at_once_if_it_says_anything_new() {
    let waiting = Trace::write(stable(5, FROM))
        .sends(FROM, 5, Write)
        .gets(not_ready(4));
    waiting
        .clone()
        .learns(stable(6, TO))
        .sends(TO, 6, Write)
        .gets(written(4))
        .ends(done(4, None));
    let same_route = Plan {
        snapshot: e(6),
        ..stable(5, FROM)
    };
    let waiting = waiting.learns(same_route);
    assert_eq!(waiting.op.plan(), &same_route);
    waiting
        .waits()
        .sends(FROM, 5, Write)
        .gets(stale(7, 7))
        .refreshes(6)
        // While it is asked for, and while an attempt is out, nothing is decided by a map.
        .learns(same_route)
        .waits()
        .sends(FROM, 5, Write)
        .learns(stable(8, TO))
        .gets(written(4))
        .ends(done(4, None));
}

#[test]
fn replies_that_do_not_answer_the_question_are_no_answer() {
    let senseless = [written(4), Reply::Superseded, conflict(4)];
    for reply in senseless {
        let mut trace = Trace::read(stable(5, FROM))
            .sends(FROM, 5, Read)
            .gets(reply)
            .refreshes(5)
            .learns(stable(5, FROM));
        let mut longest = 0;
        for _ in 0..6 {
            let before = trace.now;
            trace = trace.waits();
            longest = longest.max(trace.now.since(before));
            trace = trace.sends(FROM, 5, Read).gets(reply);
        }
        assert!(
            longest > 80,
            "a store that talks nonsense is asked every {longest} ms"
        );
    }
    for reply in [found(4), deleted(4), Reply::Missing, Reply::Superseded] {
        Trace::write(stable(5, FROM))
            .sends(FROM, 5, Write)
            .gets(reply)
            .waits()
            .sends(FROM, 5, Confirm)
            .gets(Reply::Missing)
            .ends(indeterminate(None));
    }
}
