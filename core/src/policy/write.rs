//! What a write's replies mean: when it is done, and when its outcome is not known.

use crate::guard::{Fence, Refusal};
use crate::ids::{Epoch, ShardId, Version};
use crate::policy::retry::BackoffClass;
use crate::route::Plan;

/// A write that its authority has accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Accepted {
    /// The version it got.
    pub(crate) version: Version,
    /// Who accepted it.
    pub(crate) authority: ShardId,
    /// Who is to mirror it.
    pub(crate) mirror: ShardId,
    /// Under which domain and epoch. A mirror write is never stamped with another.
    pub(crate) fence: Fence,
}

/// What to do after an authority has accepted a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterAccept {
    /// Answer; there is no mirror.
    Done,
    /// Answer, and send the mirror write without waiting for it.
    DoneThenMirror(Accepted),
    /// Answer when the mirror has it too.
    MirrorFirst(Accepted),
}

/// The ack rule of the plan's phase.
pub(crate) fn after_accept(plan: &Plan, version: Version) -> AfterAccept {
    let Some(mirror) = plan.mirror else {
        return AfterAccept::Done;
    };
    let accepted = Accepted {
        version,
        authority: plan.authority,
        mirror,
        fence: plan.fence,
    };
    if plan.strict {
        AfterAccept::MirrorFirst(accepted)
    } else {
        AfterAccept::DoneThenMirror(accepted)
    }
}

/// What to do when a mirror has refused what the authority accepted, and the ack rule waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MirrorRefused {
    /// A drain has carried the write to the mirror: done.
    Drained,
    /// See whether the mirror has gone altogether: get a snapshot past this epoch, then ask
    /// [`after_refresh`].
    Refresh {
        /// The epoch to get past.
        newer_than: Epoch,
    },
    /// Wait, and send the same again.
    BackOff(BackoffClass),
}

/// Decides about a mirror's refusal.
#[deny(clippy::wildcard_enum_match_arm)]
pub(crate) fn mirror_refused(accepted: &Accepted, refusal: Refusal) -> MirrorRefused {
    match refusal {
        // Rule (a): the barrier that led to an epoch above ours copied everything that the
        // authority had accepted before it closed, ours among it.
        Refusal::StaleEpoch { drained, .. } if drained > accepted.fence.epoch => {
            MirrorRefused::Drained
        }
        Refusal::StaleEpoch { current, .. } => MirrorRefused::Refresh {
            newer_than: Epoch::new(current.get().saturating_sub(1)).unwrap_or(Epoch::ZERO),
        },
        Refusal::NotReady { .. } | Refusal::NotOwner | Refusal::WrongRole { .. } => {
            MirrorRefused::BackOff(BackoffClass::NotReady)
        }
        Refusal::LeaseOver { .. } => MirrorRefused::BackOff(BackoffClass::Lease),
        Refusal::StaleTerm { .. } => MirrorRefused::BackOff(BackoffClass::Unavailable),
    }
}

/// Whether a write that a mirror refused undrained is done by the newer plan.
///
/// Rule (c): there is no mirror any more, and the shard that accepted the write is still the one
/// that orders them. Otherwise its outcome is not known.
pub(crate) fn after_refresh(accepted: &Accepted, plan: &Plan) -> bool {
    plan.mirror.is_none() && plan.authority == accepted.authority
}
