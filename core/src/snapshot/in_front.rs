//! The rules of what stands in front of the slots: overrides, and waves of less than whole slots.

use alloc::string::ToString;
use alloc::vec::Vec;

use crate::directory::OVERRIDES_MAX;
use crate::ids::{ShardId, Slot, SlotRange};
use crate::key::KEY_BYTES_MAX;
use crate::order::sort;
use crate::phase::{Phase, Side};
use crate::scope::{Match, Nest, Scope};
use crate::slotting::Placer;
use crate::snapshot::error::TopologyError;
use crate::snapshot::{Draft, Entry, KeyspaceDraft, Target};
use crate::wave::{Wave, in_slots};

/// One of them: whose keys it has, and in which slots.
struct Item<'a> {
    scope: Scope,
    matches: &'a Match,
    slots: &'a [SlotRange],
}

pub(super) fn overrides(draft: &Draft, keyspace: &KeyspaceDraft) -> Result<(), TopologyError> {
    let count = keyspace.directory.len();
    if count > OVERRIDES_MAX {
        return Err(TopologyError::TooMany {
            what: "overrides",
            count,
            max: OVERRIDES_MAX,
        });
    }
    let sorted = |a: &Entry, b: &Entry| (&a.matches, &a.slots) < (&b.matches, &b.slots);
    if !keyspace.directory.is_sorted_by(sorted) {
        return Err(TopologyError::Unsorted("overrides"));
    }
    let placer = keyspace.placer();
    for entry in &keyspace.directory {
        super::validate::epoch("an override's epoch", entry.epoch, draft)?;
        check(keyspace, &placer, &entry.matches, &entry.slots)?;
        match entry.target {
            Target::Shard(shard) => {
                draft
                    .index_of(shard)
                    .ok_or(TopologyError::UnknownShard(shard))?;
            }
            Target::Keyspace(_) => return Err(TopologyError::Unsupported("keyspace")),
        }
    }
    Ok(())
}

/// The rules of one match by itself.
fn check(
    keyspace: &KeyspaceDraft,
    placer: &Placer,
    matches: &Match,
    slots: &[SlotRange],
) -> Result<(), TopologyError> {
    let refuse = |rule| {
        Err(TopologyError::Match {
            matches: matches.to_string(),
            rule,
        })
    };
    let bytes = |len: usize, max: usize| {
        if len <= max {
            return Ok(());
        }
        Err(TopologyError::TooMany {
            what: "bytes of a key",
            count: len,
            max,
        })
    };
    match matches {
        Match::Exact(key) => {
            bytes(key.len(), KEY_BYTES_MAX)?;
            if keyspace.slots_by(placer, matches)? != slots {
                return refuse("one key has the one slot that it falls into");
            }
        }
        Match::Prefix(prefix) => {
            bytes(prefix.len(), KEY_BYTES_MAX)?;
            if prefix.is_empty() {
                return refuse("it has every key; give the slots to other shards instead");
            }
        }
        Match::Range { start, end } => {
            bytes(start.len().max(end.len()), KEY_BYTES_MAX + 1)?;
            if start.is_empty() && end.is_empty() {
                return refuse("it has every key; give the slots to other shards instead");
            }
            if matches.scope().is_empty() {
                return refuse("it ends before it begins");
            }
            // So that one key is found by its hash, whoever names it.
            if end.split_last() == Some((&0, start)) {
                return refuse("it is one key; pin that");
            }
        }
    }
    let fewest = slots.is_sorted_by(|a, b| a.end < b.start);
    if slots.is_empty() || slots.iter().any(|run| run.is_empty()) || !fewest {
        return refuse("its slots are missing, not sorted, or not in the fewest runs");
    }
    if slots
        .last()
        .is_some_and(|run| run.end > keyspace.slot_count())
    {
        return refuse("it has slots that the keyspace hasn't");
    }
    Ok(())
}

// INVARIANT (laminar): any two intervals are apart, or one encloses the other, or they are equal
// and have different slots; so one domain is the innermost around a key.
pub(super) fn nesting(keyspace: &KeyspaceDraft) -> Result<(), TopologyError> {
    let entries = keyspace
        .directory
        .iter()
        .map(|entry| (&entry.matches, entry.slots.as_slice()));
    let mut entries: Vec<Item<'_>> = entries.map(Item::of).collect();
    sort(&mut entries, |a, b| a.scope.cmp(&b.scope));
    let mut done: Option<&Scope> = None;
    for (a, b) in entries.iter().zip(entries.iter().skip(1)) {
        if a.scope == b.scope && done != Some(&a.scope) {
            one_each(&entries, &a.scope)?;
            done = Some(&a.scope);
        }
    }
    let waves = keyspace.waves.iter();
    let waves = waves.filter_map(|wave| Some((wave.matches.as_ref()?, wave.slots.as_slice())));
    entries.extend(waves.map(Item::of));
    sort(&mut entries, |a, b| a.scope.cmp(&b.scope));
    let mut open: Vec<&Item<'_>> = Vec::new();
    for item in &entries {
        while open
            .last()
            .is_some_and(|outer| !outer.scope.ends_after(&item.scope.start))
        {
            open.pop();
        }
        if let Some(outer) = open.last()
            && !outer.scope.encloses(&item.scope)
        {
            return Err(TopologyError::Crossing {
                first: outer.matches.to_string(),
                second: item.matches.to_string(),
            });
        }
        open.push(item);
    }
    Ok(())
}

/// No slot is in two of the overrides that are `scope`.
fn one_each(entries: &[Item<'_>], scope: &Scope) -> Result<(), TopologyError> {
    let first = entries.partition_point(|item| item.scope < *scope);
    let equal = entries.iter().skip(first);
    let equal = equal.take_while(|item| item.scope == *scope);
    let mut runs: Vec<(SlotRange, &Match)> = Vec::new();
    for item in equal {
        for &run in item.slots {
            runs.push((run, item.matches));
        }
    }
    sort(&mut runs, Ord::cmp);
    let twice = runs
        .iter()
        .zip(runs.iter().skip(1))
        .find(|(a, b)| b.0.start < a.0.end);
    match twice {
        Some((_, (_, matches))) => Err(TopologyError::Match {
            matches: matches.to_string(),
            rule: "another override has the same keys; keep one of them",
        }),
        None => Ok(()),
    }
}

impl<'a> Item<'a> {
    fn of((matches, slots): (&'a Match, &'a [SlotRange])) -> Self {
        Self {
            scope: matches.scope(),
            matches,
            slots,
        }
    }
}

/// The rules between narrowed waves, and between them and what they are carved from.
pub(super) fn narrowed(draft: &Draft, keyspace: &KeyspaceDraft) -> Result<(), TopologyError> {
    if keyspace.waves.iter().all(|wave| wave.matches.is_none()) {
        let of_none = |wave: &&Wave| wave.origin.is_some() || wave.pins;
        return match keyspace.waves.iter().find(of_none) {
            Some(wave) => Err(refuse(wave, NEEDS_A_MATCH)),
            None => Ok(()),
        };
    }
    apart(&keyspace.waves)?;
    let mut entries = Vec::with_capacity(keyspace.directory.len());
    for (at, entry) in keyspace.directory.iter().enumerate() {
        entries.push((entry.matches.scope(), entry.slots.as_slice(), at));
    }
    let entries = Nest::of(entries);
    let placer = keyspace.placer();
    for wave in &keyspace.waves {
        match &wave.matches {
            None if wave.origin.is_some() || wave.pins => {
                return Err(refuse(wave, NEEDS_A_MATCH));
            }
            None => {}
            Some(matches) => {
                check(keyspace, &placer, matches, &wave.slots)?;
                place(draft, keyspace, &entries, wave, &matches.scope())?;
            }
        }
    }
    Ok(())
}

const NEEDS_A_MATCH: &str =
    "it says where its keys come from or stay, but not which they are; give it a match";

fn refuse(wave: &Wave, rule: &'static str) -> TopologyError {
    TopologyError::Wave {
        domain: wave.domain,
        rule,
    }
}

/// No key is in two waves, also where one of them is a whole slot's. Whole slots are checked
/// against each other elsewhere.
fn apart(waves: &[Wave]) -> Result<(), TopologyError> {
    let all: Vec<(&Wave, Option<Scope>)> = waves
        .iter()
        .map(|wave| (wave, wave.matches.as_ref().map(Match::scope)))
        .collect();
    for (at, (wave, scope)) in all.iter().enumerate() {
        for (other, around) in all.iter().skip(at + 1) {
            let meet = match (scope, around) {
                (None, None) => false,
                (Some(a), Some(b)) => !a.is_apart_from(b),
                (None, Some(_)) | (Some(_), None) => true,
            };
            if !meet {
                continue;
            }
            for range in &wave.slots {
                if let Some(slot) = range.slots().find(|&slot| other.contains(slot)) {
                    return Err(TopologyError::Overlap { slot });
                }
            }
        }
    }
    Ok(())
}

/// Before its end a wave's keys belong, but for the wave, to whom it is carved from; after it, to
/// whom they were given.
fn place(
    draft: &Draft,
    keyspace: &KeyspaceDraft,
    entries: &Nest<usize>,
    wave: &Wave,
    scope: &Scope,
) -> Result<(), TopologyError> {
    // The overrides around it that have slots of it, from the innermost out.
    let mut around: Vec<&Entry> = Vec::new();
    for (_, runs) in entries.around(scope) {
        for (run, at) in runs.iter() {
            let meets = |mine: &SlotRange| mine.start < run.end && run.start < mine.end;
            if wave.slots.iter().any(meets) {
                around.extend(keyspace.directory.get(at));
            }
        }
    }
    if wave.phase == Phase::Ended(Side::To) {
        if !wave.pins {
            return owned_by(draft, keyspace, wave, wave.to);
        }
        let became = |entry: &Entry| {
            entry.matches.scope() == *scope && entry.target == Target::Shard(wave.to)
        };
        around.retain(|entry| became(entry));
        let whole = every_slot(wave, &|slot| {
            around.iter().any(|entry| entry.has_slot(slot))
        });
        return rule(wave, whole, "the override that its keys became isn't there");
    }
    let Some(origin) = wave.origin else {
        rule(
            wave,
            wave.pins,
            "its slots' other keys stay, so its keys must be pinned",
        )?;
        rule(
            wave,
            around.is_empty(),
            "an override has keys of it; carve it from that one",
        )?;
        return owned_by(draft, keyspace, wave, wave.from);
    };
    let mut entries = keyspace.directory.iter();
    let origin = entries.find(|entry| entry.domain == origin).ok_or(refuse(
        wave,
        "the override that it is carved from isn't there",
    ))?;
    rule(
        wave,
        origin.target == Target::Shard(wave.from),
        "the override that it is carved from is on another shard",
    )?;
    rule(
        wave,
        origin.matches.scope().encloses(scope)
            && every_slot(wave, &|slot| in_slots(&origin.slots, slot)),
        "the override that it is carved from hasn't all of its keys",
    )?;
    let inner = around.first().map(|entry| entry.domain);
    rule(
        wave,
        inner == Some(origin.domain),
        "a narrower override than its origin has keys of it; carve it from that one",
    )?;
    if wave.pins {
        return Ok(());
    }
    rule(
        wave,
        origin.matches.scope() == *scope,
        "a part of an override can't join a home; pin it",
    )?;
    rule(
        wave,
        around.iter().all(|entry| entry.domain == origin.domain),
        "a wider override than its origin would have its keys; pin them",
    )?;
    owned_by(draft, keyspace, wave, wave.to)
}

fn every_slot(wave: &Wave, is: &dyn Fn(Slot) -> bool) -> bool {
    let mut runs = wave.slots.iter();
    runs.all(|run| run.slots().all(is))
}

fn rule(wave: &Wave, holds: bool, rule: &'static str) -> Result<(), TopologyError> {
    if holds {
        Ok(())
    } else {
        Err(refuse(wave, rule))
    }
}

fn owned_by(
    draft: &Draft,
    keyspace: &KeyspaceDraft,
    wave: &Wave,
    owner: ShardId,
) -> Result<(), TopologyError> {
    let owner = draft
        .index_of(owner)
        .ok_or(TopologyError::UnknownShard(owner))?;
    let mut start = 0_u32;
    for run in &keyspace.assignment {
        let end = start.saturating_add(run.len);
        let meets = |mine: &SlotRange| mine.start < end && start < mine.end;
        if run.shard != owner && wave.slots.iter().any(meets) {
            return Err(refuse(wave, "a slot of it belongs to another shard"));
        }
        start = end;
    }
    Ok(())
}
