//! The next snapshot of each transition: pure, and the only place that writes phases and epochs.
//!
//! Which shard installs an epoch first is part of it, and published, so that a successor can
//! finish what a dead coordinator began. The rule: first the shard that served the reads which now
//! go elsewhere, so that nobody reads old values there while others read and write new ones.

use crate::ids::{DomainId, Epoch, KeyspaceId, SLOT_BITS_MAX, ShardId, ShardIndex, SlotRange};
use crate::migration::log::PlannedWave;
use crate::migration::moves::Move;
use crate::migration::settings::Settings;
use crate::phase::{Phase, Side};
use crate::scope::Match;
use crate::snapshot::{Draft, Entry, Home, KeyspaceDraft, Shard, Snapshot, Target, TopologyError};
use crate::wave::{Wave, in_slots, slot_runs};

use alloc::vec::Vec;

/// Stable to prepare: the wave is published; routing and homes stay as they are.
pub(crate) fn begin(
    snapshot: &Snapshot,
    planned: &PlannedWave,
    strict: bool,
    lease_ms: u32,
) -> Result<Draft, TopologyError> {
    let mut draft = snapshot.next_draft()?;
    publish(&mut draft, planned, strict, lease_ms)?;
    Ok(draft)
}

/// Puts the wave `planned` into `draft`, in prepare.
pub(crate) fn publish(
    draft: &mut Draft,
    planned: &PlannedWave,
    strict: bool,
    lease_ms: u32,
) -> Result<(), TopologyError> {
    let epoch = draft.epoch;
    let domain = draft.take_domain();
    let unknown = TopologyError::Wave {
        domain,
        rule: "its keyspace is unknown",
    };
    // Its guard couldn't check the lease.
    let sides = [planned.from, planned.to];
    let unfenced = sides.iter().any(|shard| draft.lease_at(*shard).is_some());
    let lease_ms = if unfenced { 0 } else { lease_ms };
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
        matches: planned.matches.clone(),
        origin: planned.origin,
        pins: planned.pins,
        switching: false,
    });
    Ok(())
}

/// The snapshot after `goal`, for the wave `domain`.
///
/// `drained` says, of an abort, whether everything accepted was copied behind the closed guards. A
/// barrier that drains had both shards, so a wave that has become relaxed without one of them is
/// strict again where `settings` ask for that.
#[expect(
    clippy::too_many_lines,
    reason = "one table, from a move and a phase to the next wave"
)]
pub(crate) fn advance(
    snapshot: &Snapshot,
    keyspace: KeyspaceId,
    domain: DomainId,
    goal: Move,
    settings: &Settings,
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
    // The domain of the override that the members become.
    let becomes = goal == Move::Finish && old.pins;
    let pinned = becomes.then(|| draft.take_domain());
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
            bump_owner(content, old, from, epoch);
        }
        (Move::Shadow, Phase::DoubleWrite) => {
            wave.phase = Phase::ShadowRead;
            wave.shadow_ppm = settings.shadow_ppm;
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
            // Who waits for a shard that is gone would wait for ever; catch-up carries it there. The
            // next barrier that drains makes it strict again.
            wave.strict = false;
        }
        (Move::Switch, Phase::ReadNew) => {
            wave.phase = Phase::Reversed;
            wave.ramp_ppm = 0;
            wave.first = Side::To;
            wave.authority_epoch = epoch;
            wave.drained = epoch;
        }
        (Move::Offline, Phase::DoubleWrite) => {
            wave.phase = Phase::Reversed;
            // `from` served the reads until now.
            wave.first = Side::From;
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
            finish(content, old, to, epoch, pinned);
        }
        (Move::Cancel, Phase::Prepare) => {
            wave.phase = Phase::Ended(Side::From);
            wave.first = Side::To;
        }
        (Move::Cancel, Phase::DoubleWrite | Phase::ShadowRead) => {
            wave.phase = Phase::Ended(Side::From);
            wave.shadow_ppm = 0;
            wave.first = Side::From;
            bump_owner(content, old, from, epoch);
        }
        (Move::Retire, Phase::Ended(_)) => {
            content.waves.retain(|wave| wave.domain != domain);
            return Ok(draft);
        }
        _ => return Err(refuse("its phase doesn't allow this move")),
    }
    wave.strict |= settings.strict && wave.drained == epoch;
    if let Some(place) = content.wave_mut(domain) {
        *place = wave;
    }
    Ok(draft)
}

/// The snapshot in which writes of the wave `domain` are paused, or go on. Nobody's route changes,
/// so its epoch stays.
pub(crate) fn switching(
    snapshot: &Snapshot,
    keyspace: KeyspaceId,
    domain: DomainId,
    paused: bool,
) -> Result<Draft, TopologyError> {
    let mut draft = snapshot.next_draft()?;
    let content = draft.keyspace_mut(keyspace);
    let wave = content.and_then(|content| content.wave_mut(domain));
    wave.ok_or(TopologyError::Empty("wave"))?.switching = paused;
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

/// The snapshot with more slots: each is split on the shard where it is, and no row moves.
pub(crate) fn grow(
    snapshot: &Snapshot,
    wished: &[(KeyspaceId, u8)],
) -> Result<Draft, TopologyError> {
    let mut draft = snapshot.next_draft()?;
    let epoch = draft.epoch;
    // A client of the old map would name a slot that its shard has split.
    if !wished.is_empty() && draft.client_wait_ms() > 0 {
        return Err(TopologyError::Unsupported(
            "more slots where a shard checks no fence",
        ));
    }
    for &(id, bits) in wished {
        let keyspace = draft.keyspace_mut(id);
        let keyspace = keyspace.ok_or(TopologyError::Empty("keyspace"))?;
        if !keyspace.waves.is_empty() {
            return Err(TopologyError::Unsupported(
                "more slots while waves are in flight",
            ));
        }
        let more = bits.checked_sub(keyspace.bits).filter(|&more| more > 0);
        let (Some(more), true) = (more, bits <= SLOT_BITS_MAX) else {
            return Err(TopologyError::Range {
                what: "slot bits",
                value: bits.into(),
                min: u64::from(keyspace.bits) + 1,
                max: SLOT_BITS_MAX.into(),
            });
        };
        keyspace.bits = bits;
        for run in &mut keyspace.assignment {
            run.len <<= more;
        }
        // Whoever has the old map is refused, and refreshes.
        for home in &mut keyspace.homes {
            home.epoch = epoch;
        }
        let mut directory = core::mem::take(&mut keyspace.directory);
        for entry in &mut directory {
            entry.epoch = epoch;
            entry.slots = match &entry.matches {
                // One key has the one slot that it falls into.
                Match::Exact(key) => slot_runs([keyspace.slot_of(key)?]),
                Match::Prefix(_) | Match::Range { .. } => {
                    let scaled = |run: &SlotRange| SlotRange {
                        start: run.start << more,
                        end: run.end << more,
                    };
                    entry.slots.iter().map(scaled).collect()
                }
            };
        }
        keyspace.directory = directory;
    }
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

/// Raises the epoch of whom the members of `wave` are carved from, or go back to.
fn bump_owner(content: &mut KeyspaceDraft, wave: &Wave, from: ShardIndex, epoch: Epoch) {
    let Some(origin) = wave.origin else {
        return bump(content.home_mut(from), epoch);
    };
    let mut entries = content.directory.iter_mut();
    if let Some(entry) = entries.find(|entry| entry.domain == origin) {
        entry.epoch = epoch;
    }
}

/// Gives the members of `wave` to `to`: as an override of the domain `pinned`, or to its home.
fn finish(
    content: &mut KeyspaceDraft,
    wave: &Wave,
    to: ShardIndex,
    epoch: Epoch,
    pinned: Option<DomainId>,
) {
    let Some(matches) = &wave.matches else {
        let mut table = content.table();
        for range in &wave.slots {
            let slots = table.get_mut(range.start as usize..range.end as usize);
            slots.unwrap_or_default().fill(to);
        }
        content.set_table(&table);
        return bump(content.home_mut(to), epoch);
    };
    // An override that was narrower than its origin lies within it; one as wide takes its slots.
    let scope = matches.scope();
    for entry in &mut content.directory {
        if Some(entry.domain) == wave.origin && entry.matches.scope() == scope {
            entry.slots = without(&entry.slots, &wave.slots);
        }
    }
    content.directory.retain(|entry| !entry.slots.is_empty());
    let Some(domain) = pinned else {
        return bump(content.home_mut(to), epoch);
    };
    let entry = Entry {
        matches: matches.clone(),
        slots: wave.slots.clone(),
        target: Target::Shard(wave.to),
        domain,
        epoch,
    };
    let before = |other: &Entry| (&other.matches, &other.slots) < (&entry.matches, &entry.slots);
    let at = content.directory.partition_point(before);
    content.directory.insert(at, entry);
}

/// The slots of `all` that aren't in `gone`.
fn without(all: &[SlotRange], gone: &[SlotRange]) -> Vec<SlotRange> {
    let slots = all.iter().flat_map(|range| range.slots());
    slot_runs(slots.filter(|&slot| !in_slots(gone, slot)))
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
