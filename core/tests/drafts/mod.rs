//! Valid topologies from a few numbers: several keyspaces, waves in all phases, pins, both
//! placements.
#![allow(dead_code, reason = "each test takes what it needs")]

use proptest::prelude::*;
use ringshift::{
    ClientLease, Composite, DomainId, Draft, Entry, Epoch, ForeignHash, Home, KeyRule,
    KeyspaceDraft, KeyspaceId, Match, Modulo, Phase, Placement, Shard, ShardId, ShardIndex,
    ShardState, Side, Slot, Slotting, Snapshot, Target, Wave, Weight, runs, slot_runs,
};

/// Numbers drawn from a seed (splitmix64).
#[derive(Clone, Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// `0..below`.
    pub(crate) fn below(&mut self, below: usize) -> usize {
        (self.draw() % below as u64) as usize
    }

    fn one_of<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    /// An epoch from the first to `last`.
    fn epoch(&mut self, last: Epoch) -> Epoch {
        Epoch::new(1 + self.below(last.get() as usize) as u32).unwrap()
    }
}

/// Drafts of up to so many shards, keyspaces and waves a keyspace.
pub(crate) fn drafts(
    shards: usize,
    keyspaces: usize,
    waves: usize,
) -> impl Strategy<Value = Draft> {
    (1..=shards, 1..=keyspaces, 0..=waves, any::<u64>())
        .prop_map(|(shards, keyspaces, waves, seed)| draft(shards, keyspaces, waves, seed))
}

pub(crate) fn draft(shards: usize, keyspaces: usize, waves: usize, seed: u64) -> Draft {
    let mut dice = Dice(seed);
    let epoch = dice.one_of(&[1, 2, 7, 300, 70_000, Epoch::MAX.get()]);
    let mut id = 0;
    let mut draft = Draft {
        cluster: dice.one_of(&["demo", "кластер", "c"]).to_owned(),
        epoch: Epoch::new(epoch).unwrap(),
        next_domain: DomainId(1),
        shards: (0..shards)
            .map(|n| {
                id += 1 + dice.below(300) as u32;
                shard(&mut dice, n, id)
            })
            .collect(),
        keyspaces: Vec::new(),
        client_lease: None,
    };
    for n in 0..keyspaces {
        let keyspace = keyspace(&mut dice, &mut draft, n, waves);
        draft.keyspaces.push(keyspace);
    }
    leased(&mut dice, &mut draft);
    for at in 0..draft.keyspaces.len() {
        for _ in 0..waves.min(6) {
            narrow(&mut dice, &mut draft, at);
        }
    }
    draft.next_domain.0 += dice.below(3) as u32;
    draft
}

/// An override or a wave of an interval more, where the rules allow it.
fn narrow(dice: &mut Dice, draft: &mut Draft, at: usize) {
    let mut next = draft.clone();
    let shards = next.shards.len();
    let keyspace = &draft.keyspaces[at];
    let matches = interval(keyspace.rule, dice);
    let mut slots = keyspace.slots_of(&matches).unwrap_or_default();
    let shard = dice.below(shards);
    let whole = dice.below(3) == 0;
    if slots.iter().map(|run| run.len()).sum::<u32>() > 1 && !whole {
        let some = keyspace.all_slots().slots();
        let table = keyspace.table();
        let theirs = dice.below(2) == 0;
        slots = slot_runs(some.filter(|slot| {
            let mine = table[slot.0 as usize].0 as usize == shard;
            if theirs { mine } else { dice.below(2) == 0 }
        }));
    }
    let target = Target::Shard(next.shards[shard].id);
    let (epoch, domain) = (dice.epoch(next.epoch), next.take_domain());
    let became = next.take_domain();
    let kind = dice.below(3);
    let last = next.epoch;
    let keyspace = &mut next.keyspaces[at];
    if kind == 0 {
        keyspace.directory.push(Entry {
            matches,
            slots,
            target,
            domain,
            epoch,
        });
    } else {
        let entry = match keyspace.directory.len() {
            0 => None,
            entries => Some(keyspace.directory[dice.below(entries)].clone()),
        };
        let entry = entry.filter(|_| kind == 2);
        let origin = entry.as_ref().map(|entry| entry.domain);
        let index = match entry.as_ref().map(|entry| entry.target) {
            Some(Target::Shard(of)) => draft.index_of(of).unwrap().0.into(),
            _ => shard,
        };
        let to = (index + 1) % shards;
        let pins = origin.is_none() || dice.below(2) == 0;
        let table = keyspace.table();
        let (matches, slots) = match entry {
            Some(entry) => {
                let all = entry.slots.iter().flat_map(|run| run.slots());
                let theirs = |slot: &Slot| pins || table[slot.0 as usize].0 as usize == to;
                let slots = slot_runs(all.filter(theirs));
                let narrower = pins && dice.below(2) == 0;
                (if narrower { matches } else { entry.matches }, slots)
            }
            None => (matches, slots),
        };
        let (from, to) = (draft.shards[index].id, draft.shards[to].id);
        let phase = dice.one_of(Phase::ALL);
        let ppm = dice.one_of(&[0, 10_000, 500_000, 1_000_000]);
        let only_in = |wanted| if phase == wanted { ppm } else { 0 };
        if phase == Phase::Ended(Side::To) && pins {
            keyspace.directory.push(Entry {
                matches: matches.clone(),
                slots: slots.clone(),
                target: Target::Shard(to),
                domain: became,
                epoch,
            });
        }
        keyspace.waves.push(Wave {
            domain,
            epoch,
            drained: Epoch::ZERO,
            authority_epoch: dice.epoch(epoch),
            first: Side::To,
            from,
            to,
            phase,
            ramp_ppm: only_in(Phase::ReadNew),
            shadow_ppm: only_in(Phase::ShadowRead),
            strict: false,
            lease_ms: 0,
            slots,
            matches: Some(matches),
            origin,
            pins,
            switching: false,
        });
    }
    assert!(epoch <= last);
    let order = |a: &Entry, b: &Entry| (&a.matches, &a.slots).cmp(&(&b.matches, &b.slots));
    keyspace.directory.sort_by(order);
    if Snapshot::build(next.clone()).is_ok() {
        *draft = next;
    }
}

/// An interval that some of [`key`]'s keys are in.
fn interval(rule: KeyRule, dice: &mut Dice) -> Match {
    if dice.below(3) == 0 {
        return Match::Exact(key(rule, dice));
    }
    let digit = |dice: &mut Dice| dice.below(10) as u8 + b'0';
    let mut start: Vec<u8> = match rule {
        KeyRule::Whole => b"user:".to_vec(),
        KeyRule::HashTag => b"cart:{".to_vec(),
        KeyRule::Parts(_) => Composite::new().str("общий").finish().unwrap(),
    };
    if !matches!(rule, KeyRule::Parts(_)) && dice.below(3) > 0 {
        start.push(digit(dice));
    }
    if dice.below(2) == 0 {
        return Match::Prefix(start);
    }
    let mut end = start.clone();
    *end.last_mut().unwrap() += 1;
    if dice.below(4) == 0 {
        end.clear();
    }
    Match::Range { start, end }
}

/// Makes some of the shards unfenced, and pauses some of their waves.
fn leased(dice: &mut Dice, draft: &mut Draft) {
    if dice.below(3) > 0 {
        return;
    }
    draft.client_lease = Some(ClientLease {
        lease_ms: dice.one_of(&[1, 500, 3_600_000]),
        attempt_ms: dice.one_of(&[1, 200]),
        margin_ms: dice.one_of(&[0, 100]),
    });
    for shard in &mut draft.shards {
        shard.unfenced = dice.below(2) == 0;
    }
    let keyed = draft.clone();
    for wave in draft.keyspaces.iter_mut().flat_map(|k| &mut k.waves) {
        let may = wave.phase.is_carved() && keyed.is_unfenced(wave);
        wave.switching = may && dice.below(2) == 0;
    }
}

fn shard(dice: &mut Dice, n: usize, id: u32) -> Shard {
    let weight = dice.one_of(&[0, 1, 500, 1_000, 3_000, 1_000_000_000]);
    Shard {
        id: ShardId(id),
        name: format!("{}-{n}", dice.one_of(&["pg", "осколок", "a b"])),
        endpoint: dice
            .one_of(&["", "postgres://10.0.0.7:5432/x?y=z"])
            .to_owned(),
        weight: Weight::from_thousandths(weight).unwrap(),
        zone: dice.one_of(&["", "eu-1", "eu-2", "us"]).to_owned(),
        tags: vec!["ssd".to_owned(); dice.below(3)],
        state: dice.one_of(&[ShardState::Active, ShardState::Active, ShardState::Draining]),
        unfenced: false,
    }
}

/// As foreign as a keyspace of 4 bits can be.
const MODULO: Modulo = Modulo {
    hash: ForeignHash::Crc32,
    seed: 0,
    buckets: 3,
    bits: 4,
};

fn keyspace(dice: &mut Dice, draft: &mut Draft, n: usize, waves: usize) -> KeyspaceDraft {
    let vnodes = dice.one_of(&[1, 160, 4_096]);
    let mut keyspace = KeyspaceDraft {
        id: KeyspaceId((n * 2) as u16),
        name: format!("keyspace {n}"),
        bits: dice.one_of(&[4, 5, 7]),
        seed: dice.one_of(&[0, 7, u64::MAX]),
        rule: dice.one_of(&[
            KeyRule::Whole,
            KeyRule::HashTag,
            KeyRule::Parts(1),
            KeyRule::Parts(2),
        ]),
        slotting: dice.one_of(&[Slotting::Xxh3, Slotting::Modulo(MODULO)]),
        placement: dice.one_of(&[Placement::Balanced { vnodes }, Placement::Ring { vnodes }]),
        assignment: Vec::new(),
        homes: Vec::new(),
        directory: Vec::new(),
        waves: Vec::new(),
    };
    let shards = draft.shards.len();
    let table: Vec<ShardIndex> = (0..keyspace.slot_count())
        .map(|_| ShardIndex(dice.below(shards) as u16))
        .collect();
    keyspace.assignment = runs(&table);
    for _ in 0..shards {
        keyspace.homes.push(Home {
            domain: draft.take_domain(),
            epoch: dice.epoch(draft.epoch),
        });
    }
    let mut pins: Vec<Vec<u8>> = (0..dice.below(6))
        .map(|_| key(keyspace.rule, dice))
        .collect();
    pins.sort();
    pins.dedup();
    for pin in pins {
        let matches = Match::Exact(pin);
        keyspace.directory.push(Entry {
            slots: keyspace.slots_of(&matches).unwrap(),
            matches,
            target: Target::Shard(draft.shards[dice.below(shards)].id),
            domain: draft.take_domain(),
            epoch: dice.epoch(draft.epoch),
        });
    }
    let mut free = vec![true; table.len()];
    for _ in 0..waves {
        if shards > 1
            && let Some(wave) = wave(dice, draft, &table, &mut free)
        {
            keyspace.waves.push(wave);
        }
    }
    keyspace
}

/// A wave of some of the `free` slots of one shard.
fn wave(
    dice: &mut Dice,
    draft: &mut Draft,
    table: &[ShardIndex],
    free: &mut [bool],
) -> Option<Wave> {
    let start = dice.below(table.len());
    if !free[start] {
        return None;
    }
    let owner = table[start];
    let slots: Vec<Slot> = (0..table.len())
        .filter(|&slot| free[slot] && table[slot] == owner && (slot == start || dice.below(3) == 0))
        .map(|slot| Slot(slot as u32))
        .collect();
    for slot in &slots {
        free[slot.0 as usize] = false;
    }
    let shards = draft.shards.len();
    let other = (usize::from(owner.0) + 1 + dice.below(shards - 1)) % shards;
    let owner = draft.shards[usize::from(owner.0)].id;
    let other = draft.shards[other].id;
    let phase = dice.one_of(Phase::ALL);
    let (from, to) = match phase {
        Phase::Ended(Side::To) => (other, owner),
        _ => (owner, other),
    };
    let epoch = dice.epoch(draft.epoch);
    let drained = dice.epoch(epoch);
    let ppm = dice.one_of(&[0, 10_000, 500_000, 1_000_000]);
    let only_in = |wanted| if phase == wanted { ppm } else { 0 };
    Some(Wave {
        domain: draft.take_domain(),
        epoch,
        drained: dice.one_of(&[Epoch::ZERO, drained]),
        authority_epoch: dice.epoch(epoch),
        first: dice.one_of(&[Side::From, Side::To]),
        from,
        to,
        phase,
        ramp_ppm: only_in(Phase::ReadNew),
        shadow_ppm: only_in(Phase::ShadowRead),
        strict: dice.below(2) == 0,
        lease_ms: 0,
        slots: slot_runs(slots),
        matches: None,
        origin: None,
        pins: false,
        switching: false,
    })
}

/// A key that the rule takes.
pub(crate) fn key(rule: KeyRule, dice: &mut Dice) -> Vec<u8> {
    let (a, b) = (dice.below(9), dice.below(40));
    match rule {
        KeyRule::Whole => format!("user:{b}").into_bytes(),
        KeyRule::HashTag => format!("cart:{{{b}}}:{a}").into_bytes(),
        KeyRule::Parts(_) => {
            let key = Composite::new().str("общий").int(b as u64).int(a as u64);
            key.finish().unwrap()
        }
    }
}
