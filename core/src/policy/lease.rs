//! What stands in for the guard at shards that check no fence: the lease, and the newer snapshot.

use crate::policy::write::{Accepted, after_refresh};
use crate::route::{Leased, Plan};
use crate::time::Instant;

/// Whether an attempt may begin now: within the lease, and no write while they are paused.
// INVARIANT (one map behind): no attempt begins when its lease is over, so that after a change of
// the map nobody acts by the former one for longer than the coordinator waits.
pub(crate) fn holds(leased: &Leased, writes: bool, now: Instant) -> bool {
    now < leased.until && !(writes && leased.switching)
}

/// What a newer plan says of a mirror write that is still to be confirmed: where a guard would have
/// refused it, the snapshot must.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MirrorMoved {
    /// Nothing: it goes on under its own stamp.
    No,
    /// A drain has carried it, or there is no mirror any more.
    Done,
    /// It may be on the new authority, or not.
    Unknown,
}

/// Compares `accepted` with the newer plan of its key. The rules are those for a mirror that refuses.
pub(crate) fn mirror_moved(accepted: &Accepted, plan: &Plan) -> MirrorMoved {
    let same_wave = plan.fence.domain == accepted.fence.domain;
    if plan.fence == accepted.fence && plan.mirror == Some(accepted.mirror) {
        return MirrorMoved::No;
    }
    let drained = plan
        .leased
        .is_some_and(|l| l.drained > accepted.fence.epoch);
    if (same_wave && drained) || after_refresh(accepted, plan) {
        MirrorMoved::Done
    } else {
        MirrorMoved::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::Fence;
    use crate::ids::{DomainId, Epoch, KeyspaceId, ShardId, Slot, Version};
    use crate::route::ReadPlace;

    const FROM: ShardId = ShardId(1);
    const TO: ShardId = ShardId(2);

    fn e(n: u32) -> Epoch {
        Epoch::new(n).unwrap_or(Epoch::MAX)
    }

    fn leased(until: u64, switching: bool, drained: u32) -> Leased {
        Leased {
            until: Instant::from_millis(until),
            lease_ms: 1_000,
            attempt_ms: 100,
            switching,
            drained: e(drained),
            authority_epoch: Epoch::FIRST,
            in_wave: true,
        }
    }

    #[test]
    fn nothing_begins_when_a_lease_is_over_and_no_write_while_they_are_paused() {
        let now = Instant::from_millis(7);
        for (until, switching, reads, writes) in [
            (6, false, false, false),
            (7, false, false, false),
            (8, false, true, true),
            (8, true, true, false),
        ] {
            let leased = leased(until, switching, 0);
            assert_eq!(holds(&leased, false, now), reads, "{leased:?}");
            assert_eq!(holds(&leased, true, now), writes, "{leased:?}");
        }
    }

    #[test]
    fn a_newer_map_says_what_a_guard_would_have() {
        let fence = |domain, epoch| Fence {
            domain: DomainId(domain),
            epoch: e(epoch),
        };
        let accepted = Accepted {
            version: Version::ZERO,
            authority: FROM,
            mirror: TO,
            fence: fence(3, 5),
        };
        for (fence, authority, mirror, drained, moved) in [
            (fence(3, 5), FROM, Some(TO), 0, MirrorMoved::No),
            (fence(3, 5), FROM, None, 0, MirrorMoved::Done),
            (fence(3, 6), TO, Some(FROM), 6, MirrorMoved::Done),
            (fence(3, 6), FROM, Some(TO), 6, MirrorMoved::Done),
            (fence(3, 6), FROM, Some(TO), 5, MirrorMoved::Unknown),
            (fence(3, 6), FROM, Some(TO), 4, MirrorMoved::Unknown),
            (fence(3, 6), FROM, None, 4, MirrorMoved::Done),
            (fence(4, 6), FROM, Some(TO), 6, MirrorMoved::Unknown),
            (fence(4, 6), FROM, None, 0, MirrorMoved::Done),
            (fence(4, 6), TO, None, 0, MirrorMoved::Unknown),
        ] {
            let plan = Plan {
                snapshot: e(9),
                keyspace: KeyspaceId(0),
                slot: Slot(0),
                stored_slot: 0,
                fence,
                authority,
                mirror,
                read: ReadPlace::One(authority),
                strict: true,
                shadow: None,
                leased: Some(leased(8, false, drained)),
            };
            assert_eq!(mirror_moved(&accepted, &plan), moved, "{plan:?}");
        }
    }
}
