use super::*;
use AttemptKind::Read;

#[test]
fn a_stable_read_asks_one_shard() {
    for (reply, outcome) in [
        (found(4), value(1, 4)),
        (deleted(4), Outcome::Missing),
        (Reply::Missing, Outcome::Missing),
    ] {
        Trace::read(stable(5, FROM))
            .sends(FROM, 5, Read)
            .gets(reply)
            .ends(outcome);
    }
}

#[test]
fn reads_go_where_the_phase_says() {
    for (plan, shard) in [
        (double_write(5, false), FROM),
        (double_write(5, true), FROM),
        (reversed(5), TO),
    ] {
        Trace::read(plan)
            .sends(shard, 5, Read)
            .gets(Reply::Missing)
            .ends(Outcome::Missing);
    }
}

#[test]
fn inside_the_ramp_a_hit_on_the_new_place_is_the_answer() {
    Trace::read(ramp(5))
        .sends(TO, 5, Read)
        .gets(found(4))
        .ends(value(1, 4));
}

#[test]
fn inside_the_ramp_nothing_on_both_is_missing() {
    Trace::read(ramp(5))
        .sends(TO, 5, Read)
        .gets(Reply::Missing)
        .sends(FROM, 5, Read)
        .gets(Reply::Missing)
        .ends(Outcome::Missing);
}

/// Protects against a deleted row that comes back: who looked behind a tombstone would find the
/// row that it deletes; who doesn't copy a tombstone leaves the place open for a late copy.
#[test]
fn race_3_a_tombstone_is_a_hit_on_either_side() {
    Trace::read(ramp(5))
        .sends(TO, 5, Read)
        .gets(deleted(4))
        .ends(Outcome::Missing);
    Trace::read(ramp(5))
        .sends(TO, 5, Read)
        .gets(Reply::Missing)
        .sends(FROM, 5, Read)
        .gets(deleted(4))
        .sends(TO, 5, found_by(2, 4))
        .gets(written(4))
        .ends(Outcome::Missing);
}

/// Protects against going back in time: were V2 answered before it is on the new place, the next
/// reader could find there the V1 that backfill is still bringing.
#[test]
fn race_4_what_is_found_behind_is_on_the_new_place_before_it_is_answered() {
    for repaired in [written(4), Reply::Superseded] {
        Trace::read(ramp(5))
            .sends(TO, 5, Read)
            .gets(Reply::Missing)
            .sends(FROM, 5, Read)
            .gets(found(4))
            .sends(TO, 5, found_by(2, 4))
            .gets(repaired)
            .ends(value(2, 4));
    }
}

/// Protects against a repair under a stamp that its content wasn't read under.
#[test]
fn race_4_a_refused_repair_starts_the_read_again() {
    let refused = |reply| {
        Trace::read(ramp(5))
            .sends(TO, 5, Read)
            .gets(Reply::Missing)
            .sends(FROM, 5, Read)
            .gets(found(4))
            .sends(TO, 5, found_by(2, 4))
            .gets(reply)
    };
    refused(stale(6, 5))
        .refreshes(5)
        .learns(ramp(6))
        .sends(TO, 6, Read)
        .gets(found(4))
        .ends(value(4, 4));
    refused(not_ready(5))
        .waits_at_most(8)
        .sends(TO, 5, Read)
        .gets(Reply::Missing)
        .sends(FROM, 5, Read)
        .gets(found(7))
        .sends(TO, 5, found_by(5, 7))
        .gets(written(7))
        .ends(value(5, 7));
    refused(Reply::Failed(Failure::MaybeApplied))
        .refreshes(5)
        .learns(double_write(6, false))
        .sends(FROM, 6, Read)
        .gets(found(5))
        .ends(value(4, 5));
}

#[test]
fn a_look_behind_that_is_refused_starts_the_read_again() {
    Trace::read(ramp(5))
        .sends(TO, 5, Read)
        .gets(Reply::Missing)
        .sends(FROM, 5, Read)
        .gets(stale(6, 6))
        .refreshes(5)
        .learns(reversed(6))
        .sends(TO, 6, Read)
        .gets(Reply::Missing)
        .ends(Outcome::Missing);
}

#[test]
fn a_stale_read_is_routed_again() {
    Trace::read(stable(5, FROM))
        .sends(FROM, 5, Read)
        .gets(stale(9, 9))
        .refreshes(8)
        .learns(reversed(9))
        .sends(TO, 9, Read)
        .gets(found(4))
        .ends(value(2, 4));
}

#[test]
fn a_store_that_goes_back_in_time_is_asked_until_it_has_the_news() {
    Trace::read(stable(5, FROM))
        .sends(FROM, 5, Read)
        .gets(stale(9, 9))
        .refreshes(8)
        // Nothing newer yet: the same is tried after a while, and refused again.
        .learns(stable(5, FROM))
        .waits_at_most(2)
        .sends(FROM, 5, Read)
        .gets(stale(9, 9))
        .refreshes(8)
        .learns(stable(4, TO))
        .learns(reversed(9))
        .sends(TO, 9, Read)
        .gets(Reply::Missing)
        .ends(Outcome::Missing);
}

#[test]
fn a_dead_place_of_reads_is_looked_up_once_and_then_waited_for() {
    for silent in [Failure::NotSent, Failure::MaybeApplied] {
        let after_one_refresh = Trace::read(ramp(5))
            .sends(TO, 5, Read)
            .gets(Reply::Failed(silent))
            .refreshes(5);
        after_one_refresh
            .clone()
            .learns(double_write(6, false))
            .sends(FROM, 6, Read)
            .gets(found(4))
            .ends(value(2, 4));
        after_one_refresh
            .learns(ramp(5))
            .waits_at_most(4)
            .sends(TO, 5, Read)
            .gets(Reply::Failed(silent))
            .waits_at_most(40)
            .sends(TO, 5, Read)
            .gets(found(4))
            .ends(value(3, 4));
    }
}

#[test]
fn a_silent_attempt_counts_as_lost_after_its_time() {
    Trace::read(stable(5, FROM))
        .sends(FROM, 5, Read)
        .waits_at_most(1_000)
        .refreshes(5)
        .learns(stable(5, FROM))
        .waits_at_most(4)
        .sends(FROM, 5, Read)
        .gets(found(4))
        .ends(value(2, 4));
}

#[test]
fn a_rejected_read_fails_at_once() {
    Trace::read(stable(5, FROM))
        .sends(FROM, 5, Read)
        .gets(Reply::Failed(Failure::Rejected))
        .ends(Outcome::Failed(OperationError::Rejected));
}
