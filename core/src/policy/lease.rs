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
