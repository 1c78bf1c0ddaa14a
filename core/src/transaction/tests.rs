//! Every path of a transaction, as traces.
#![expect(
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected must fail"
)]

use super::*;
use crate::error::ErrorCode;
use crate::guard::{Fence, Refusal};
use crate::ids::{DomainId, KeyspaceId, ShardId, Slot};
use crate::route::{Plan, ReadPlace};
use crate::step::Payload;

const FROM: ShardId = ShardId(1);
const TO: ShardId = ShardId(2);
const NOW: Instant = Instant::ZERO;
const BOTH: Use = Use {
    read: true,
    write: true,
};
const READ: Use = Use {
    read: true,
    write: false,
};

fn e(n: u32) -> Epoch {
    Epoch::new(n).unwrap_or(Epoch::MAX)
}

fn v(n: u32) -> Version {
    Version::new(e(1), n)
}

fn found(n: u32) -> Reply {
    Reply::Found { version: v(n) }
}

fn written(n: u32) -> Reply {
    Reply::Written { version: v(n) }
}

fn stale(current: u32, drained: u32) -> BatchReply {
    let (current, drained) = (e(current), e(drained));
    BatchReply::Refused(Refusal::StaleEpoch { current, drained })
}

const fn failed(error: OperationError) -> TransactionOutcome {
    TransactionOutcome::Failed(TransactionError::Operation(error))
}

const UNKNOWN: TransactionOutcome = failed(OperationError::Indeterminate { version: None });

/// Two keys of one domain, by the snapshot of `epoch`.
fn pinned(epoch: u32, mirror: Option<ShardId>, strict: bool, ramp: bool) -> Pinned {
    let plan = |slot: u32| Plan {
        snapshot: e(epoch),
        keyspace: KeyspaceId(0),
        slot: Slot(slot),
        stored_slot: slot << 4,
        fence: Fence {
            domain: DomainId(7),
            epoch: e(epoch),
        },
        authority: FROM,
        mirror,
        read: if ramp {
            ReadPlace::Fallback {
                first: TO,
                second: FROM,
            }
        } else {
            ReadPlace::One(FROM)
        },
        strict,
        shadow: None,
        leased: None,
    };
    Pinned {
        snapshot: e(epoch),
        keyspace: KeyspaceId(0),
        shard: FROM,
        plans: vec![plan(1), plan(2)],
    }
}

fn begin(pinned: Pinned, again: bool) -> Transaction {
    let mut transaction = Transaction::new(pinned, Policy::default(), again, NOW);
    reads(&mut transaction);
    transaction
}

/// The reads of both keys, up to the caller's turn.
fn reads(transaction: &mut Transaction) {
    let batch = send(transaction);
    assert!(!batch.changes() && batch.blocking && batch.shard == FROM);
    assert_eq!(batch.parts.len(), 2);
    reply(
        transaction,
        &batch,
        BatchReply::Done(vec![found(1), found(2)]),
    );
    let found_by = batch.id;
    assert_eq!(transaction.poll(), TransactionStep::Work { found_by });
}

#[track_caller]
fn send(transaction: &mut Transaction) -> Batch {
    for _ in 0..4 {
        match transaction.poll() {
            TransactionStep::Send(batch) => return batch,
            TransactionStep::Wait { until } => transaction.handle_timeout(until),
            other => panic!("{other:?}"),
        }
    }
    panic!("nothing to send");
}

#[track_caller]
fn reply(transaction: &mut Transaction, batch: &Batch, reply: BatchReply) {
    assert_eq!(transaction.handle_reply(NOW, batch.id, reply), Ok(()));
}

#[track_caller]
fn committed(transaction: &mut Transaction) {
    let batch = send(transaction);
    assert!(
        batch
            .parts
            .iter()
            .all(|part| part.attempt.kind == AttemptKind::Write)
    );
    reply(
        transaction,
        &batch,
        BatchReply::Done(vec![written(3), written(4)]),
    );
}

fn done(lagging: bool) -> TransactionStep {
    let versions = vec![Some(v(3)), Some(v(4))];
    TransactionStep::Done(TransactionOutcome::Done { versions, lagging })
}

fn ends(transaction: &mut Transaction, outcome: &TransactionOutcome) {
    assert_eq!(transaction.poll(), TransactionStep::Done(outcome.clone()));
}

#[test]
fn a_commit_checks_what_was_looked_at_and_no_more() {
    let mut transaction = begin(pinned(1, None, false, false), false);
    let write = Use {
        read: false,
        write: true,
    };
    transaction.commit(NOW, vec![READ, write]);
    let batch = send(&mut transaction);
    let parts = batch
        .parts
        .iter()
        .map(|part| (part.attempt.kind, part.expected));
    assert_eq!(
        parts.collect::<Vec<_>>(),
        [
            (AttemptKind::Read, Expected::Row(Some(v(1)))),
            (AttemptKind::Write, Expected::Any)
        ]
    );
    reply(
        &mut transaction,
        &batch,
        BatchReply::Done(vec![found(1), written(3)]),
    );
    let versions = vec![None, Some(v(3))];
    let lagging = false;
    ends(
        &mut transaction,
        &TransactionOutcome::Done { versions, lagging },
    );
}

#[test]
fn what_only_reads_is_over_after_its_reads() {
    let mut transaction = begin(pinned(1, Some(TO), false, false), false);
    transaction.commit(NOW, vec![READ, READ]);
    let (versions, lagging) = (vec![None, None], false);
    ends(
        &mut transaction,
        &TransactionOutcome::Done { versions, lagging },
    );
}

#[test]
fn in_the_ramp_what_was_shown_is_put_where_reads_go_first() {
    let mut transaction = begin(pinned(1, Some(TO), true, true), false);
    transaction.commit(NOW, vec![READ, Use::default()]);
    let batch = send(&mut transaction);
    assert_eq!(
        (batch.shard, batch.blocking, batch.parts.len()),
        (TO, true, 1)
    );
    let kind = AttemptKind::Apply {
        version: v(1),
        payload: Payload::FoundBy(AttemptId(1)),
    };
    assert_eq!(batch.parts[0].attempt.kind, kind);
    reply(
        &mut transaction,
        &batch,
        BatchReply::Done(vec![Reply::Superseded]),
    );
    let (versions, lagging) = (vec![None, None], false);
    ends(
        &mut transaction,
        &TransactionOutcome::Done { versions, lagging },
    );
}

#[test]
fn what_could_not_be_put_there_is_not_shown() {
    let mut transaction = begin(pinned(1, Some(TO), true, true), false);
    transaction.commit(NOW, vec![READ, READ]);
    let batch = send(&mut transaction);
    reply(&mut transaction, &batch, stale(2, 0));
    let TransactionStep::Refresh { .. } = transaction.poll() else {
        panic!("no refresh");
    };
    transaction.handle_snapshot(NOW, Ok(pinned(2, Some(TO), true, true)));
    let TransactionStep::Done(outcome) = transaction.poll() else {
        panic!("not over");
    };
    assert_eq!(outcome.code(), Some(ErrorCode::Retryable));
}

#[test]
fn a_strict_commit_is_answered_after_its_mirror() {
    let mut transaction = begin(pinned(1, Some(TO), true, false), false);
    transaction.commit(NOW, vec![BOTH, BOTH]);
    committed(&mut transaction);
    let batch = send(&mut transaction);
    assert_eq!(
        (batch.shard, batch.blocking, batch.parts.len()),
        (TO, true, 2)
    );
    reply(
        &mut transaction,
        &batch,
        BatchReply::Done(vec![written(3), Reply::Superseded]),
    );
    assert_eq!(transaction.poll(), done(false));
}

#[test]
fn a_relaxed_one_is_answered_before() {
    let mut transaction = begin(pinned(1, Some(TO), false, false), false);
    transaction.commit(NOW, vec![BOTH, BOTH]);
    committed(&mut transaction);
    assert!(!send(&mut transaction).blocking);
    assert_eq!(transaction.poll(), done(true));
}

#[test]
fn a_mirror_that_was_drained_to_has_it_and_another_may_not() {
    for (drained, outcome) in [(2, None), (1, Some(UNKNOWN))] {
        let mut transaction = begin(pinned(1, Some(TO), true, false), false);
        transaction.commit(NOW, vec![BOTH, BOTH]);
        committed(&mut transaction);
        let batch = send(&mut transaction);
        reply(&mut transaction, &batch, stale(2, drained));
        if let Some(outcome) = outcome {
            assert!(matches!(
                transaction.poll(),
                TransactionStep::Refresh { .. }
            ));
            transaction.handle_snapshot(NOW, Ok(pinned(2, Some(TO), true, false)));
            ends(&mut transaction, &outcome);
        } else {
            assert_eq!(transaction.poll(), done(false));
        }
    }
}

#[test]
fn race_10_a_commit_under_an_older_epoch_is_over_with_nothing_changed() {
    let mut transaction = begin(pinned(1, None, false, false), false);
    transaction.commit(NOW, vec![BOTH, BOTH]);
    let batch = send(&mut transaction);
    reply(&mut transaction, &batch, stale(2, 2));
    let TransactionStep::Done(outcome) = transaction.poll() else {
        panic!("not over");
    };
    assert_eq!(outcome.code(), Some(ErrorCode::Retryable));
}

#[test]
fn race_10_where_work_can_be_done_again_it_is_from_new_reads() {
    let mut transaction = begin(pinned(1, None, false, false), true);
    transaction.commit(NOW, vec![BOTH, BOTH]);
    let batch = send(&mut transaction);
    reply(&mut transaction, &batch, stale(2, 2));
    assert!(matches!(
        transaction.poll(),
        TransactionStep::Refresh { .. }
    ));
    transaction.handle_snapshot(NOW, Ok(pinned(2, None, false, false)));
    let TransactionStep::Send(batch) = transaction.poll() else {
        panic!("nothing is read");
    };
    assert!(
        batch
            .parts
            .iter()
            .all(|part| part.attempt.fence.epoch == e(2))
    );
    assert!(!batch.changes());
}

#[test]
fn race_10_a_map_that_comes_in_between_does_not_restamp_a_commit() {
    let mut transaction = begin(pinned(1, None, false, false), false);
    transaction.handle_snapshot(NOW, Ok(pinned(2, None, false, false)));
    transaction.commit(NOW, vec![BOTH, BOTH]);
    let batch = send(&mut transaction);
    assert!(
        batch
            .parts
            .iter()
            .all(|part| part.attempt.fence.epoch == e(1))
    );
    // Nor while it waits at a closed guard.
    let current = e(1);
    reply(
        &mut transaction,
        &batch,
        BatchReply::Refused(Refusal::NotReady { current }),
    );
    transaction.handle_snapshot(NOW, Ok(pinned(2, None, false, false)));
    let TransactionStep::Done(outcome) = transaction.poll() else {
        panic!("it goes on under another epoch");
    };
    assert_eq!(outcome.code(), Some(ErrorCode::Retryable));
}

#[test]
fn a_conflict_ends_it_or_begins_it_again() {
    let found_there = Some(v(9));
    let conflict = BatchReply::Conflict {
        part: 0,
        found: found_there,
    };
    for again in [false, true] {
        let mut transaction = begin(pinned(1, None, false, false), again);
        transaction.commit(NOW, vec![Use::default(), BOTH]);
        let batch = send(&mut transaction);
        reply(&mut transaction, &batch, conflict.clone());
        if again {
            reads(&mut transaction);
            continue;
        }
        let (key, found) = (1, found_there);
        let error = TransactionError::Conflict { key, found };
        ends(&mut transaction, &TransactionOutcome::Failed(error));
    }
}

#[test]
fn a_commit_without_an_answer_is_asked_for_and_never_sent_again() {
    for (answers, known) in [
        ([written(3), written(4)], true),
        ([Reply::Missing, written(4)], true),
        ([Reply::Missing, Reply::Missing], false),
    ] {
        let mut transaction = begin(pinned(1, None, false, false), true);
        transaction.commit(NOW, vec![BOTH, BOTH]);
        let batch = send(&mut transaction);
        reply(
            &mut transaction,
            &batch,
            BatchReply::Failed(Failure::MaybeApplied),
        );
        let batch = send(&mut transaction);
        assert!(
            batch
                .parts
                .iter()
                .all(|part| part.attempt.kind == AttemptKind::Confirm)
        );
        reply(&mut transaction, &batch, BatchReply::Done(answers.into()));
        let TransactionStep::Done(outcome) = transaction.poll() else {
            panic!("not over");
        };
        assert_eq!(matches!(outcome, TransactionOutcome::Done { .. }), known);
        assert_eq!(outcome == UNKNOWN, !known);
    }
}

#[test]
fn a_confirmed_row_that_another_write_followed_leaves_a_strict_commit_unknown() {
    let mut transaction = begin(pinned(1, Some(TO), true, false), true);
    transaction.commit(NOW, vec![BOTH, BOTH]);
    let batch = send(&mut transaction);
    reply(
        &mut transaction,
        &batch,
        BatchReply::Failed(Failure::MaybeApplied),
    );
    let batch = send(&mut transaction);
    reply(
        &mut transaction,
        &batch,
        BatchReply::Done(vec![Reply::Missing, written(4)]),
    );
    ends(&mut transaction, &UNKNOWN);
}

#[test]
fn at_the_deadline_it_says_what_is_known() {
    let over = Instant::from_millis(5_000);
    let idle = failed(OperationError::Deadline { last: None });
    let mut transaction = begin(pinned(1, None, false, false), false);
    transaction.commit(over, vec![BOTH, BOTH]);
    ends(&mut transaction, &idle);
    let mut transaction = begin(pinned(1, None, false, false), false);
    transaction.commit(NOW, vec![BOTH, BOTH]);
    let batch = send(&mut transaction);
    transaction.handle_timeout(over);
    ends(&mut transaction, &UNKNOWN);
    let late = transaction.handle_reply(over, batch.id, BatchReply::Done(vec![]));
    assert_eq!(late, Err(UnknownAttempt(batch.id)));
    let mut transaction = begin(pinned(1, Some(TO), true, false), false);
    transaction.commit(NOW, vec![BOTH, BOTH]);
    committed(&mut transaction);
    transaction.handle_timeout(over);
    ends(&mut transaction, &UNKNOWN);
}

#[test]
fn what_is_taken_back_sends_nothing() {
    let mut transaction = begin(pinned(1, Some(TO), true, true), false);
    transaction.roll_back();
    ends(&mut transaction, &TransactionOutcome::RolledBack);
    transaction.commit(NOW, vec![BOTH, BOTH]);
    ends(&mut transaction, &TransactionOutcome::RolledBack);
}

#[test]
fn keys_that_were_parted_are_listed() {
    let mut transaction = begin(pinned(1, None, false, false), true);
    transaction.commit(NOW, vec![BOTH, BOTH]);
    let batch = send(&mut transaction);
    reply(&mut transaction, &batch, stale(2, 2));
    assert!(matches!(
        transaction.poll(),
        TransactionStep::Refresh { .. }
    ));
    let shards = vec![(FROM, vec![0]), (TO, vec![1])];
    let apart = PinError::CrossShard { shards };
    transaction.handle_snapshot(NOW, Err(apart.clone()));
    ends(&mut transaction, &TransactionOutcome::Failed(apart.into()));
}

#[test]
fn a_reply_that_does_not_answer_is_none() {
    let mut transaction =
        Transaction::new(pinned(1, None, false, false), Policy::default(), false, NOW);
    let batch = send(&mut transaction);
    reply(&mut transaction, &batch, BatchReply::Done(vec![found(1)]));
    assert!(matches!(
        transaction.poll(),
        TransactionStep::Refresh { .. }
    ));
}
