//! Refuses a plan that isn't one for this snapshot: made from another, or written by somebody.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::ids::{KeyspaceId, SLOT_BITS_MAX};
use crate::migration::log::Log;
use crate::migration::plan::Plan;
use crate::migration::plan::error::PlanError;
use crate::migration::plan::wish::Changes;
use crate::migration::transition;
use crate::snapshot::{ShardState, Snapshot, TopologyError, limits};

impl Plan {
    /// Whether `snapshot` is the one that the plan was made from, and whether it can be carried out:
    /// every wave of known shards and keyspaces, of slots that its first shard has, and of none that
    /// another wave has.
    ///
    /// # Errors
    /// [`PlanError::Outdated`] for another snapshot, [`PlanError::Forged`] for a plan that no
    /// planner makes.
    pub fn check(&self, snapshot: &Snapshot) -> Result<(), PlanError> {
        let log = &self.log;
        let same = self.cluster == snapshot.cluster()
            && self.digest == snapshot.digest()
            && log.base == snapshot.epoch()
            && log.digest == Some(self.digest);
        if !same {
            return Err(PlanError::Outdated {
                cluster: self.cluster.clone(),
                epoch: log.base,
                digest: self.digest,
            });
        }
        if self.waves.len() != log.planned.len() || log.strategy != self.strategy {
            return Err(forged("its figures are of other waves"));
        }
        check_log(snapshot, log)
    }
}

/// The same for what a coordinator is handed: everything that its moves will need is tried on the
/// snapshot, without publishing any of it.
pub(crate) fn check_log(snapshot: &Snapshot, log: &Log) -> Result<(), PlanError> {
    let begun = log.intent.is_some() || !log.cursors.is_empty() || log.finishing || log.kept;
    if begun {
        return Err(forged("it has begun already"));
    }
    let shards = log.enlist.as_ref().unwrap_or(&snapshot.content().shards);
    let rule = |error: TopologyError| forged(&error.to_string());
    let listed = transition::enlist(snapshot, shards).map_err(rule)?;
    let listed = Snapshot::build(listed).map_err(rule)?;
    let edited = snapshot.check_edit(&listed);
    edited.map_err(|error| rule(error.into()))?;
    let draining = |id| {
        let shard = listed.shard(id);
        shard.is_some_and(|shard| shard.state == ShardState::Draining)
    };
    if log.planned.iter().any(|wave| draining(wave.to)) {
        return Err(forged("a wave goes to a shard that takes no slots"));
    }
    if log.delist.iter().any(|&shard| !draining(shard)) {
        return Err(forged("it strikes off a shard that isn't drained"));
    }
    // All of them together: no slot is in two.
    for waves in log.planned.chunks(limits::WAVES_MAX) {
        let mut draft = listed.next_draft().map_err(rule)?;
        for wave in waves {
            transition::publish(&mut draft, wave, false, 0).map_err(rule)?;
        }
        Snapshot::build(draft).map_err(rule)?;
    }
    if !log.grow.is_empty() {
        if !log.planned.is_empty() {
            return Err(PlanError::GrowAlone);
        }
        let draft = transition::grow(snapshot, &log.grow).map_err(rule)?;
        Snapshot::build(draft).map_err(rule)?;
    }
    Ok(())
}

/// The keyspaces that are to have more slots, and their bits.
pub(super) fn grown(
    snapshot: &Snapshot,
    changes: &Changes,
) -> Result<Vec<(KeyspaceId, u8)>, PlanError> {
    let mut all: Vec<(KeyspaceId, u8)> = Vec::new();
    for wish in &changes.grow_bits {
        let id = snapshot.keyspace_named(&wish.keyspace);
        let keyspace = id.and_then(|id| snapshot.content().keyspace(id));
        let keyspace = keyspace.ok_or_else(|| PlanError::UnknownKeyspace(wish.keyspace.clone()))?;
        let twice = all.iter().any(|(id, _)| *id == keyspace.id);
        if twice || wish.bits <= keyspace.bits || wish.bits > SLOT_BITS_MAX {
            return Err(PlanError::Bits {
                keyspace: wish.keyspace.clone(),
                has: keyspace.bits,
                wished: wish.bits,
            });
        }
        all.push((keyspace.id, wish.bits));
    }
    let alone = Changes {
        grow_bits: changes.grow_bits.clone(),
        ..Changes::default()
    };
    if all.is_empty() || *changes == alone {
        Ok(all)
    } else {
        Err(PlanError::GrowAlone)
    }
}

fn forged(what: &str) -> PlanError {
    PlanError::Forged {
        what: String::from(what),
    }
}
