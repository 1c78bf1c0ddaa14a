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

/// Which claim of a shard comes after which: the end of a chain that the shard's file and the record
/// both keep. A claim names itself by a number of its own, and the claim that the record knew when
/// it was made.
///
/// A file that was put back to before the claim that the record knows has never heard of it, however
/// much was done to it since; so it can't take up the chain.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Lineage {
    /// The claim before; 0 where none is known.
    pub follows: u64,
    /// The claim, below 2^63; 0 before the first.
    pub claim: u64,
}

impl Lineage {
    /// What a shard keeps that had `self` when the claim `next` comes: that, where it follows one
    /// of the two that the shard has heard of; else what it had.
    ///
    /// It has heard of two, since the answer to the last may never have come to the record.
    ///
    /// ```
    /// use ringshift::migration::Lineage;
    /// let had = Lineage { follows: 4, claim: 7 };
    /// let next = Lineage { follows: 7, claim: 9 };
    /// assert_eq!(had.then(next), next);
    /// let unheard = Lineage { follows: 4, claim: 9 };
    /// assert_eq!(had.then(unheard), unheard, "the record never knew of 7");
    /// let restored = Lineage { follows: 1, claim: 4 };
    /// assert_eq!(restored.then(next), restored, "it has never heard of 7");
    /// ```
    #[must_use]
    pub const fn then(self, next: Self) -> Self {
        if next.follows == self.follows || next.follows == self.claim {
            next
        } else {
            self
        }
    }
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
    /// The claim that this answers, if it follows one that the shard has heard of; else the last
    /// that did.
    pub lineage: Lineage,
}

impl Mark {
    /// Whether a shard that has once said `self` may say `now`: the same file, and no older.
    ///
    /// ```
    /// use ringshift::{ShardId, migration::{Lineage, Mark}};
    /// let lineage = Lineage { follows: 4, claim: 7 };
    /// let then = Mark { shard: ShardId(1), incarnation: [7; 16], answers: 9, shut: false, lineage };
    /// let next = Lineage { follows: 7, claim: 9 };
    /// let now = Mark { answers: 10, lineage: next, ..then };
    /// assert!(then.allows(&now));
    /// assert!(!then.allows(&Mark { answers: 8, ..now }), "restored from a copy");
    /// assert!(!then.allows(&Mark { incarnation: [8; 16], ..now }), "another file");
    /// let before = Lineage { follows: 1, claim: 4 };
    /// assert!(!then.allows(&Mark { lineage: before, ..now }), "it has never heard of claim 7");
    /// ```
    pub fn allows(&self, now: &Self) -> bool {
        // The same claim twice: its answer was lost, or isn't in the record yet.
        let linked = now.lineage.follows == self.lineage.claim || now.lineage == self.lineage;
        self.incarnation == now.incarnation && self.answers <= now.answers && linked
    }
}

/// Puts `mark` in place of what its shard has said before.
pub(crate) fn remember(marks: &mut Vec<Mark>, mark: Mark) {
    match marks.iter_mut().find(|known| known.shard == mark.shard) {
        Some(known) => *known = mark,
        None => marks.push(mark),
    }
}
