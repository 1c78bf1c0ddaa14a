//! The guard rows that a snapshot asks of its shards.

use alloc::vec;
use alloc::vec::Vec;

use crate::guard::{Claim, GuardRow, InstallRow};
use crate::ids::{DomainId, Epoch, ShardId, ShardIndex, Slot, SlotRange};
use crate::phase::{Phase, Role, Side};
use crate::scope::Match;
use crate::snapshot::{Entry, Home, KeyspaceDraft, Snapshot, Target};
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
    let index = snapshot.content().index_of(shard);
    let mut rows = Vec::new();
    // Whom the members have left for the wave, or joined after it.
    let owner = index.and_then(|index| match wave.phase {
        Phase::Ended(winner) if winner == side => owner_after(keyspace, wave, index),
        Phase::DoubleWrite if side == Side::From => owner_before(keyspace, wave, index),
        _ => None,
    });
    if let Some(owner) = owner.filter(|owner| owner.epoch == wave.epoch) {
        let joined = matches!(wave.phase, Phase::Ended(_));
        rows.push(InstallRow {
            row: home_row(keyspace, owner),
            claims: if joined {
                claims_after(keyspace, wave, owner.domain)
            } else {
                Vec::new()
            },
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
        claims: if takes_hold {
            vec![members(wave)]
        } else {
            Vec::new()
        },
    });
    rows
}

/// Whom the members were carved from at `from`, the shard at `index`.
fn owner_before(keyspace: &KeyspaceDraft, wave: &Wave, index: ShardIndex) -> Option<Home> {
    let Some(origin) = wave.origin else {
        return keyspace.home(index).copied();
    };
    let mut entries = keyspace.directory.iter();
    entries
        .find(|entry| entry.domain == origin)
        .map(Entry::as_home)
}

/// Whom the members belong to once `wave` has ended on the shard at `index`.
pub(crate) fn owner_after(
    keyspace: &KeyspaceDraft,
    wave: &Wave,
    index: ShardIndex,
) -> Option<Home> {
    match (wave.phase, &wave.matches) {
        (Phase::Ended(Side::From), _) => owner_before(keyspace, wave, index),
        (Phase::Ended(Side::To), Some(matches)) if wave.pins => {
            let target = Target::Shard(wave.to);
            let first = wave.slots.first().map(|range| Slot(range.start))?;
            let mut entries = keyspace.directory.iter();
            entries
                .find(|entry| {
                    entry.matches == *matches && entry.target == target && entry.has_slot(first)
                })
                .map(Entry::as_home)
        }
        (Phase::Ended(Side::To), _) => keyspace.home(index).copied(),
        (
            Phase::Prepare
            | Phase::DoubleWrite
            | Phase::ShadowRead
            | Phase::ReadNew
            | Phase::Reversed,
            _,
        ) => None,
    }
}

/// What `owner`, as of [`owner_after`], takes hold of when it gets the members.
fn claims_after(keyspace: &KeyspaceDraft, wave: &Wave, owner: DomainId) -> Vec<Claim> {
    let slots = wave.slots.clone();
    let Some(scope) = wave.matches.as_ref().map(Match::scope) else {
        return vec![Claim::Slots(slots)];
    };
    let mut entries = keyspace.directory.iter();
    let as_wide = entries.any(|entry| entry.domain == owner && entry.matches.scope() == scope);
    vec![if as_wide {
        Claim::Scope(scope, slots)
    } else {
        // A home, or an override around them: they are its own where nothing is in front of it.
        Claim::Release(scope, slots)
    }]
}

/// What the wave takes hold of.
fn members(wave: &Wave) -> Claim {
    match &wave.matches {
        None => Claim::Slots(wave.slots.clone()),
        Some(matches) => Claim::Scope(matches.scope(), wave.slots.clone()),
    }
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

/// Every row that a shard with nothing needs: its homes with their stable slots, its overrides.
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
        // Always said: a shard that has fewer, larger slots splits them first.
        let mut claims = vec![Claim::Bits(keyspace.bits)];
        if !slots.is_empty() {
            claims.push(Claim::Slots(slots));
        }
        rows.push(InstallRow {
            row: home_row(keyspace, *home),
            claims,
        });
        let here = |entry: &&Entry| entry.target == Target::Shard(shard);
        for entry in keyspace.directory.iter().filter(here) {
            let scope = entry.matches.scope();
            // A wave that was carved from it, as wide as it is, has its place in front of it.
            let carved = |slot: Slot| {
                keyspace.waves.iter().any(|wave| {
                    let as_wide = wave.matches.as_ref().is_some_and(|m| m.scope() == scope);
                    as_wide && wave.phase.is_carved() && wave.contains(slot)
                })
            };
            let slots = entry.slots.iter().flat_map(|range| range.slots());
            let slots = if keyspace.waves.is_empty() {
                entry.slots.clone()
            } else {
                slot_runs(slots.filter(|&slot| !carved(slot)))
            };
            rows.push(InstallRow {
                row: home_row(keyspace, entry.as_home()),
                claims: vec![Claim::Scope(scope, slots)],
            });
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
    for home in &mut own {
        // Intervals that are nobody's any more would hide their keys from the home.
        if let Some(at) = home.claims.iter().position(|c| matches!(c, Claim::Bits(_))) {
            home.claims.insert(at + 1, Claim::Clear);
        }
    }
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
            let holds = match wave.phase {
                Phase::Prepare => side == Side::To,
                // The loser's rows are purged by it.
                Phase::Ended(winner) => side != winner && wave.matches.is_some(),
                Phase::DoubleWrite | Phase::ShadowRead | Phase::ReadNew | Phase::Reversed => true,
            };
            let claims = if holds {
                vec![members(wave)]
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

/// The slots of `range` that no carved wave holds whole.
fn stable_slots(keyspace: &KeyspaceDraft, range: SlotRange) -> Vec<SlotRange> {
    let carved = |slot: Slot| {
        keyspace
            .waves
            .iter()
            .any(|wave| wave.is_carved_whole() && wave.contains(slot))
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
