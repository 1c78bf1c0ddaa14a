//! The next snapshot of each transition: pure, and the only place that writes phases and epochs.
//!
//! Which shard installs an epoch first is part of it, and published, so that a successor can
//! finish what a dead coordinator began. The rule: first the shard that served the reads which now
//! go elsewhere, so that nobody reads old values there while others read and write new ones.

use crate::ids::{DomainId, Epoch, KeyspaceId, ShardId, ShardIndex};
use crate::migration::log::PlannedWave;
use crate::migration::moves::Move;
use crate::phase::{Phase, Side};
use crate::snapshot::{Draft, Home, Shard, Snapshot, TopologyError};
use crate::wave::Wave;

use alloc::vec::Vec;

/// Stable to prepare: the wave is published; routing and homes stay as they are.
pub(crate) fn begin(
    snapshot: &Snapshot,
    planned: &PlannedWave,
    strict: bool,
    lease_ms: u32,
) -> Result<Draft, TopologyError> {
    let mut draft = snapshot.next_draft()?;
    let epoch = draft.epoch;
    let domain = draft.take_domain();
    let unknown = TopologyError::Wave {
        domain,
        rule: "its keyspace is unknown",
    };
    let keyspace = draft.keyspace_mut(planned.keyspace).ok_or(unknown)?;
    keyspace.waves.push(Wave {
        domain,
        epoch,
        drained: Epoch::ZERO,
        authority_epoch: epoch,
        first: Side::To,
        from: planned.from,
        to: planned.to,
        phase: Phase::Prepare,
        ramp_ppm: 0,
        shadow_ppm: 0,
        strict,
        lease_ms,
        slots: planned.slots.clone(),
    });
    Ok(draft)
}

/// The snapshot after `goal`, for the wave `domain`.
///
/// `drained` says, of an abort, whether everything accepted was copied behind the closed guards.
#[expect(
    clippy::too_many_lines,
    reason = "one table, from a move and a phase to the next"
)]
pub(crate) fn advance(
    snapshot: &Snapshot,
    keyspace: KeyspaceId,
    domain: DomainId,
    goal: Move,
    shadow_ppm: u32,
    drained: bool,
) -> Result<Draft, TopologyError> {
    let mut draft = snapshot.next_draft()?;
    let epoch = draft.epoch;
    let refuse = |rule| TopologyError::Wave { domain, rule };
    let old = snapshot
        .content()
        .keyspace(keyspace)
        .and_then(|k| k.wave(domain))
        .ok_or(refuse("there is no such wave"))?;
    let (from, to) = (index(&draft, old.from)?, index(&draft, old.to)?);
    let content = draft
        .keyspace_mut(keyspace)
        .ok_or(refuse("its keyspace is unknown"))?;
    let mut wave = old.clone();
    wave.epoch = epoch;
    match (goal, old.phase) {
        (Move::Mirror, Phase::Prepare) => {
            wave.phase = Phase::DoubleWrite;
            wave.authority_epoch = epoch;
            wave.first = Side::To;
            // The members leave home: nobody may go on writing them by the home's old epoch.
            bump(content.home_mut(from), epoch);
        }
        (Move::Shadow, Phase::DoubleWrite) => {
            wave.phase = Phase::ShadowRead;
            wave.shadow_ppm = shadow_ppm;
            // Only sampling changes, nobody's route: no new domain epoch.
            wave.epoch = old.epoch;
        }
        (Move::Ramp(ppm), Phase::DoubleWrite | Phase::ShadowRead | Phase::ReadNew) => {
            wave.phase = Phase::ReadNew;
            wave.first = if ppm < old.ramp_ppm {
                Side::To
            } else {
                Side::From
            };
            wave.ramp_ppm = ppm;
            wave.shadow_ppm = 0;
            wave.drained = epoch;
        }
        (Move::Unread, Phase::ReadNew) => {
            wave.phase = Phase::DoubleWrite;
            wave.ramp_ppm = 0;
            wave.first = Side::To;
            wave.drained = epoch;
        }
        (Move::StepBack, Phase::ReadNew) => {
            wave.phase = Phase::DoubleWrite;
            wave.ramp_ppm = 0;
            // Nothing was drained: whoever wrote under the old epoch doesn't know its fate.
            wave.first = Side::From;
            // Who waits for a shard that is gone would wait for ever; catch-up carries it there.
            wave.strict = false;
        }
        (Move::Switch, Phase::ReadNew) => {
            wave.phase = Phase::Reversed;
            wave.ramp_ppm = 0;
            wave.first = Side::To;
            wave.authority_epoch = epoch;
            wave.drained = epoch;
        }
        (Move::SwitchBack, Phase::Reversed) => {
            wave.phase = Phase::DoubleWrite;
            wave.first = Side::To;
            wave.authority_epoch = epoch;
            wave.drained = epoch;
        }
        (
            Move::Abort,
            Phase::DoubleWrite | Phase::ShadowRead | Phase::ReadNew | Phase::Reversed,
        ) => {
            wave.first = if old.phase == Phase::Reversed || old.ramp_ppm > 0 {
                Side::To
            } else {
                Side::From
            };
            if drained {
                wave.drained = epoch;
            }
        }
        (Move::Finish, Phase::Reversed) => {
            wave.phase = Phase::Ended(Side::To);
            wave.first = Side::To;
            let mut table = content.table();
            for range in &wave.slots {
                let slots = table.get_mut(range.start as usize..range.end as usize);
                slots.unwrap_or_default().fill(to);
            }
            content.set_table(&table);
            bump(content.home_mut(to), epoch);
        }
        (Move::Cancel, Phase::Prepare) => {
            wave.phase = Phase::Ended(Side::From);
            wave.first = Side::To;
        }
        (Move::Cancel, Phase::DoubleWrite | Phase::ShadowRead) => {
            wave.phase = Phase::Ended(Side::From);
            wave.shadow_ppm = 0;
            wave.first = Side::From;
            bump(content.home_mut(from), epoch);
        }
        (Move::Retire, Phase::Ended(_)) => {
            content.waves.retain(|wave| wave.domain != domain);
            return Ok(draft);
        }
        _ => return Err(refuse("its phase doesn't allow this move")),
    }
    if let Some(place) = content.wave_mut(domain) {
        *place = wave;
    }
    Ok(draft)
}

/// The snapshot with other shards: new ones get a home of no slots, ones that are missing from
/// `shards` must have none.
pub(crate) fn enlist(snapshot: &Snapshot, shards: &[Shard]) -> Result<Draft, TopologyError> {
    let mut draft = snapshot.next_draft()?;
    let old = snapshot.content();
    let mut shards = shards.to_vec();
    shards.sort_by_key(|shard| shard.id);
    // Where each old index goes.
    let moved: Vec<Option<ShardIndex>> = old
        .shards
        .iter()
        .map(|shard| shards.binary_search_by_key(&shard.id, |s| s.id).ok())
        .map(|at| at.and_then(|at| u16::try_from(at).ok()).map(ShardIndex))
        .collect();
    let mut keyspaces = old.keyspaces.clone();
    for (keyspace, before) in keyspaces.iter_mut().zip(&old.keyspaces) {
        for run in &mut keyspace.assignment {
            let to = moved.get(usize::from(run.shard.0)).copied().flatten();
            run.shard = to.ok_or(TopologyError::UnknownShardIndex(run.shard))?;
        }
        keyspace.homes = shards
            .iter()
            .map(|shard| {
                let known = old.index_of(shard.id).and_then(|index| before.home(index));
                known.copied().unwrap_or_else(|| Home {
                    domain: draft.take_domain(),
                    epoch: draft.epoch,
                })
            })
            .collect();
    }
    draft.keyspaces = keyspaces;
    draft.shards = shards;
    Ok(draft)
}

/// The snapshot in which everything that `shard` holds has a new epoch: its rows were lost in
/// part, so what it gives out from now on must be told from what it gave out before.
pub(crate) fn readmit(snapshot: &Snapshot, shard: ShardId) -> Result<Draft, TopologyError> {
    let mut draft = snapshot.next_draft()?;
    let (epoch, at) = (draft.epoch, index(&draft, shard)?);
    for keyspace in &mut draft.keyspaces {
        bump(keyspace.home_mut(at), epoch);
        for entry in &mut keyspace.directory {
            if entry.target == crate::snapshot::Target::Shard(shard) {
                entry.epoch = epoch;
            }
        }
        for wave in &mut keyspace.waves {
            let Some(side) = wave.side(shard) else {
                continue;
            };
            wave.epoch = epoch;
            wave.first = side;
            if wave.phase.is_carved() && side == wave.phase.authority() {
                wave.authority_epoch = epoch;
            }
        }
    }
    Ok(draft)
}

fn bump(home: Option<&mut Home>, epoch: Epoch) {
    if let Some(home) = home {
        home.epoch = epoch;
    }
}

fn index(draft: &Draft, shard: ShardId) -> Result<ShardIndex, TopologyError> {
    draft
        .index_of(shard)
        .ok_or(TopologyError::UnknownShard(shard))
}
