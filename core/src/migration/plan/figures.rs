//! What a plan comes to, in numbers.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::balance::modulo_moved_share;
use crate::ids::{DomainId, KeyspaceId, ShardId, ShardIndex, SlotRange};
use crate::migration::log::PlannedWave;
use crate::migration::plan::options::{Amount, PlanOptions, Sizes};
use crate::migration::plan::target::{Target, held, moved_slots};
use crate::migration::settings::Settings;
use crate::phase::{Phase, Side};
use crate::snapshot::{KeyspaceDraft, Shard, ShardState, Snapshot, target_weights};

/// What moves in one keyspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanFigures {
    /// The keyspace.
    pub keyspace: String,
    /// Slots there are.
    pub slots: u32,
    /// Slots that move.
    pub slots_moved: u32,
    /// The least that any plan could move for the same shares.
    pub slots_least: u32,
    /// Slots that `hash % N` would move, to the nearest whole one.
    pub slots_modulo: u32,
    /// Waves.
    pub waves: u32,
}

/// What a shard has of a keyspace before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardFigures {
    /// The keyspace.
    pub keyspace: String,
    /// The shard's number.
    pub shard: ShardId,
    /// Its name.
    pub name: String,
    /// Slots before.
    pub slots_before: u32,
    /// Slots after.
    pub slots_after: u32,
    /// Its share of the weight, in slots, to the nearest whole one.
    pub slots_ideal: u32,
    /// What it holds before, where sizes are known.
    pub before: Option<Amount>,
    /// What it holds after, where sizes are known.
    pub after: Option<Amount>,
}

/// One wave, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaveFigures {
    /// The keyspace.
    pub keyspace: String,
    /// The name of the shard that gives.
    pub from: String,
    /// The name of the shard that takes.
    pub to: String,
    /// Which keys of its slots: `all`, or what they match.
    pub matches: String,
    /// Slots.
    pub slots: u32,
    /// What moves, where sizes are known.
    pub moves: Option<Amount>,
    /// How long copying it takes, in milliseconds, where a rate is given too.
    pub copy_ms: Option<u64>,
}

/// How long it takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanTime {
    /// Copying, in milliseconds, where sizes and a rate are known.
    pub copy_ms: Option<u64>,
    /// Soaks before the writes go over, wave after wave, in milliseconds.
    pub soak_ms: u64,
    /// Rollback windows, in milliseconds.
    pub rollback_ms: u64,
    /// For how long writes of a wave are held at most, in milliseconds, under a strategy that
    /// holds them while it copies. Others hold them for their barriers only.
    pub held_ms: Option<u64>,
    /// What leases cost, where a shard [checks no fence](crate::Shard::unfenced).
    #[serde(default)]
    pub pauses: Option<Pauses>,
}

/// What it costs that a shard checks no fence: its clients' leases are waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pauses {
    /// Waves with such a shard.
    pub waves: u32,
    /// How often the writes of each of them are paused.
    pub per_wave: u32,
    /// How long such a pause is at least, in milliseconds; what is left to copy comes on top.
    pub pause_ms: u64,
    /// All waits of all waves, in milliseconds: one after each change of the map.
    pub wait_ms: u64,
}

/// A domain whose clients refresh their snapshot, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refresh {
    /// The domain.
    pub domain: Option<DomainId>,
    /// What it is, by the names of its keyspace and its shard.
    pub name: String,
    /// At which moment.
    pub at: String,
}

/// What going back from a phase means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// The phase.
    pub phase: String,
    /// Whether it can be gone back from.
    pub undo: bool,
    /// How, and what it costs.
    pub how: String,
}

pub(super) fn of_keyspace(
    snapshot: &Snapshot,
    keyspace: &KeyspaceDraft,
    shards: &[Shard],
    target: &Target,
    waves: &[PlannedWave],
) -> PlanFigures {
    let here = waves.iter().filter(|wave| wave.keyspace == keyspace.id);
    let slots_moved = moved_slots(&target.present, &target.wanted);
    let active = |shards: &[Shard]| {
        let active = shards
            .iter()
            .filter(|shard| shard.state == ShardState::Active);
        u32::try_from(active.count()).unwrap_or(u32::MAX)
    };
    let slots = keyspace.slot_count();
    let modulo = modulo_moved_share(active(&snapshot.content().shards), active(shards));
    let modulo = modulo.map_or(0, |(moved, of)| {
        (u64::from(slots) * moved + of / 2)
            .checked_div(of)
            .unwrap_or(0)
    });
    PlanFigures {
        keyspace: keyspace.name.clone(),
        slots,
        slots_moved,
        slots_least: target.least.unwrap_or(slots_moved),
        slots_modulo: u32::try_from(modulo).unwrap_or(u32::MAX),
        waves: u32::try_from(here.count()).unwrap_or(u32::MAX),
    }
}

pub(super) fn of_shards(
    keyspace: &KeyspaceDraft,
    shards: &[Shard],
    target: &Target,
    sizes: &Sizes,
) -> Vec<ShardFigures> {
    let weights = target_weights(shards);
    let all: u64 = weights.iter().map(|w| u64::from(w.thousandths())).sum();
    let slots = u64::from(keyspace.slot_count());
    let sizes = sizes.get(&keyspace.name);
    let present = held(&target.present, shards.len());
    let wanted = held(&target.wanted, shards.len());
    (0_u16..)
        .zip(shards.iter().zip(&weights))
        .zip(present.into_iter().zip(wanted))
        .map(|((index, (shard, weight)), (slots_before, slots_after))| {
            let index = ShardIndex(index);
            let ideal = (slots * u64::from(weight.thousandths()) + all / 2).checked_div(all);
            let amount = |table: &[ShardIndex]| {
                sizes.map(|sizes| sizes.of(&ranges(table, index), keyspace.slot_count()))
            };
            ShardFigures {
                keyspace: keyspace.name.clone(),
                shard: shard.id,
                name: shard.name.clone(),
                slots_before,
                slots_after,
                slots_ideal: ideal.and_then(|i| u32::try_from(i).ok()).unwrap_or(0),
                before: amount(&target.present),
                after: amount(&target.wanted),
            }
        })
        .collect()
}

fn ranges(table: &[ShardIndex], of: ShardIndex) -> Vec<SlotRange> {
    let slots = (0_u32..).zip(table).filter(|(_, owner)| **owner == of);
    crate::wave::slot_runs(slots.map(|(slot, _)| crate::ids::Slot(slot)))
}

fn count(ranges: &[SlotRange]) -> u32 {
    ranges.iter().map(|range| range.len()).sum()
}

pub(super) fn of_wave(
    snapshot: &Snapshot,
    shards: &[Shard],
    wave: &PlannedWave,
    options: &PlanOptions,
) -> WaveFigures {
    let name = |id: ShardId| named(shards, id).into();
    let keyspace = snapshot.content().keyspace(wave.keyspace);
    let sizes = keyspace.and_then(|k| Some((options.sizes.get(&k.name)?, k.slot_count())));
    // How much of a slot a match names isn't known from what the slot holds.
    let sizes = sizes.filter(|_| wave.matches.is_none());
    let moves = sizes.map(|(sizes, slots)| sizes.of(&wave.slots, slots));
    WaveFigures {
        keyspace: keyspace.map(|k| k.name.clone()).unwrap_or_default(),
        from: name(wave.from),
        to: name(wave.to),
        matches: match &wave.matches {
            Some(matches) => alloc::format!("{matches}"),
            None => "all".into(),
        },
        slots: count(&wave.slots),
        moves,
        copy_ms: moves.and_then(|amount| options.rate.ms(amount)),
    }
}

/// The name of a shard, of a list in the order of their numbers.
fn named(shards: &[Shard], id: ShardId) -> &str {
    let at = shards.binary_search_by_key(&id, |shard| shard.id).ok();
    let shard = at.and_then(|at| shards.get(at));
    shard.map_or("", |shard| shard.name.as_str())
}

/// What all waves move together, if the sizes of all are known.
pub(super) fn amount(waves: &[WaveFigures]) -> Option<Amount> {
    waves.iter().try_fold(Amount::default(), |sum, wave| {
        let moves = wave.moves?;
        Some(Amount {
            keys: sum.keys.saturating_add(moves.keys),
            bytes: sum.bytes.saturating_add(moves.bytes),
        })
    })
}

pub(super) fn time(waves: &[WaveFigures], settings: &Settings) -> PlanTime {
    let count = waves.len() as u64;
    let mut ramps = 0_u64;
    let mut ppm = 0;
    while let Some(next) = settings.ramp_after(ppm) {
        (ppm, ramps) = (next, ramps + 1);
    }
    let shadow = if settings.shadow_ppm > 0 {
        settings.shadow_ms
    } else {
        0
    };
    let soak = if settings.offline {
        0
    } else {
        shadow.saturating_add(settings.ramp_ms.saturating_mul(ramps))
    };
    let copies = waves.iter().map(|wave| wave.copy_ms);
    let windows = if settings.finish_each {
        count
    } else {
        count.min(1)
    };
    let longest = copies.clone().max().flatten();
    PlanTime {
        copy_ms: copies.sum(),
        soak_ms: soak.saturating_mul(count),
        rollback_ms: settings.reversed_ms.saturating_mul(windows),
        held_ms: longest.filter(|_| settings.offline),
        pauses: None,
    }
}

/// What leases cost, if a shard of `shards` is unfenced.
pub(super) fn pauses(
    snapshot: &Snapshot,
    shards: &[Shard],
    planned: &[PlannedWave],
    settings: &Settings,
) -> Option<Pauses> {
    let unfenced = |id: ShardId| shards.iter().any(|s| s.id == id && s.unfenced);
    let lease = snapshot.content().client_lease?;
    if !shards.iter().any(|shard| shard.unfenced) {
        return None;
    }
    let paused = planned
        .iter()
        .filter(|w| unfenced(w.from) || unfenced(w.to));
    let waves = paused.count() as u64;
    let mut per_wave = 1;
    let mut ppm = 0;
    while let Some(next) = settings.ramp_after(ppm).filter(|_| !settings.offline) {
        (ppm, per_wave) = (next, per_wave + 1);
    }
    // Begin, mirror, finish and retire, shadow-read where there is one; a barrier has three changes
    // of the map where it pauses, and else one.
    let others = 4 + u64::from(settings.shadow_ppm > 0 && !settings.offline);
    let all = planned.len() as u64 * (others + per_wave) + 2 * waves * per_wave;
    Some(Pauses {
        waves: u32::try_from(waves).unwrap_or(u32::MAX),
        per_wave: u32::try_from(per_wave).unwrap_or(u32::MAX),
        pause_ms: 2 * lease.wait_ms(),
        wait_ms: all.saturating_mul(lease.wait_ms()),
    })
}

/// Every domain whose epoch rises beyond the waves' own: whoever works on it refreshes once.
pub(super) fn refreshes(
    snapshot: &Snapshot,
    shards: &[Shard],
    waves: &[PlannedWave],
    grow: &[(KeyspaceId, u8)],
) -> Vec<Refresh> {
    let mut all = Vec::new();
    let mut said = BTreeSet::new();
    for (keyspace, _) in grow {
        let name = snapshot.content().keyspace(*keyspace).map(|k| &k.name);
        all.push(Refresh {
            domain: None,
            name: alloc::format!("{}, all of it", name.map_or("", String::as_str)),
            at: "when it gets its slots".into(),
        });
    }
    for wave in waves {
        let Some(keyspace) = snapshot.content().keyspace(wave.keyspace) else {
            continue;
        };
        let carved = "when its slots are carved out";
        let sides = [
            (wave.from, carved, wave.origin.is_none()),
            (wave.to, "when they join it for good", !wave.pins),
        ];
        for (shard, at, _) in sides.into_iter().filter(|(_, _, home)| *home) {
            let index = snapshot.content().index_of(shard);
            let home = index.and_then(|index| keyspace.home(index));
            // One of a domain at one moment.
            if said.insert((wave.keyspace, shard, at)) {
                all.push(Refresh {
                    domain: home.map(|home| home.domain),
                    name: alloc::format!("{} on {}", keyspace.name, named(shards, shard)),
                    at: at.into(),
                });
            }
        }
    }
    all
}

/// Phase by phase, what going back means.
pub(super) fn undo(settings: &Settings) -> Vec<Undo> {
    let row = |phase: Phase| {
        let (undo, how) = match phase {
            Phase::Prepare => (true, "at once; nothing was copied"),
            Phase::DoubleWrite => (true, "at once; the copy is thrown away"),
            Phase::ShadowRead => (true, "at once; nobody has read the copy"),
            Phase::ReadNew => (true, "one barrier brings the reads back, then at once"),
            Phase::Reversed if settings.finish_each => (
                true,
                "what was written since is copied back, then one barrier; waves that have ended stay",
            ),
            Phase::Reversed => (
                true,
                "what was written since is copied back, then one barrier",
            ),
            Phase::Ended(Side::To) => (false, "no more: only by a new plan the other way"),
            Phase::Ended(Side::From) => return None,
        };
        Some(Undo {
            phase: phase.name().into(),
            undo,
            how: how.into(),
        })
    };
    Phase::ALL.iter().copied().filter_map(row).collect()
}
