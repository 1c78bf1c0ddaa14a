//! What an operation's next attempt is for.

use crate::guard::Fence;
use crate::ids::{AttemptId, ShardId, Version};
use crate::policy::write::Accepted;
use crate::route::{Plan, ReadPlace};
use crate::step::{AttemptKind, Payload};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Goal {
    /// Read from where reads go first.
    Read,
    /// Read from behind it.
    LookBehind,
    /// Put what was found behind into the first place.
    Repair {
        found: AttemptId,
        version: Version,
        deleted: bool,
    },
    /// Carry out the caller's write.
    Write,
    /// Ask whether the caller's write was the row's last.
    Confirm,
    /// Put an accepted write on its mirror.
    Mirror(Accepted),
    /// Put what a refused put-if has seen into the place that reads go to.
    Push { found: AttemptId, version: Version },
}

impl Goal {
    /// Where an operation begins again under another plan.
    ///
    /// A repair is never stamped with a newer epoch: the read starts again. A mirror write keeps
    /// the stamp of its acceptance, whatever the plan.
    pub(super) const fn restart(self) -> Self {
        match self {
            Self::Read | Self::LookBehind | Self::Repair { .. } => Self::Read,
            Self::Write | Self::Push { .. } => Self::Write,
            Self::Confirm => Self::Confirm,
            Self::Mirror(accepted) => Self::Mirror(accepted),
        }
    }

    /// Where the attempt goes, what its guard checks, and what it does.
    pub(super) const fn request(self, plan: &Plan) -> (ShardId, Fence, AttemptKind) {
        let (first, second) = match plan.read {
            ReadPlace::One(shard) => (shard, shard),
            ReadPlace::Fallback { first, second } => (first, second),
        };
        match self {
            Self::Read => (first, plan.fence, AttemptKind::Read),
            Self::LookBehind => (second, plan.fence, AttemptKind::Read),
            Self::Write => (plan.authority, plan.fence, AttemptKind::Write),
            Self::Confirm => (plan.authority, plan.fence, AttemptKind::Confirm),
            Self::Repair { found, version, .. } | Self::Push { found, version } => {
                let payload = Payload::FoundBy(found);
                (first, plan.fence, AttemptKind::Apply { version, payload })
            }
            Self::Mirror(accepted) => {
                let kind = AttemptKind::Apply {
                    version: accepted.version,
                    payload: Payload::Own,
                };
                (accepted.mirror, accepted.fence, kind)
            }
        }
    }
}
