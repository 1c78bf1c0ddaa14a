use super::*;
use crate::guard::{Fence, Refusal};
use crate::ids::{DomainId, Epoch, KeyspaceId, Slot};
use crate::route::ReadPlace;

const AUTHORITY: ShardId = ShardId(1);
const MIRROR: ShardId = ShardId(2);

fn shadow() -> Shadow {
    let plan = Plan {
        snapshot: Epoch::FIRST,
        keyspace: KeyspaceId(0),
        slot: Slot(0),
        stored_slot: 0,
        fence: Fence {
            domain: DomainId(3),
            epoch: Epoch::FIRST,
        },
        authority: AUTHORITY,
        mirror: Some(MIRROR),
        read: ReadPlace::One(AUTHORITY),
        strict: false,
        shadow: Some(MIRROR),
        leased: None,
    };
    let shadow = Shadow::of(&plan, &Policy::default(), Instant::ZERO);
    shadow.unwrap_or_else(|| unreachable!("the key is sampled"))
}

fn found(counter: u32) -> Reply {
    Reply::Found {
        version: Version::new(Epoch::FIRST, counter),
    }
}

/// Plays replies in the order in which reads go out, each with the shard it must go to.
fn play(replies: &[(ShardId, Reply, Option<u64>)]) -> Compared {
    let mut shadow = shadow();
    let mut replies = replies.iter();
    loop {
        match shadow.poll() {
            ShadowStep::Send(attempt) => {
                let Some(&(shard, reply, digest)) = replies.next() else {
                    unreachable!("one read too many: {attempt:?}");
                };
                assert_eq!(attempt.shard, shard);
                shadow.handle_reply(Instant::ZERO, attempt.id, reply, digest);
                // A repeat changes nothing.
                let before = shadow.clone();
                shadow.handle_reply(Instant::ZERO, attempt.id, Reply::Missing, None);
                assert_eq!(shadow, before);
            }
            ShadowStep::Wait { until } => shadow.handle_timeout(until),
            ShadowStep::Done(compared) => {
                assert_eq!(replies.len(), 0, "reads that were not made");
                return compared;
            }
        }
    }
}

#[test]
fn equal_rows_and_equal_absence_are_the_same() {
    let row = (found(1), Some(7));
    assert_eq!(
        play(&[(AUTHORITY, row.0, row.1), (MIRROR, row.0, row.1)]),
        Compared::Same
    );
    let none = (Reply::Missing, None);
    assert_eq!(
        play(&[(AUTHORITY, none.0, none.1), (MIRROR, none.0, none.1)]),
        Compared::Same
    );
}

#[test]
fn race_18_a_late_mirror_is_no_mismatch() {
    let looks = [
        (AUTHORITY, found(2), Some(7)),
        (MIRROR, found(1), Some(6)),
        (MIRROR, found(2), Some(7)),
        (AUTHORITY, found(2), Some(7)),
    ];
    assert_eq!(play(&looks), Compared::Same);
}

#[test]
fn race_18_a_difference_that_lasts_is_a_mismatch() {
    for (reply, digest, kind) in [
        (Reply::Missing, None, MismatchKind::Missing),
        (found(1), Some(6), MismatchKind::Stale),
        (found(2), Some(8), MismatchKind::Different),
    ] {
        let looks = [
            (AUTHORITY, found(2), Some(7)),
            (MIRROR, reply, digest),
            (MIRROR, reply, digest),
            (AUTHORITY, found(2), Some(7)),
        ];
        assert_eq!(play(&looks), Compared::Mismatch(kind));
    }
}

#[test]
fn race_18_a_row_that_keeps_changing_is_not_judged() {
    let mut looks = alloc::vec![(AUTHORITY, found(1), Some(1)), (MIRROR, found(0), Some(0))];
    for look in 2..=u32::from(LOOKS_MAX) {
        looks.push((MIRROR, found(0), Some(0)));
        looks.push((AUTHORITY, found(look), Some(look.into())));
    }
    assert_eq!(play(&looks), Compared::Unsure);
}

#[test]
fn a_refusal_or_the_deadline_ends_it() {
    let refused = Reply::Refused(Refusal::NotOwner);
    assert_eq!(play(&[(AUTHORITY, refused, None)]), Compared::Unsure);
    let mut late = shadow();
    let ShadowStep::Send(_) = late.poll() else {
        unreachable!("the first read")
    };
    late.handle_timeout(Instant::from_millis(5_000));
    assert_eq!(late.poll(), ShadowStep::Done(Compared::Unsure));
}
