//! Loads against triggers.

mod load;
mod storage;

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::advise::loads::{KeyspaceLoad, Loads, ShardLoad, SlotLoad};
use crate::advise::moves::Piece;
use crate::advise::triggers::{Action, Advice, Trigger, Triggers, Urgency};
use crate::advise::wish::{AddShard, MoveSlots, Wish};
use crate::ids::{ShardId, ShardIndex, Slot};
use crate::snapshot::{Draft, KeyspaceDraft, Snapshot, target_weights};
use crate::wave::slot_runs;

/// What is wrong in the cluster of `snapshot` by `loads`, and what to do about it; the most urgent
/// first. Nothing is wrong where it is empty.
///
/// Slots of a wave in flight are left alone. Loads of shards and keyspaces that the snapshot doesn't
/// have are passed over.
///
/// ```
/// use ringshift::Topology;
/// use ringshift::advise::{Action, Loads, Triggers, advise};
/// let text = r#"{"cluster":"demo","keyspaces":{"orders":{"bits":4}},
///                "shards":[{"id":1,"name":"a"},{"id":2,"name":"b"}]}"#;
/// let snapshot = serde_json::from_str::<Topology>(text)?.snapshot()?;
/// let loads: Loads = serde_json::from_str(
///     r#"{"shards":[{"shard":1,"bytes":90,"capacity_bytes":100},
///                   {"shard":2,"bytes":85,"capacity_bytes":100}]}"#)?;
/// let advice = advise(&snapshot, &loads, &Triggers::default());
/// assert_eq!(advice[0].action, Action::AddShards { count: 1 });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn advise(snapshot: &Snapshot, loads: &Loads, triggers: &Triggers) -> Vec<Advice> {
    let ground = Ground::of(snapshot, loads);
    let mut all = Vec::new();
    ground.keyspaces(triggers, &mut all);
    load::judge(&ground, triggers, &mut all);
    ground.latency(triggers, &mut all);
    storage::judge(&ground, triggers, &mut all);
    all.sort_by(|a: &Advice, b: &Advice| {
        let key = |advice: &Advice| (advice.urgency, advice.trigger, advice.shard);
        key(a)
            .cmp(&key(b))
            .then_with(|| a.keyspace.cmp(&b.keyspace))
    });
    all
}

/// The loads, laid out by the snapshot.
struct Ground<'g> {
    snapshot: &'g Snapshot,
    content: &'g Draft,
    /// What is known of each shard, in the snapshot's order.
    shards: Vec<ShardLoad>,
    /// What is known of each keyspace, and its owners by slot.
    spaces: Vec<Space<'g>>,
}

struct Space<'g> {
    draft: &'g KeyspaceDraft,
    load: &'g KeyspaceLoad,
    owners: Vec<ShardIndex>,
}

impl Space<'_> {
    /// The owner of a slot that may be moved.
    fn owner(&self, slot: Slot) -> Option<usize> {
        let moving = self.draft.waves.iter().any(|wave| wave.contains(slot));
        let owner = self.owners.get(slot.0 as usize)?;
        (!moving).then_some(usize::from(owner.0))
    }
}

impl<'g> Ground<'g> {
    fn of(snapshot: &'g Snapshot, loads: &'g Loads) -> Self {
        let content = snapshot.content();
        let known = |id: ShardId| loads.shards.iter().find(|load| load.shard == id).copied();
        let shards = content.shards.iter().map(|shard| {
            known(shard.id).unwrap_or(ShardLoad {
                shard: shard.id,
                ..ShardLoad::default()
            })
        });
        let spaces = content.keyspaces.iter().filter_map(|draft| {
            let load = loads.keyspaces.iter().find(|l| l.keyspace == draft.name)?;
            Some(Space {
                draft,
                load,
                owners: draft.table(),
            })
        });
        Self {
            snapshot,
            content,
            shards: shards.collect(),
            spaces: spaces.collect(),
        }
    }

    /// The weight of each shard that may get more.
    fn weights(&self) -> Vec<u64> {
        let weights = target_weights(&self.content.shards);
        weights.iter().map(|w| w.thousandths().into()).collect()
    }

    fn name(&self, at: usize) -> &str {
        self.content.shards.get(at).map_or("?", |shard| &shard.name)
    }

    fn id(&self, at: usize) -> ShardId {
        self.content
            .shards
            .get(at)
            .map_or_else(ShardId::default, |s| s.id)
    }

    /// The slots of the shard at `at`, each with its weight.
    fn pieces(&self, at: usize, weight: impl Fn(usize, &SlotLoad) -> u64) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for (keyspace, space) in self.spaces.iter().enumerate() {
            for load in &space.load.slots {
                if space.owner(load.slot) == Some(at) {
                    pieces.push(Piece {
                        keyspace,
                        slot: load.slot,
                        weight: weight(keyspace, load),
                    });
                }
            }
        }
        pieces
    }

    /// The wish that moves these pieces.
    fn wish(&self, moves: &[(Piece, usize)]) -> Wish {
        let mut wish = Wish::default();
        for (keyspace, space) in self.spaces.iter().enumerate() {
            for to in 0..self.shards.len() {
                let goes = |moved: &&(Piece, usize)| moved.0.keyspace == keyspace && moved.1 == to;
                let mut slots: Vec<Slot> = moves.iter().filter(goes).map(|m| m.0.slot).collect();
                slots.sort_unstable();
                if !slots.is_empty() {
                    wish.move_slots.push(MoveSlots {
                        keyspace: space.draft.name.clone(),
                        slots: slot_runs(slots),
                        to: self.id(to),
                    });
                }
            }
        }
        wish
    }

    /// The wish for so many more shards, under numbers and names that are free.
    fn more_shards(&self, count: u32) -> Wish {
        let last = self.content.shards.last().map_or(0, |shard| shard.id.0);
        let free = |name: &String| self.content.shards.iter().all(|shard| shard.name != *name);
        let add = (1..=count).map(|n| {
            let id = last.saturating_add(n);
            let mut name = format!("shard-{id}");
            while !free(&name) {
                name.push_str("-new");
            }
            AddShard {
                id: ShardId(id),
                name,
            }
        });
        Wish {
            add: add.collect(),
            ..Wish::default()
        }
    }

    /// What is wrong with keys, not with places.
    fn keyspaces(&self, triggers: &Triggers, all: &mut Vec<Advice>) {
        for Space { draft, load, .. } in &self.spaces {
            let change = |trigger, urgency, text| Advice {
                trigger,
                urgency,
                shard: None,
                keyspace: Some(draft.name.clone()),
                action: Action::ChangeKey,
                text,
                wish: None,
            };
            if load.ops < triggers.ops_min {
                continue;
            }
            let least = triggers
                .keys_a_shard
                .saturating_mul(self.shards.len() as u64);
            if load.distinct > 0 && load.distinct < least {
                all.push(change(
                    Trigger::Distinct,
                    Urgency::Critical,
                    format!(
                        "keyspace `{}` has about {} different routing parts for {} shards: no move can spread them; hash more of the key",
                        draft.name,
                        load.distinct,
                        self.shards.len()
                    ),
                ));
            }
            let percent = percent(load.spread_ops, load.ops);
            if percent > triggers.spread_percent.into() {
                all.push(change(
                    Trigger::Spread,
                    Urgency::High,
                    format!(
                        "{percent} % of the operations on keyspace `{}` ask several shards: let what is asked for together share its routing part",
                        draft.name
                    ),
                ));
            }
        }
    }

    fn latency(&self, triggers: &Triggers, all: &mut Vec<Advice>) {
        for (at, shard) in self.shards.iter().enumerate() {
            let (Some(now), Some(before)) = (shard.p99_us, shard.p99_before_us) else {
                continue;
            };
            if before == 0 || percent(now, before) <= triggers.p99_percent.into() {
                continue;
            }
            let shared = all
                .iter()
                .any(|advice| advice.trigger == Trigger::Load && advice.shard == Some(shard.shard));
            let why = if shared {
                "its load explains it: relieve it first"
            } else {
                "its share of the operations doesn't explain it: look at its disk, its queries, its neighbours"
            };
            all.push(Advice {
                trigger: Trigger::Latency,
                urgency: Urgency::High,
                shard: Some(shard.shard),
                keyspace: None,
                action: Action::LookInto,
                text: format!(
                    "the 99th percentile of shard `{}` is {now} us, usually {before} us: {why}",
                    self.name(at)
                ),
                wish: None,
            });
        }
    }
}

/// `part` in per cent of `whole`, rounded up so that anything above a limit shows.
fn percent(part: u64, whole: u64) -> u64 {
    let percent = (u128::from(part) * 100).div_ceil(u128::from(whole.max(1)));
    u64::try_from(percent).unwrap_or(u64::MAX)
}

/// One for each shard.
fn zeros(ground: &Ground<'_>) -> Vec<u64> {
    vec![0; ground.shards.len()]
}
