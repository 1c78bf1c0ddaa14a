//! The guard rows that a snapshot asks of its shards.

use alloc::vec;
use alloc::vec::Vec;

use crate::guard::{Claim, GuardRow, InstallRow};
use crate::ids::{Epoch, ShardId, Slot, SlotRange};
use crate::phase::{Phase, Role, Side};
use crate::snapshot::{Entry, Home, KeyspaceDraft, Match, Snapshot, Target};
use crate::wave::{Wave, slot_runs};

/// The rows of the transition that led `wave` to its epoch, shard by shard, in the order in which
/// they must be installed: each waits for the one before.
///
/// They are the rows of that transition and of no other: a home's row only where its members
/// changed at the same epoch.
// INVARIANT (own rows only): an install never brings a shard up to date for another domain, whose
// own order it would break.
pub fn wave_installs(
    snapshot: &Snapshot,
    keyspace: &KeyspaceDraft,
    wave: &Wave,
) -> Vec<(ShardId, Vec<InstallRow>)> {
    let sides: &[Side] = match wave.phase {
        // `from` learns of a wave when it carves the members out of its home.
        Phase::Prepare => &[Side::To],
        Phase::DoubleWrite
        | Phase::ShadowRead
        | Phase::ReadNew
        | Phase::Reversed
        | Phase::Ended(_) => match wave.first {
            Side::From => &[Side::From, Side::To],
            Side::To => &[Side::To, Side::From],
        },
    };
    sides
        .iter()
        .map(|&side| (wave.shard(side), side_rows(snapshot, keyspace, wave, side)))
        .collect()
}

fn side_rows(
    snapshot: &Snapshot,
    keyspace: &KeyspaceDraft,
    wave: &Wave,
    side: Side,
) -> Vec<InstallRow> {
    let shard = wave.shard(side);
    let home = snapshot
        .content()
        .index_of(shard)
        .and_then(|index| keyspace.home(index));
    let home_changed = home.filter(|home| home.epoch == wave.epoch);
    let slots = || vec![Claim::Slots(wave.slots.clone())];
    let mut rows = Vec::new();
    if let Some(home) = home_changed {
        let joined = matches!(wave.phase, Phase::Ended(_));
        rows.push(InstallRow {
            row: home_row(keyspace, *home),
            claims: if joined { slots() } else { Vec::new() },
        });
    }
    // Wherever the wave may not hold its slots yet, it takes hold of them: also where the home has
    // changed once more since, and its row is no part of this transition.
    let takes_hold = matches!(
        (wave.phase, side),
        (Phase::Prepare, Side::To) | (Phase::DoubleWrite, Side::From)
    );
    rows.push(InstallRow {
        row: wave_row(keyspace, wave, side),
        claims: if takes_hold { slots() } else { Vec::new() },
    });
    rows
}

fn wave_row(keyspace: &KeyspaceDraft, wave: &Wave, side: Side) -> GuardRow {
    GuardRow {
        domain: wave.domain,
        keyspace: keyspace.id,
        epoch: wave.epoch,
        role: wave.role(side),
        closed: false,
        drained: wave.drained,
        in_wave: wave.phase.is_carved(),
        authority_epoch: wave.authority_epoch,
    }
}

/// Every row that a shard with nothing needs: its homes with their stable slots, its pinned keys.
/// For a new cluster, or a shard that lost its guards.
///
/// Rows of waves are not among them; [`wave_installs`] has those.
pub fn home_installs(snapshot: &Snapshot, shard: ShardId) -> Vec<InstallRow> {
    let mut rows = Vec::new();
    let Some(index) = snapshot.content().index_of(shard) else {
        return rows;
    };
    for keyspace in &snapshot.content().keyspaces {
        let Some(home) = keyspace.home(index) else {
            continue;
        };
        let mut slots: Vec<SlotRange> = Vec::new();
        let mut start = 0;
        for run in &keyspace.assignment {
            let range = SlotRange {
                start,
                end: start + run.len,
            };
            start = range.end;
            if run.shard == index {
                slots.extend(stable_slots(keyspace, range));
            }
        }
        let claims = if slots.is_empty() {
            Vec::new()
        } else {
            vec![Claim::Slots(slots)]
        };
        rows.push(InstallRow {
            row: home_row(keyspace, *home),
            claims,
        });
        let here = |entry: &&Entry| entry.target == Target::Shard(shard);
        for entry in keyspace.directory.iter().filter(here) {
            if let Match::Exact(key) = &entry.matches {
                let home = Home {
                    domain: entry.domain,
                    epoch: entry.epoch,
                };
                let row = home_row(keyspace, home);
                rows.push(InstallRow {
                    row,
                    claims: vec![Claim::Key(key.clone())],
                });
            }
        }
    }
    rows
}

/// What a shard needs that was shut, and the other sides of its waves: first everything that the
/// shard itself holds, whatever it has; then, wave by wave, the row of the other.
pub(crate) fn readmit_installs(
    snapshot: &Snapshot,
    shard: ShardId,
) -> Vec<(ShardId, Vec<InstallRow>)> {
    let mut own = home_installs(snapshot, shard);
    let mut others = Vec::new();
    for keyspace in &snapshot.content().keyspaces {
        for wave in &keyspace.waves {
            let Some(side) = wave.side(shard) else {
                continue;
            };
            let row = |side| InstallRow {
                row: wave_row(keyspace, wave, side),
                claims: Vec::new(),
            };
            // An old file's map of slots may be of any time.
            let holds =
                wave.phase.is_carved() || (wave.phase == Phase::Prepare && side == Side::To);
            let claims = if holds {
                vec![Claim::Slots(wave.slots.clone())]
            } else {
                Vec::new()
            };
            own.push(InstallRow {
                claims,
                ..row(side)
            });
            if wave.phase != Phase::Prepare || side == Side::From {
                others.push((wave.shard(side.other()), vec![row(side.other())]));
            }
        }
    }
    let mut installs = vec![(shard, own)];
    installs.extend(others);
    installs
}

/// The slots of `range` that no carved wave holds.
fn stable_slots(keyspace: &KeyspaceDraft, range: SlotRange) -> Vec<SlotRange> {
    let carved = |slot: Slot| {
        keyspace
            .waves
            .iter()
            .any(|wave| wave.phase.is_carved() && wave.contains(slot))
    };
    if keyspace.waves.is_empty() {
        return vec![range];
    }
    slot_runs(range.slots().filter(|&slot| !carved(slot)))
}

fn home_row(keyspace: &KeyspaceDraft, home: Home) -> GuardRow {
    GuardRow {
        domain: home.domain,
        keyspace: keyspace.id,
        epoch: home.epoch,
        role: Role::Authority,
        closed: false,
        drained: Epoch::ZERO,
        in_wave: false,
        authority_epoch: home.epoch,
    }
}
