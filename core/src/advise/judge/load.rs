//! A shard with many times its share of the operations.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::{Ground, percent, zeros};
use crate::advise::loads::{HotKey, RangeLoad};
use crate::advise::moves::Shares;
use crate::advise::triggers::{Action, Advice, Trigger, Triggers, Urgency};
use crate::advise::wish::{
    GrowSlots, IsolateKey, IsolatePrefix, KeyText, MoveSlots, SplitRange, Wish,
};
use crate::ids::{SLOT_BITS_MAX, Slot, SlotRange};
use crate::key::KeyRule;
use crate::router::Router;

/// Keys of one shard that are looked at.
const KEYS: usize = 3;

pub(super) fn judge(ground: &Ground<'_>, triggers: &Triggers, all: &mut Vec<Advice>) {
    let mut used = zeros(ground);
    let mut operations = 0_u64;
    for space in &ground.spaces {
        operations = operations.saturating_add(space.load.ops);
        let by_slot = space.load.slots.iter().filter_map(|load| {
            let owner = space.owners.get(load.slot.0 as usize)?;
            Some((usize::from(owner.0), load.ops))
        });
        let by_shard = space.load.shards.iter().filter_map(|&(shard, ops)| {
            let at = ground.content.index_of(shard)?;
            Some((usize::from(at.0), ops))
        });
        // What the clients say of shards knows of pins, which no slot does.
        let counted: Vec<(usize, u64)> = if space.load.shards.is_empty() {
            by_slot.collect()
        } else {
            by_shard.collect()
        };
        for (at, ops) in counted {
            if let Some(used) = used.get_mut(at) {
                *used = used.saturating_add(ops);
            }
        }
    }
    if operations < triggers.ops_min {
        return;
    }
    let mut shares = Shares::new(used, &ground.weights());
    let hot: Vec<usize> = (0..ground.shards.len())
        .filter(|&at| shares.is_over(at, triggers.load_percent))
        .collect();
    if hot.is_empty() {
        return;
    }
    let router = Router::new(Arc::new(ground.snapshot.clone()));
    for at in hot {
        let mut judge = Judge {
            ground,
            triggers,
            router: &router,
            shares: &mut shares,
            at,
            gone: BTreeMap::new(),
            found: String::new(),
        };
        judge.shard(all);
    }
}

struct Judge<'j> {
    ground: &'j Ground<'j>,
    triggers: &'j Triggers,
    router: &'j Router,
    shares: &'j mut Shares,
    at: usize,
    /// Operations of a slot that leave it with a key.
    gone: BTreeMap<(usize, Slot), u64>,
    found: String,
}

impl Judge<'_> {
    fn shard(&mut self, all: &mut Vec<Advice>) {
        let (used, fair) = (self.shares.used(self.at), self.shares.fair(self.at));
        self.found = format!(
            "shard `{}` has {} % of its fair share of the operations",
            self.ground.name(self.at),
            percent(used, fair)
        );
        let before = all.len();
        self.keys(all);
        self.ranges(all);
        self.slots(all);
        if all.len() == before {
            let text = format!(
                "{}, and no slot, key or range is known to be why",
                self.found
            );
            all.push(self.advice(None, Action::LookInto, text, None));
        }
    }

    fn advice(
        &self,
        keyspace: Option<usize>,
        action: Action,
        text: String,
        wish: Option<Wish>,
    ) -> Advice {
        let space = keyspace.and_then(|at| self.ground.spaces.get(at));
        Advice {
            trigger: Trigger::Load,
            urgency: Urgency::High,
            shard: Some(self.ground.id(self.at)),
            keyspace: space.map(|space| space.draft.name.clone()),
            action,
            text,
            wish,
        }
    }

    fn is_over(&self) -> bool {
        self.shares.is_over(self.at, self.triggers.load_percent)
    }

    /// Whether so many operations are most of what is too much here.
    fn is_why(&self, ops: u64) -> bool {
        let excess = self
            .shares
            .used(self.at)
            .saturating_sub(self.shares.fair(self.at));
        ops > excess / 2
    }

    /// The keys on this shard, by how often they certainly came.
    fn keys(&mut self, all: &mut Vec<Advice>) {
        let mut hot: Vec<(u64, usize, &HotKey, Slot)> = Vec::new();
        for (keyspace, space) in self.ground.spaces.iter().enumerate() {
            let Some(routing) = self.router.keyspace_at(space.draft.id) else {
                continue;
            };
            for key in &space.load.hot {
                // A routing part is routed as the keys that have it are.
                let Ok(route) = routing.route(&key.key) else {
                    continue;
                };
                let pinned = routing.pinned(&key.key).is_some();
                if usize::from(route.shard.0) == self.at && !route.moving && !pinned {
                    let sure = key.ops.saturating_sub(key.error);
                    hot.push((sure, keyspace, key, route.slot));
                }
            }
        }
        hot.sort_by(|a, b| {
            b.0.cmp(&a.0)
                .then_with(|| (a.1, &a.2.key).cmp(&(b.1, &b.2.key)))
        });
        for (sure, keyspace, key, slot) in hot.into_iter().take(KEYS) {
            if self.is_over() && self.is_why(sure) {
                self.key(keyspace, key, sure, slot, all);
            }
        }
    }

    fn key(&mut self, keyspace: usize, key: &HotKey, sure: u64, slot: Slot, all: &mut Vec<Advice>) {
        let Some(space) = self.ground.spaces.get(keyspace) else {
            return;
        };
        let (name, text) = (space.draft.name.clone(), KeyText(key.key.clone()));
        let fair = self.shares.fair(self.at).max(1);
        let alone = percent(sure, fair);
        let why = format!(
            "{}: key `{text}` has {alone} % of one by itself",
            self.found
        );
        if alone > self.triggers.load_percent.into() {
            // Wherever it went, that shard would be the next one.
            let over = u32::try_from(sure.div_ceil(fair)).unwrap_or(u32::MAX);
            let text = format!("{why}; no shard could carry it: write it as {over} keys");
            self.shares.shift(sure, self.at, None);
            all.push(self.advice(Some(keyspace), Action::SpreadKey { over }, text, None));
        } else if let Some(to) = self.shares.room_for(sure, self.at) {
            let to_id = self.ground.id(to);
            let mut wish = Wish::default();
            match space.draft.rule {
                KeyRule::Whole => wish.move_key.push(IsolateKey {
                    keyspace: name,
                    key: text,
                    to: to_id,
                }),
                KeyRule::Parts(_) => wish.move_prefix.push(IsolatePrefix {
                    keyspace: name,
                    prefix: text,
                    to: to_id,
                }),
                // Keys of one tag begin as they like: only their slot has them all.
                KeyRule::HashTag => wish.move_slots.push(MoveSlots {
                    keyspace: name,
                    slots: [SlotRange {
                        start: slot.0,
                        end: slot.0 + 1,
                    }]
                    .into(),
                    to: to_id,
                }),
            }
            let text = format!("{why}; give it to `{}`", self.ground.name(to));
            self.shares.shift(sure, self.at, Some(to));
            all.push(self.advice(Some(keyspace), Action::IsolateKey, text, Some(wish)));
        } else {
            return;
        }
        *self.gone.entry((keyspace, slot)).or_default() += sure;
    }

    fn ranges(&mut self, all: &mut Vec<Advice>) {
        let id = self.ground.id(self.at);
        for (keyspace, space) in self.ground.spaces.iter().enumerate() {
            for range in space.load.ranges.iter().filter(|range| range.shard == id) {
                let inside = range.start < range.middle
                    && (range.middle < range.end || range.end.is_empty());
                if inside && self.is_over() && self.is_why(range.ops) {
                    self.range(keyspace, range, all);
                }
            }
        }
    }

    fn range(&mut self, keyspace: usize, range: &RangeLoad, all: &mut Vec<Advice>) {
        let half = range.ops / 2;
        let (Some(to), Some(space)) = (
            self.shares.room_for(half, self.at),
            self.ground.spaces.get(keyspace),
        ) else {
            return;
        };
        let text = |key: &Vec<u8>| KeyText(key.clone());
        let wish = Wish {
            split_range: [SplitRange {
                keyspace: space.draft.name.clone(),
                start: text(&range.start),
                end: text(&range.end),
                at: text(&range.middle),
                to: self.ground.id(to),
            }]
            .into(),
            ..Wish::default()
        };
        let says = format!(
            "{}: a range from `{}` on is why; cut it at `{}`, and give the upper half to `{}`",
            self.found,
            text(&range.start),
            text(&range.middle),
            self.ground.name(to)
        );
        self.shares.shift(half, self.at, Some(to));
        all.push(self.advice(Some(keyspace), Action::SplitRange, says, Some(wish)));
    }

    fn slots(&mut self, all: &mut Vec<Advice>) {
        if !self.is_over() {
            return;
        }
        let pieces = self.ground.pieces(self.at, |keyspace, load| {
            let gone = self.gone.get(&(keyspace, load.slot)).copied();
            load.ops.saturating_sub(gone.unwrap_or(0))
        });
        let heaviest = pieces.iter().max_by_key(|piece| piece.weight).copied();
        let moves = self.shares.relieve(pieces, self.at);
        if !moves.is_empty() {
            let text = format!(
                "{}; move {} slots to shards that have room",
                self.found,
                moves.len()
            );
            let wish = self.ground.wish(&moves);
            all.push(self.advice(None, Action::MoveSlots, text, Some(wish)));
        }
        // One slot that is too much for any shard: cut it smaller, and look again.
        if let Some(piece) = heaviest
            && self.is_over()
            && self.is_why(piece.weight)
            && let Some(space) = self.ground.spaces.get(piece.keyspace)
            && space.draft.bits < SLOT_BITS_MAX
        {
            let bits = (space.draft.bits + 2).min(SLOT_BITS_MAX);
            let wish = Wish {
                grow_bits: [GrowSlots {
                    keyspace: space.draft.name.clone(),
                    bits,
                }]
                .into(),
                ..Wish::default()
            };
            let text = format!(
                "{}: slot {} of keyspace `{}` is why, and no single key; give the keyspace 2^{bits} slots, then move some",
                self.found, piece.slot, space.draft.name
            );
            all.push(self.advice(Some(piece.keyspace), Action::GrowSlots, text, Some(wish)));
        }
    }
}
