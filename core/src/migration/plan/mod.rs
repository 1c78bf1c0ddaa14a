//! From a wish to a plan: which waves, what they move, what that costs, and whether it can be
//! undone.
//!
//! `wish` and `keys` are what may be wished, `options` what may be said beside it. `target` finds
//! the table that is wanted, `entries` the keys; `cut` makes waves of what moves. `strategy` has the
//! presets and `advise` chooses among them. `figures` count; `check` refuses a plan that isn't one.

mod advise;
mod check;
mod cut;
mod entries;
mod error;
mod figures;
mod keys;
mod options;
mod strategy;
mod target;
mod text;
mod wish;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::migration::log::Log;
use crate::snapshot::{Digest, Snapshot, Target};

pub use advise::{Advice, Circumstances, Risk, advise_strategy};
pub(crate) use check::check_log;
pub use error::PlanError;
pub use figures::{Pauses, PlanFigures, PlanTime, Refresh, ShardFigures, Undo, WaveFigures};
pub use keys::{
    Half, MergeRanges, MoveKey, MovePrefix, MoveRange, PinKeyspace, SplitRange, Unpin, WishKey,
    WishMatch, WishPart,
};
pub use options::{Amount, KeyspaceSizes, PlanOptions, Rate, Sizes, SlotSize};
pub use strategy::{Cut, Cutover, Strategy};
pub use wish::{Balance, Changes, GrowBits, MoveSlots, ShardRef, SlotList};

/// What a migration will do. Data: print it, keep it as JSON, then hand its `log` to a
/// coordinator. `Display` is a table for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The cluster that it was made for.
    pub cluster: String,
    /// The snapshot that it was made from.
    pub digest: Digest,
    /// How it is carried out.
    pub strategy: Strategy,
    /// What the coordinator begins with.
    pub log: Log,
    /// What moves, keyspace by keyspace.
    pub figures: Vec<PlanFigures>,
    /// What each shard has, before and after.
    pub shards: Vec<ShardFigures>,
    /// The waves, in the order of `log.planned`.
    pub waves: Vec<WaveFigures>,
    /// How long it takes.
    pub time: PlanTime,
    /// The domains whose clients refresh, each once.
    pub refreshes: Vec<Refresh>,
    /// What going back means, phase by phase.
    pub undo: Vec<Undo>,
    /// Which strategy would fit, and why.
    pub advice: Advice,
    /// What should be known before it begins.
    pub notes: Vec<String>,
}

/// Plans `changes` from `snapshot`, online: fewest moves, exact shares (or the ring's, for a
/// keyspace that goes by it), a wave for each pair of shards, split so that none has more than
/// `wave_slots_max` slots (0: no limit).
///
/// The coordinator's own settings hold; [`plan_with`] writes a strategy's into the plan.
///
/// # Errors
/// [`PlanError`], and nothing is changed.
///
/// ```
/// # use ringshift::*;
/// # use ringshift::migration::{Changes, plan};
/// let text = r#"{"cluster":"demo","keyspaces":{"orders":{}},
///                "shards":[{"id":1,"name":"a"},{"id":2,"name":"b"}]}"#;
/// let snapshot = serde_json::from_str::<Topology>(text)?.snapshot()?;
/// let third: ShardTopology = serde_json::from_str(r#"{"id":3,"name":"c"}"#)?;
/// let changes = Changes { add: vec![third.shard()?], ..Changes::default() };
/// let plan = plan(&snapshot, &changes, 0)?;
/// assert_eq!(plan.log.planned.len(), 2);
/// assert_eq!(plan.figures[0].slots_moved, plan.figures[0].slots_least);
/// assert!(plan.figures[0].slots_modulo > 2 * plan.figures[0].slots_moved);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn plan(
    snapshot: &Snapshot,
    changes: &Changes,
    wave_slots_max: u32,
) -> Result<Plan, PlanError> {
    let options = PlanOptions {
        wave_slots_max,
        ..PlanOptions::default()
    };
    let mut plan = plan_with(snapshot, changes, &options)?;
    plan.log.settings = None;
    Ok(plan)
}

/// Plans `changes` from `snapshot` as `options` say.
///
/// # Errors
/// [`PlanError`], and nothing is changed.
///
/// ```
/// # use ringshift::*;
/// # use ringshift::migration::{Changes, PlanOptions, Strategy, plan_with};
/// let text = r#"{"cluster":"demo","keyspaces":{"users":{"bits":8}},
///                "shards":[{"id":1,"name":"a"},{"id":2,"name":"b"}]}"#;
/// let snapshot = serde_json::from_str::<Topology>(text)?.snapshot()?;
/// let wish = r#"{"add":[{"id":3,"name":"c"}],
///                "move_slots":[{"keyspace":"users","slots":"1-50","to":"c"}]}"#;
/// let options = PlanOptions { strategy: Some(Strategy::OverShardMove), ..PlanOptions::default() };
/// let plan = plan_with(&snapshot, &serde_json::from_str::<Changes>(wish)?, &options)?;
/// assert_eq!(plan.figures[0].slots_moved, 50);
/// assert!(plan.to_string().contains("over-shard-move"));
///
/// let past = r#"{"move_slots":[{"keyspace":"users","slots":"256","to":"b"}]}"#;
/// assert!(plan_with(&snapshot, &serde_json::from_str::<Changes>(past)?, &options).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn plan_with(
    snapshot: &Snapshot,
    changes: &Changes,
    options: &PlanOptions,
) -> Result<Plan, PlanError> {
    let content = snapshot.content();
    if content.keyspaces.iter().any(|k| !k.waves.is_empty()) {
        return Err(PlanError::Busy);
    }
    if *changes == Changes::default() {
        return Err(PlanError::Nothing);
    }
    known_keyspaces(snapshot, changes)?;
    let shards = target::shards_after(snapshot, changes)?;
    unpinned(snapshot, changes)?;
    let mut notes = Vec::new();
    let entry_groups = entries::groups(snapshot, changes, &shards, &mut notes)?;

    let mut groups = Vec::new();
    let mut targets = Vec::new();
    for keyspace in &content.keyspaces {
        let target = target::target_of(snapshot, keyspace, changes, &shards)?;
        let slots = cut::groups(keyspace.id, &shards, &target.present, &target.wanted);
        if !slots.is_empty() && entry_groups.iter().any(|g| g.keyspace == keyspace.id) {
            let keyspace = keyspace.name.clone();
            return Err(PlanError::Together { keyspace });
        }
        groups.extend(slots);
        note_balance(&keyspace.name, &target, changes, &mut notes);
        targets.push(target);
    }
    let grow = check::grown(snapshot, changes)?;
    let whole_slots = entry_groups.is_empty() && !changes.move_slots.is_empty();
    groups.extend(entry_groups);
    if groups.is_empty() && grow.is_empty() && !changes.changes_shards() {
        return Err(PlanError::Nothing);
    }

    let strategy = options.strategy.unwrap_or_default();
    let mut settings = options.settings.clone().unwrap_or(strategy.settings());
    let mut cut = strategy.cut();
    if let Some(cutover) = &options.cutover {
        cutover.apply(&mut settings, &mut cut);
    }
    let planned = cut::waves(&groups, &cut, options.wave_slots_max);
    let waves: Vec<_> = planned
        .iter()
        .map(|wave| figures::of_wave(snapshot, &shards, wave, options))
        .collect();
    let keyspaces = || content.keyspaces.iter().zip(&targets);
    let amount = figures::amount(&waves);
    let plan = Plan {
        cluster: snapshot.cluster().into(),
        digest: snapshot.digest(),
        strategy,
        figures: keyspaces()
            .map(|(k, t)| {
                let mut figures = figures::of_keyspace(snapshot, k, &shards, t, &planned);
                let touched = entries::slots_touched(&groups, k);
                figures.slots_least = figures.slots_least.max(touched.min(figures.slots_moved));
                figures
            })
            .collect(),
        shards: keyspaces()
            .flat_map(|(k, t)| figures::of_shards(k, &shards, t, &options.sizes))
            .collect(),
        time: PlanTime {
            pauses: figures::pauses(snapshot, &shards, &planned, &settings),
            ..figures::time(&waves, &settings)
        },
        refreshes: figures::refreshes(snapshot, &shards, &planned, &grow),
        undo: figures::undo(&settings),
        advice: advise_strategy(&options.circumstances(amount, whole_slots)),
        notes,
        waves,
        log: Log {
            base: snapshot.epoch(),
            digest: Some(snapshot.digest()),
            strategy,
            settings: Some(Box::new(settings)),
            enlist: Some(shards),
            before: Some(content.shards.clone()),
            delist: changes.remove.clone(),
            grow,
            planned,
            ..Log::default()
        },
    };
    plan.check(snapshot)?;
    Ok(plan)
}

fn known_keyspaces(snapshot: &Snapshot, changes: &Changes) -> Result<(), PlanError> {
    let moves = changes.move_slots.iter().map(|wish| &wish.keyspace);
    let grows = changes.grow_bits.iter().map(|wish| &wish.keyspace);
    match moves
        .chain(grows)
        .find(|name| snapshot.keyspace_named(name).is_none())
    {
        Some(name) => Err(PlanError::UnknownKeyspace(name.clone())),
        None => Ok(()),
    }
}

/// A shard that is struck off the list has no overrides left.
fn unpinned(snapshot: &Snapshot, changes: &Changes) -> Result<(), PlanError> {
    for &shard in &changes.remove {
        for keyspace in &snapshot.content().keyspaces {
            let mut entries = keyspace.directory.iter();
            if entries.any(|entry| entry.target == Target::Shard(shard)) {
                let keyspace = keyspace.name.clone();
                return Err(PlanError::Pinned { shard, keyspace });
            }
        }
    }
    Ok(())
}

fn note_balance(name: &str, target: &target::Target, changes: &Changes, notes: &mut Vec<String>) {
    if target.least.is_some() && target.off_before > 0 {
        notes.push(format!(
            "keyspace `{name}`: {} slots were off the exact shares before, moved by hand perhaps; this plan restores those shares. To leave them as they are, say balance keep",
            target.off_before
        ));
    }
    if target.off_after > target.off_before
        || target.off_after > 0 && !changes.move_slots.is_empty()
    {
        notes.push(format!(
            "keyspace `{name}`: {} slots will be off the exact shares; a later add, remove or reweight moves them too, unless it says balance keep or none",
            target.off_after
        ));
    }
}
