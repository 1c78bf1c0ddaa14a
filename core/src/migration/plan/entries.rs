//! From wishes about keys to what moves: each match, out of the homes and overrides that have its
//! keys now.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::ids::{DomainId, ShardId, Slot};
use crate::key::KeyRule;
use crate::migration::plan::cut::Group;
use crate::migration::plan::error::PlanError;
use crate::migration::plan::keys::{Half, range};
use crate::migration::plan::target::resolve;
use crate::migration::plan::wish::{Changes, ShardRef};
use crate::scope::Match;
use crate::snapshot::{Entry, KeyspaceDraft, Shard, ShardState, Snapshot, Target};
use crate::wave::slot_runs;

/// One match that is to be somewhere.
struct Wanted<'k> {
    keyspace: &'k KeyspaceDraft,
    matches: Match,
    /// `None`: back to the homes of its slots.
    to: Option<ShardId>,
    slots: Vec<Slot>,
}

/// What moves for the wishes about keys, in the order of the wishes; and what should be said.
pub(super) fn groups(
    snapshot: &Snapshot,
    changes: &Changes,
    shards: &[Shard],
    notes: &mut Vec<String>,
) -> Result<Vec<Group>, PlanError> {
    if let Some(wish) = changes.pin_keyspace.first() {
        let keyspace = wish.keyspace.clone();
        return Err(PlanError::KeyspacePin { keyspace });
    }
    let wanted = wanted(snapshot, changes, shards)?;
    apart(&wanted)?;
    let mut groups = Vec::new();
    for one in &wanted {
        let (mut stay, mut inner) = (0_usize, 0_usize);
        let mut pairs: BTreeMap<(ShardId, ShardId, Option<DomainId>), Vec<Slot>> = BTreeMap::new();
        for &slot in &one.slots {
            let Some((from, origin)) = source(snapshot, one.keyspace, &one.matches, slot) else {
                continue;
            };
            let home = one.keyspace.owner(slot);
            let home = home.and_then(|index| snapshot.shard_id(index));
            let Some(to) = one.to.or(home) else {
                continue;
            };
            if from == to {
                stay += 1;
            } else {
                pairs.entry((from, to, origin)).or_default().push(slot);
            }
        }
        let scope = one.matches.scope();
        for entry in &one.keyspace.directory {
            let inside = scope.encloses(&entry.matches.scope()) && entry.matches != one.matches;
            inner += usize::from(inside);
        }
        say(one, stay, inner, notes);
        groups.extend(pairs.into_iter().map(|((from, to, origin), slots)| Group {
            keyspace: one.keyspace.id,
            from,
            to,
            slots,
            matches: Some(one.matches.clone()),
            origin,
            pins: one.to.is_some(),
        }));
    }
    Ok(groups)
}

fn say(one: &Wanted<'_>, stay: usize, inner: usize, notes: &mut Vec<String>) {
    let (matches, name) = (&one.matches, &one.keyspace.name);
    if stay > 0 {
        let why = match one.to {
            Some(_) => "are on that shard already and stay members of its home",
            None => "have their home where the override is and stay pinned there",
        };
        notes.push(alloc::format!(
            "of {matches} in keyspace `{name}`, the keys of {stay} slots {why}: a later change of slots {} them",
            if one.to.is_some() { "moves" } else { "leaves" }
        ));
    }
    if inner > 0 {
        notes.push(alloc::format!(
            "{inner} overrides inside {matches} of keyspace `{name}` stay where they are"
        ));
    }
}

fn wanted<'k>(
    snapshot: &'k Snapshot,
    changes: &Changes,
    shards: &[Shard],
) -> Result<Vec<Wanted<'k>>, PlanError> {
    let mut all = Vec::new();
    let mut add = |name: &String, matches: Match, to: Option<&ShardRef>, known: bool| {
        let keyspace = keyspace(snapshot, name)?;
        let to = to.map(|to| active(shards, to, name)).transpose()?;
        let slots = slots_of(keyspace, &matches)?;
        if known {
            entry(keyspace, &matches)?;
        }
        all.push(Wanted {
            keyspace,
            matches,
            to,
            slots,
        });
        Ok::<(), PlanError>(())
    };
    for wish in &changes.move_key {
        let matches = Match::Exact(wish.key.bytes()?);
        add(&wish.keyspace, matches, Some(&wish.to), false)?;
    }
    for wish in &changes.move_prefix {
        let matches = Match::Prefix(wish.prefix.bytes()?);
        add(&wish.keyspace, matches, Some(&wish.to), false)?;
    }
    for wish in &changes.move_range {
        let whole = range(&wish.start, &wish.end)?;
        let cuts = wish.cut_at.iter().map(|key| key.bytes());
        for piece in pieces(&whole, cuts.collect::<Result<_, _>>()?)? {
            add(&wish.keyspace, piece, Some(&wish.to), false)?;
        }
    }
    for wish in &changes.unpin {
        let matches = wish.of.matches()?;
        add(&wish.keyspace, matches, None, true)?;
    }
    for wish in &changes.split_range {
        let whole = range(&wish.start, &wish.end)?;
        entry(keyspace(snapshot, &wish.keyspace)?, &whole)?;
        let [low, high] = <[Match; 2]>::try_from(pieces(&whole, Vec::from([wish.at.bytes()?]))?)
            .map_err(|_| outside(&whole))?;
        let half = match wish.half {
            Half::Low => low,
            Half::High => high,
        };
        add(&wish.keyspace, half, Some(&wish.to), false)?;
    }
    for wish in &changes.merge_ranges {
        for (start, end) in &wish.ranges {
            add(&wish.keyspace, range(start, end)?, Some(&wish.to), true)?;
        }
    }
    Ok(all)
}

fn keyspace<'k>(snapshot: &'k Snapshot, name: &str) -> Result<&'k KeyspaceDraft, PlanError> {
    let id = snapshot.keyspace_named(name);
    id.and_then(|id| snapshot.content().keyspace(id))
        .ok_or_else(|| PlanError::UnknownKeyspace(name.into()))
}

/// A shard that takes keys.
fn active(shards: &[Shard], wanted: &ShardRef, keyspace: &str) -> Result<ShardId, PlanError> {
    let (index, id) = resolve(shards, wanted)?;
    let shard = shards.get(usize::from(index.0));
    if shard.is_some_and(|shard| shard.state == ShardState::Active) {
        Ok(id)
    } else {
        Err(PlanError::NotEmptied {
            shard: id,
            keyspace: keyspace.into(),
        })
    }
}

/// The overrides that match exactly that.
fn entry<'k>(keyspace: &'k KeyspaceDraft, matches: &Match) -> Result<&'k Entry, PlanError> {
    let found = keyspace.directory.iter().find(|e| e.matches == *matches);
    found.ok_or_else(|| PlanError::NoOverride {
        matches: matches.to_string(),
        keyspace: keyspace.name.clone(),
    })
}

/// The slots that keys of `matches` may be in: one where it fixes the routing part.
fn slots_of(keyspace: &KeyspaceDraft, matches: &Match) -> Result<Vec<Slot>, PlanError> {
    let key = |error: crate::key::KeyError| PlanError::Key {
        message: error.to_string(),
    };
    if matches.scope().is_empty() {
        return Err(outside(matches));
    }
    if let Match::Prefix(prefix) = matches {
        if prefix.is_empty() {
            return Err(PlanError::Key {
                message: "an empty prefix is the whole keyspace; move its slots instead".into(),
            });
        }
        let fixed = match keyspace.rule {
            KeyRule::Whole => false,
            KeyRule::HashTag => keyspace
                .rule
                .routing_part(prefix)
                .is_ok_and(|part| part.len() < prefix.len()),
            KeyRule::Parts(_) => keyspace.rule.routing_part(prefix).is_ok(),
        };
        if fixed {
            return Ok(Vec::from([keyspace.slot_of(prefix).map_err(key)?]));
        }
    }
    let ranges = keyspace.slots_of(matches).map_err(key)?;
    Ok(ranges.iter().flat_map(|range| range.slots()).collect())
}

/// Who has the keys of `matches` in `slot` now: the innermost override that encloses it, or the
/// slot's home.
fn source(
    snapshot: &Snapshot,
    keyspace: &KeyspaceDraft,
    matches: &Match,
    slot: Slot,
) -> Option<(ShardId, Option<DomainId>)> {
    let scope = matches.scope();
    let holds = |entry: &&Entry| entry.has_slot(slot) && entry.matches.scope().encloses(&scope);
    let innermost = keyspace
        .directory
        .iter()
        .filter(holds)
        .max_by(|a, b| a.matches.scope().cmp(&b.matches.scope()));
    match innermost.map(|entry| (entry.target, entry.domain)) {
        Some((Target::Shard(shard), domain)) => Some((shard, Some(domain))),
        Some((Target::Keyspace(_), _)) => None,
        None => Some((snapshot.shard_id(keyspace.owner(slot)?)?, None)),
    }
}

/// No key may be wished twice; and an override goes back to slots, not to another override.
fn apart(wanted: &[Wanted<'_>]) -> Result<(), PlanError> {
    for (at, one) in wanted.iter().enumerate() {
        let scope = one.matches.scope();
        for other in wanted.iter().skip(at + 1) {
            let same = one.keyspace.id == other.keyspace.id;
            if same && !scope.is_apart_from(&other.matches.scope()) {
                let keyspace = one.keyspace.name.clone();
                return Err(PlanError::Together { keyspace });
            }
        }
        for entry in &one.keyspace.directory {
            let theirs = entry.matches.scope();
            let partly = !theirs.is_apart_from(&scope)
                && !theirs.encloses(&scope)
                && !scope.encloses(&theirs);
            let outer = one.to.is_none() && theirs.encloses(&scope) && entry.matches != one.matches;
            if partly || outer {
                return Err(PlanError::Inside {
                    matches: one.matches.to_string(),
                    outer: entry.matches.to_string(),
                });
            }
        }
    }
    Ok(())
}

fn outside(whole: &Match) -> PlanError {
    PlanError::CutOutside {
        matches: whole.to_string(),
    }
}

/// The range cut at those keys.
fn pieces(whole: &Match, cuts: Vec<Vec<u8>>) -> Result<Vec<Match>, PlanError> {
    let scope = whole.scope();
    let rising = cuts.is_sorted_by(|a, b| a < b);
    let inside = |cut: &Vec<u8>| *cut > scope.start && scope.ends_after(cut);
    if !rising || !cuts.iter().all(inside) {
        return Err(outside(whole));
    }
    let starts = core::iter::once(scope.start.clone()).chain(cuts.iter().cloned());
    let ends = cuts.iter().cloned().chain([scope.end.clone()]);
    Ok(starts
        .zip(ends)
        .map(|(start, end)| Match::Range { start, end })
        .collect())
}

/// How many different slots the groups of `keyspace` touch.
pub(super) fn slots_touched(groups: &[Group], keyspace: &KeyspaceDraft) -> u32 {
    let here = groups.iter().filter(|group| group.keyspace == keyspace.id);
    let mut slots: Vec<Slot> = here.flat_map(|group| group.slots.iter().copied()).collect();
    slots.sort_unstable();
    slots.dedup();
    slot_runs(slots).iter().map(|run| run.len()).sum()
}
