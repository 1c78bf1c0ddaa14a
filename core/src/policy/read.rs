//! What a read's reply means: answer, look behind, or repair first.

use crate::ids::{AttemptId, Version};
use crate::step::{Outcome, Reply};

/// What to do after a reply to a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterRead {
    /// Answer.
    Answer(Outcome),
    /// Nothing here, not even a tombstone: ask the second place.
    LookBehind,
    /// Found behind: put it in the first place before answering, row or tombstone.
    Repair {
        /// Its version.
        version: Version,
        /// Whether it was a tombstone.
        deleted: bool,
    },
    /// Not a reply to a read.
    Senseless,
}

/// After a reply from the place that reads go to first; `behind` says whether there is a second.
///
/// A tombstone is a hit: it answers "missing", and nobody looks behind it.
pub(crate) fn after_first(reply: Reply, id: AttemptId, behind: bool) -> AfterRead {
    match reply {
        Reply::Found { version } => AfterRead::Answer(Outcome::Value { from: id, version }),
        Reply::Deleted { .. } => AfterRead::Answer(Outcome::Missing),
        Reply::Missing if behind => AfterRead::LookBehind,
        Reply::Missing => AfterRead::Answer(Outcome::Missing),
        Reply::Written { .. }
        | Reply::Superseded
        | Reply::Conflict { .. }
        | Reply::Refused(_)
        | Reply::Failed(_) => AfterRead::Senseless,
    }
}

/// After a reply from the second place.
///
/// A tombstone is repaired too: were it not, a copy of the row that it deletes, still on its way
/// to the first place, would be seen by the next reader.
pub(crate) fn after_second(reply: Reply) -> AfterRead {
    match reply {
        Reply::Found { version } => AfterRead::Repair {
            version,
            deleted: false,
        },
        Reply::Deleted { version } => AfterRead::Repair {
            version,
            deleted: true,
        },
        Reply::Missing => AfterRead::Answer(Outcome::Missing),
        Reply::Written { .. }
        | Reply::Superseded
        | Reply::Conflict { .. }
        | Reply::Refused(_)
        | Reply::Failed(_) => AfterRead::Senseless,
    }
}
