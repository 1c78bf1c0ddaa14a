//! What a coordinator asks of the world, and what the world answers: data only.
//!
//! Every command may be repeated: the runner resends one whose answer was lost. Rows never pass
//! through the core; a chunk of them stays with the runner under its number.

use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::guard::{Fence, GuardRow, InstallRow, Refusal};
use crate::hash::xxh3;
use crate::ids::{DomainId, Epoch, KeyspaceId, Revision, ShardId, Slot, Term, Version};
use crate::migration::log::Log;
use crate::migration::request::{Lineage, Mark, Request, Requested};
use crate::snapshot::{EditError, Snapshot};

/// Names one command to its answer.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct CommandId(pub u32);

/// A chunk of rows that the runner holds between reading and applying them.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct ChunkId(pub u32);

/// One thing to do, at the topology store or at a shard.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// Topology store: take office. Raise the stored term to `term` if it is lower, and keep
    /// `nonce`; the same term again is led only by the same nonce, or when nobody has led it yet.
    /// [`Answer::Loaded`] or [`Answer::TermLost`].
    Lead {
        /// The new term.
        term: Term,
        /// Tells this coordinator from every other; 0 for one that trusts its term to be its own.
        #[serde(default)]
        nonce: u64,
    },
    /// Topology store: if it still holds `term`, raise the beat by one, durably, and forget the
    /// request numbered `heard`. [`Answer::Renewed`] or [`Answer::TermLost`].
    Renew {
        /// The coordinator's term.
        term: Term,
        /// The number of the last request that was seen to; 0 before the first.
        heard: u64,
        /// What shards have lately said of themselves, to be remembered in place of what they
        /// said before.
        marks: Vec<Mark>,
    },
    /// Topology store, by anybody: ask the coordinator for something. [`Answer::Requested`], or
    /// [`Answer::Busy`] while another request waits.
    Ask {
        /// For what.
        request: Request,
    },
    /// Topology store: if it still holds `expected` and `term`, put the snapshot and the log,
    /// in one durable step. [`Answer::Swapped`] (also when exactly this snapshot is already
    /// there), [`Answer::EpochLost`], [`Answer::TermLost`] or [`Answer::Unsafe`].
    Swap {
        /// The epoch that the new snapshot was made from.
        expected: Epoch,
        /// The coordinator's term.
        term: Term,
        /// The new snapshot.
        snapshot: Arc<Snapshot>,
        /// The log that goes with it.
        log: Log,
    },
    /// Topology store: if it still holds `term`, put the log, durably. [`Answer::Logged`] or
    /// [`Answer::TermLost`].
    SaveLog {
        /// The coordinator's term.
        term: Term,
        /// Intent and cursors.
        log: Log,
    },
    /// Shard: remember the term durably, and what [`Lineage::then`] makes of this claim.
    /// [`Answer::Claimed`] or [`Answer::Refused`].
    Claim {
        /// The shard.
        shard: ShardId,
        /// The coordinator's term.
        term: Term,
        /// The claim's own number, and that of the claim which the record knows.
        #[serde(default)]
        lineage: Lineage,
    },
    /// Shard: [`Answer::Guards`].
    Guards {
        /// The shard.
        shard: ShardId,
    },
    /// Shard: install rows in one durable step. [`Answer::Done`] or [`Answer::Refused`].
    Install {
        /// The shard.
        shard: ShardId,
        /// The coordinator's term.
        term: Term,
        /// The rows of one transition.
        rows: Vec<InstallRow>,
    },
    /// Shard: close the fence's domain at exactly its epoch, durably. [`Answer::Closed`] with the
    /// row as it is, or [`Answer::Refused`].
    Close {
        /// The shard.
        shard: ShardId,
        /// The coordinator's term.
        term: Term,
        /// Domain and epoch.
        fence: Fence,
    },
    /// Shard: what time is it by your clock? [`Answer::Time`].
    Time {
        /// The shard.
        shard: ShardId,
    },
    /// Shard: answer the application's reads of the fence's domain for `lease_ms` after `asked`;
    /// see [`grant`](crate::grant). [`Answer::Done`] or [`Answer::Refused`].
    Grant {
        /// The shard.
        shard: ShardId,
        /// The coordinator's term.
        term: Term,
        /// Domain and epoch.
        fence: Fence,
        /// What the shard's clock said when it was asked.
        asked: u64,
        /// Milliseconds.
        lease_ms: u32,
    },
    /// Shard: refuse everything, or no longer, durably. [`Answer::Done`] or [`Answer::Refused`].
    Shut {
        /// The shard.
        shard: ShardId,
        /// The coordinator's term.
        term: Term,
        /// Whether it is to be shut.
        shut: bool,
    },
    /// Shard: the revision of its last change, checked as a read of the fence's domain.
    /// [`Answer::Revision`] or [`Answer::Refused`].
    Revision {
        /// The shard.
        shard: ShardId,
        /// Domain and epoch.
        fence: Fence,
    },
    /// Shard: read the newest state of the domain's rows changed after `after`, tombstones too, in
    /// the order of revisions, and keep them as `chunk`; checked as a read. [`Answer::Changes`] or
    /// [`Answer::Refused`].
    Changes {
        /// The shard.
        shard: ShardId,
        /// Domain and epoch.
        fence: Fence,
        /// The cursor.
        after: Revision,
        /// Rows at most.
        limit: u32,
        /// The number to keep them under.
        chunk: ChunkId,
    },
    /// Shard: put each row of `chunk` if newer, checked as a copy. [`Answer::Done`] only when
    /// every row was put or superseded; else [`Answer::Refused`].
    Apply {
        /// The shard.
        shard: ShardId,
        /// The coordinator's term.
        term: Term,
        /// Domain and epoch.
        fence: Fence,
        /// The rows.
        chunk: ChunkId,
    },
    /// Shard: remove up to `limit` rows that the domain holds here, tombstones too, and raise the
    /// floor of their slots; checked as a purge. [`Answer::Removed`] or [`Answer::Refused`].
    Purge {
        /// The shard.
        shard: ShardId,
        /// The coordinator's term.
        term: Term,
        /// Domain and epoch.
        fence: Fence,
        /// Rows at most.
        limit: u32,
        /// Whether the domain lets go of the intervals that it holds here, in one step with its
        /// last row: it is over, and they would hide whoever is around them.
        release: bool,
    },
    /// Shard: how many rows, tombstones too, the domain holds here. [`Answer::Rows`].
    Count {
        /// The shard.
        shard: ShardId,
        /// Domain and epoch.
        fence: Fence,
    },
    /// Shard: remove up to `limit` tombstones that the domain holds here, raising the floor of
    /// their slots; checked as a collect. [`Answer::Removed`] or [`Answer::Refused`].
    Collect {
        /// The shard.
        shard: ShardId,
        /// The coordinator's term.
        term: Term,
        /// Domain and epoch.
        fence: Fence,
        /// Rows at most.
        limit: u32,
    },
    /// Shard: a digest of each slot of the domain that isn't empty; checked as a read. Found by
    /// walking slots, not revisions, so that the copier's mistakes can't hide here.
    /// [`Answer::Digests`] or [`Answer::Refused`].
    Digests {
        /// The shard.
        shard: ShardId,
        /// Domain and epoch.
        fence: Fence,
    },
    /// Shard: each key that the domain holds in these slots; checked as a read. [`Answer::Keys`]
    /// or [`Answer::Refused`].
    Keys {
        /// The shard.
        shard: ShardId,
        /// Domain and epoch.
        fence: Fence,
        /// The keyspace.
        keyspace: KeyspaceId,
        /// The slots.
        slots: Vec<Slot>,
    },
    /// Shard: of the keys that the domain holds in these slots, the `limit` whose
    /// [`xxh3`] under `seed` is lowest; checked as a read. [`Answer::Keys`] or
    /// [`Answer::Refused`].
    Sample {
        /// The shard.
        shard: ShardId,
        /// Domain and epoch.
        fence: Fence,
        /// The keyspace.
        keyspace: KeyspaceId,
        /// The slots.
        slots: Vec<Slot>,
        /// What decides between the keys.
        seed: u64,
        /// Keys at most.
        limit: u32,
    },
    /// Shard: of these keys, those that the domain holds here; checked as a read.
    /// [`Answer::Keys`] or [`Answer::Refused`].
    Look {
        /// The shard.
        shard: ShardId,
        /// Domain and epoch.
        fence: Fence,
        /// The keyspace.
        keyspace: KeyspaceId,
        /// The slots that the keys are in, sorted.
        slots: Vec<Slot>,
        /// The keys, sorted.
        keys: Vec<Vec<u8>>,
    },
}

/// What the world answers to a [`Command`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Done, durably.
    Done,
    /// The topology store as it is: answers [`Command::Lead`].
    Loaded {
        /// The snapshot in force.
        snapshot: Arc<Snapshot>,
        /// The log beside it.
        log: Log,
        /// What shards have said of themselves.
        #[serde(default)]
        marks: Vec<Mark>,
    },
    /// The lead is renewed.
    Renewed {
        /// What somebody asks for, if anybody does.
        request: Option<Requested>,
    },
    /// The request waits for the coordinator, under this number.
    Requested {
        /// Its number.
        number: u64,
    },
    /// Another request waits.
    Busy {
        /// Its number.
        number: u64,
    },
    /// The snapshot is in force.
    Swapped,
    /// Another snapshot is in force.
    EpochLost {
        /// Its epoch.
        current: Epoch,
    },
    /// The swap would be wrong for clients that act by the snapshot in force, which stays.
    Unsafe(EditError),
    /// Another coordinator is in office.
    TermLost {
        /// Its term.
        current: Term,
    },
    /// The log is kept.
    Logged,
    /// The shard has the term, and says this of itself.
    Claimed(Mark),
    /// What the shard's clock says, in milliseconds since whenever it counts from.
    Time(u64),
    /// The guard rows of a shard.
    Guards(Vec<GuardRow>),
    /// The guard row after a close; `None` where the domain isn't known.
    Closed(Option<GuardRow>),
    /// The revision of the shard's last change.
    Revision(Revision),
    /// A chunk was read.
    Changes {
        /// How many rows it has.
        rows: u32,
        /// Everything of the domain up to this revision is now read.
        upto: Revision,
        /// Whether there was nothing more at the time.
        end: bool,
    },
    /// Rows were removed.
    Removed {
        /// How many.
        rows: u32,
        /// Whether none are left.
        end: bool,
    },
    /// How many rows there are.
    Rows(u64),
    /// The digests of the slots that aren't empty, by slot.
    Digests(Vec<SlotDigest>),
    /// The keys, sorted.
    Keys(Vec<KeyDigest>),
    /// The guard refused.
    Refused(Refusal),
    /// No answer: the shard or store can't be reached. The command may have been carried out.
    Unreachable,
}

/// What a slot holds, in one number: the same on two shards that hold the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SlotDigest {
    /// The slot.
    pub slot: Slot,
    /// Rows and tombstones.
    pub rows: u64,
    /// The sum of the rows' [digests](crate::digest::row_digest), wrapping.
    pub sum: u64,
}

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KeyDigest {
    /// The key.
    pub key: Vec<u8>,
    /// The version of its row or tombstone.
    pub version: Version,
    /// Its [digest](crate::digest::row_digest).
    pub digest: u64,
}

/// The keys that [`Command::Sample`] asks for, out of all those that its slots hold.
pub fn sample(mut keys: Vec<KeyDigest>, seed: u64, limit: u32) -> Vec<KeyDigest> {
    keys.sort_by_cached_key(|digest| xxh3(&digest.key, seed));
    keys.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    keys.sort_unstable();
    keys
}

impl Command {
    /// The shard that the command goes to; `None` for the topology store.
    pub const fn shard(&self) -> Option<ShardId> {
        match self {
            Self::Lead { .. }
            | Self::Renew { .. }
            | Self::Ask { .. }
            | Self::Swap { .. }
            | Self::SaveLog { .. } => None,
            Self::Time { shard }
            | Self::Grant { shard, .. }
            | Self::Shut { shard, .. }
            | Self::Claim { shard, .. }
            | Self::Guards { shard }
            | Self::Install { shard, .. }
            | Self::Close { shard, .. }
            | Self::Revision { shard, .. }
            | Self::Changes { shard, .. }
            | Self::Apply { shard, .. }
            | Self::Purge { shard, .. }
            | Self::Count { shard, .. }
            | Self::Collect { shard, .. }
            | Self::Digests { shard, .. }
            | Self::Keys { shard, .. }
            | Self::Sample { shard, .. }
            | Self::Look { shard, .. } => Some(*shard),
        }
    }

    /// The domain that the command is about, where there is one.
    pub const fn domain(&self) -> Option<DomainId> {
        match self {
            Self::Lead { .. }
            | Self::Renew { .. }
            | Self::Ask { .. }
            | Self::Swap { .. }
            | Self::SaveLog { .. }
            | Self::Claim { .. }
            | Self::Time { .. }
            | Self::Shut { .. }
            | Self::Guards { .. }
            | Self::Install { .. } => None,
            Self::Grant { fence, .. }
            | Self::Close { fence, .. }
            | Self::Revision { fence, .. }
            | Self::Changes { fence, .. }
            | Self::Apply { fence, .. }
            | Self::Purge { fence, .. }
            | Self::Count { fence, .. }
            | Self::Collect { fence, .. }
            | Self::Digests { fence, .. }
            | Self::Keys { fence, .. }
            | Self::Sample { fence, .. }
            | Self::Look { fence, .. } => Some(fence.domain),
        }
    }
}
