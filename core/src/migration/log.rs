//! What a coordinator writes down beside the snapshot: intent and cursors, nothing more.
//!
//! The snapshot and the guards decide what has happened. The log says what was meant, so that a
//! successor goes on toward it, and how far copying had come, so that it needn't begin again.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::ids::{DomainId, Epoch, KeyspaceId, Revision, ShardId, SlotRange};
use crate::migration::checklist::Checklist;
use crate::migration::moves::Move;
use crate::migration::plan::Strategy;
use crate::migration::settings::Settings;
use crate::scope::Match;
use crate::snapshot::{Digest, Shard};
use crate::wave::gaps;

/// The log. An empty one means that no migration is under way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Log {
    /// The epoch that the plan was made from: it begins at no other.
    pub base: Epoch,
    /// The snapshot that the plan was made from; `None` where only the epoch is known.
    pub digest: Option<Digest>,
    /// The strategy that the plan follows, for reports.
    pub strategy: Strategy,
    /// What every coordinator of this migration goes by; `None` until one begins it.
    pub settings: Option<Box<Settings>>,
    /// Which way the migration goes.
    pub wish: Wish,
    /// Why it goes back or is paused, or why a wave has stepped back last.
    pub reason: String,
    /// Why it goes back, from when that was wished on. A pause on the way keeps it: who goes on with
    /// a migration that was turned round goes on backwards.
    pub back: Option<String>,
    /// The shards as they are to be, until the snapshot has them: new ones, new weights, draining.
    pub enlist: Option<Vec<Shard>>,
    /// The shards as they were, to go back to.
    pub before: Option<Vec<Shard>>,
    /// Shards to strike off the list when all waves are over.
    pub delist: Vec<ShardId>,
    /// Whether the rollback window is over: what is left only finishes.
    pub finishing: bool,
    /// Whether a wave has ended for good, so that going back no longer restores the shards' list.
    pub kept: bool,
    /// Keyspaces that get more slots, and their bits.
    pub grow: Vec<(KeyspaceId, u8)>,
    /// Whether somebody has agreed to the point of no return.
    pub finish_agreed: bool,
    /// What people have said about the risks.
    pub checklist: Checklist,
    /// The waves that haven't begun, in their order.
    pub planned: Vec<PlannedWave>,
    /// The barrier that was begun.
    pub intent: Option<Intent>,
    /// How far copying has come.
    pub cursors: Vec<Cursor>,
}

/// Which way a migration goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wish {
    /// Toward its end.
    #[default]
    Forward,
    /// Back to where it began.
    Back,
    /// Neither: stay where it is. Any phase is a safe place to stay. Which way it went, and goes when
    /// it is resumed, [`Log::back`] says.
    Pause,
}

/// A wave that hasn't begun.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PlannedWave {
    /// The keyspace.
    pub keyspace: KeyspaceId,
    /// The shard that the slots leave.
    pub from: ShardId,
    /// The shard that they go to.
    pub to: ShardId,
    /// The slots, in runs.
    #[serde(with = "gaps")]
    pub slots: Vec<SlotRange>,
    /// Which keys of those slots move; `None`: all that no override holds.
    pub matches: Option<Match>,
    /// The override that the keys are carved from; `None`: the home of `from`.
    pub origin: Option<DomainId>,
    /// Whether the keys become an override to `to` at the end; else they join its home.
    pub pins: bool,
}

/// A barrier that was begun, for a successor to finish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Intent {
    /// The wave.
    pub domain: DomainId,
    /// What it was to do.
    pub goal: Move,
}

/// How far a wave's copying has come: everything up to a revision of the authority is on the
/// mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cursor {
    /// The wave.
    pub domain: DomainId,
    /// The authority epoch that the cursor belongs to; it means nothing under another.
    pub since: Epoch,
    /// The revision.
    pub at: Revision,
}

impl Log {
    /// The bytes to keep.
    pub fn encode(&self) -> Vec<u8> {
        // Plain data without maps or floats: postcard can't refuse it.
        postcard::to_allocvec(self).unwrap_or_default()
    }

    /// Reads what [`encode`](Self::encode) wrote; `None` for anything else.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        postcard::from_bytes(bytes).ok()
    }

    /// Whether somebody's wishes and words are the same in both.
    pub(crate) fn says(&self, other: &Self) -> bool {
        let said = |log: &Self| (log.wish, log.finish_agreed);
        said(self) == said(other) && self.reason == other.reason && self.back == other.back
    }

    /// Where to go on copying for `domain` under the authority named at `since`.
    pub fn cursor(&self, domain: DomainId, since: Epoch) -> Revision {
        self.cursors
            .iter()
            .find(|cursor| cursor.domain == domain && cursor.since == since)
            .map_or(Revision(0), |cursor| cursor.at)
    }

    /// Remembers a cursor in place of the wave's former one.
    pub fn set_cursor(&mut self, domain: DomainId, since: Epoch, at: Revision) {
        self.cursors.retain(|cursor| cursor.domain != domain);
        self.cursors.push(Cursor { domain, since, at });
    }

    /// Forgets what was kept of a wave that is over.
    pub fn forget(&mut self, domain: DomainId) {
        self.cursors.retain(|cursor| cursor.domain != domain);
        if self.intent.is_some_and(|intent| intent.domain == domain) {
            self.intent = None;
        }
    }
}
