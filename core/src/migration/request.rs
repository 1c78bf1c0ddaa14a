//! What stands in the topology store beside snapshot and log: what others ask the coordinator for,
//! and what shards have said of themselves.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::ids::ShardId;
use crate::migration::log::Log;

/// What anybody may ask the coordinator in office for. It is picked up within a beat.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(
    clippy::large_enum_variant,
    reason = "a log goes by once a move; a box would be in everybody's way"
)]
pub enum Request {
    /// Begin this migration. Ignored while another is under way, or when the plan is outdated.
    Begin(Log),
    /// Stop after the present move, in a safe state.
    Pause {
        /// Why.
        reason: String,
    },
    /// Go on with a paused migration.
    Resume,
    /// Take everything back to where it began.
    RollBack {
        /// Why.
        reason: String,
    },
    /// Take a shard back that was shut because its file is older than it was. What it lost is lost:
    /// the operator has looked, and says so.
    Readmit {
        /// The shard.
        shard: ShardId,
    },
    /// Go past the point of no return, where the settings ask for somebody's word.
    AgreeToFinish,
}

/// A request that waits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Requested {
    /// Its number: higher than those of all before.
    pub number: u64,
    /// The request.
    pub request: Request,
}

/// What tells one shard's file from another, and from an older state of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Mark {
    /// The shard.
    pub shard: ShardId,
    /// Drawn when its file was made.
    pub incarnation: [u8; 16],
    /// How many answers it has given that had to be on disk first. A claim is one.
    pub answers: u64,
    /// Whether it is shut.
    pub shut: bool,
}

impl Mark {
    /// Whether a shard that has once said `self` may say `now`: the same file, and no older.
    ///
    /// ```
    /// use ringshift::{ShardId, migration::Mark};
    /// let then = Mark { shard: ShardId(1), incarnation: [7; 16], answers: 9, shut: false };
    /// assert!(then.allows(&Mark { answers: 10, ..then }));
    /// assert!(!then.allows(&Mark { answers: 8, ..then }), "restored from a copy");
    /// assert!(!then.allows(&Mark { incarnation: [8; 16], ..then }), "another file");
    /// ```
    pub fn allows(&self, now: &Self) -> bool {
        self.incarnation == now.incarnation && self.answers <= now.answers
    }
}

/// Puts `mark` in place of what its shard has said before.
pub(crate) fn remember(marks: &mut Vec<Mark>, mark: Mark) {
    match marks.iter_mut().find(|known| known.shard == mark.shard) {
        Some(known) => *known = mark,
        None => marks.push(mark),
    }
}
