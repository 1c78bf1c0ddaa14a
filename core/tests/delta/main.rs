//! Deltas: a chain of them equals the whole, they are as small as what has changed, and whatever
//! else is offered is refused and changes nothing.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test that fails should say where, and its numbers are small"
)]

#[path = "../drafts/mod.rs"]
mod drafts;
mod history;
mod refused;

use std::sync::Arc;

use drafts::{Dice, drafts};
use history::{Cluster, shard, topology};
use proptest::prelude::*;
use ringshift::migration::{Changes, plan};
use ringshift::{
    Delta, Draft, Entry, Epoch, Home, Match, Phase, Run, ShardId, ShardIndex, ShardState, Slot,
    Snapshot, Target, Weight,
};

/// The bytes of the delta, after it was seen to do what it is for.
#[track_caller]
fn checked(old: &Snapshot, new: &Snapshot) -> Vec<u8> {
    let bytes = old.delta(new).unwrap().encode();
    assert_eq!(bytes, old.delta(new).unwrap().encode());
    let delta = Delta::decode(&bytes).unwrap();
    assert_eq!(delta.encode(), bytes);
    assert_eq!((delta.base(), delta.epoch()), (old.epoch(), new.epoch()));
    let made = old.apply(&delta).unwrap();
    assert_eq!(made.encode(), new.encode());
    assert_eq!(made.content(), new.content());
    bytes
}

/// Each step, the way over all of them, and one delta over all of them.
fn check_chain(history: &[Arc<Snapshot>]) {
    let first = &history[0];
    let mut now = Snapshot::clone(first);
    for pair in history.windows(2) {
        let bytes = checked(&pair[0], &pair[1]);
        now = now.apply(&Delta::decode(&bytes).unwrap()).unwrap();
        checked(first, &pair[1]);
    }
    assert_eq!(now.encode(), history[history.len() - 1].encode());
}

fn later(old: &Snapshot, change: impl FnOnce(&mut Draft)) -> Snapshot {
    let mut draft = old.next_draft().unwrap();
    change(&mut draft);
    Snapshot::build(draft).unwrap()
}

/// The next snapshot, after a change by hand; the same one where the rules don't allow it.
fn edited(old: &Snapshot, dice: &mut Dice) -> Snapshot {
    let Ok(mut draft) = old.next_draft() else {
        return old.clone();
    };
    let (epoch, shards) = (draft.epoch, draft.shards.len());
    let at = dice.below(draft.keyspaces.len());
    match dice.below(9) {
        0 => draft.next_domain.0 += dice.below(1_000) as u32,
        1 => draft.shards[dice.below(shards)].endpoint = "x".repeat(dice.below(40)),
        2 => draft.shards[dice.below(shards)].state = ShardState::Draining,
        3 => {
            // A shard in front of, between or behind the others: every index changes.
            let mut new = shard(dice.below(1_000) as u32);
            new.name = format!("new-{}", new.id);
            let place = draft.shards.partition_point(|known| known.id < new.id);
            draft.shards.insert(place, new);
            for n in 0..draft.keyspaces.len() {
                let domain = draft.take_domain();
                draft.keyspaces[n]
                    .homes
                    .insert(place, Home { domain, epoch });
                for run in &mut draft.keyspaces[n].assignment {
                    run.shard.0 += u16::from(usize::from(run.shard.0) >= place);
                }
            }
        }
        4 => {
            let keyspace = &mut draft.keyspaces[at];
            let mut table = keyspace.table();
            for _ in 0..=dice.below(5) {
                let slot = dice.below(table.len());
                table[slot] = ShardIndex(dice.below(shards) as u16);
            }
            keyspace.set_table(&table);
        }
        5 => {
            let keyspace = &mut draft.keyspaces[at];
            let waves = keyspace.waves.len();
            if waves > 0 {
                keyspace.waves.remove(dice.below(waves));
            }
        }
        6 => {
            // Twice the slots, each cut in two.
            let keyspace = &mut draft.keyspaces[at];
            if keyspace.bits < 10 {
                keyspace.bits += 1;
                keyspace.assignment.iter_mut().for_each(|run| run.len *= 2);
                for run in keyspace.waves.iter_mut().flat_map(|wave| &mut wave.slots) {
                    (run.start, run.end) = (run.start * 2, run.end * 2);
                }
            }
        }
        7 => {
            let domain = draft.take_domain();
            let matches = Match::Exact(drafts::key(draft.keyspaces[at].rule, dice));
            let target = Target::Shard(draft.shards[dice.below(shards)].id);
            let slots = draft.keyspaces[at].slots_of(&matches).unwrap();
            let directory = &mut draft.keyspaces[at].directory;
            let place = directory.partition_point(|entry| entry.matches < matches);
            directory.insert(
                place,
                Entry {
                    matches,
                    slots,
                    target,
                    domain,
                    epoch,
                },
            );
        }
        _ => {
            let mut new = draft.keyspaces[at].clone();
            new.id.0 = 1 + draft.keyspaces[draft.keyspaces.len() - 1].id.0;
            new.name = format!("keyspace {}", new.id);
            (new.directory, new.waves) = (Vec::new(), Vec::new());
            let (len, shard) = (new.slot_count(), ShardIndex(dice.below(shards) as u16));
            new.assignment = vec![Run { len, shard }];
            for home in &mut new.homes {
                home.domain = draft.take_domain();
            }
            draft.keyspaces.push(new);
        }
    }
    Snapshot::build(draft).unwrap_or_else(|_| old.clone())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_chain_over_edits_by_hand_equals_the_whole(draft in drafts(6, 3, 8), seed in any::<u64>()) {
        let mut dice = Dice(seed);
        let mut history = vec![Arc::new(Snapshot::build(draft).unwrap())];
        for _ in 0..6 {
            history.push(Arc::new(edited(&history[history.len() - 1], &mut dice)));
        }
        check_chain(&history);
    }

    /// Whatever the two have in common, also nothing but the name.
    #[test]
    fn any_two_snapshots_have_a_delta(a in drafts(6, 3, 8), b in drafts(6, 3, 8)) {
        let (a, mut b) = (Snapshot::build(a).unwrap(), b);
        b.cluster = a.cluster().to_owned();
        b.epoch = Epoch::MAX;
        let b = Snapshot::build(b).unwrap();
        if a.check_successor(&b).is_ok() {
            checked(&a, &b);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn a_chain_over_migrations_equals_the_whole(
        shards in 2_u32..6,
        bits in 4_u8..9,
        wave_slots in prop::sample::select(vec![0, 3, 40]),
        epoch in prop::sample::select(vec![1, 16_000, 2_000_000_000]),
        seed in any::<u64>(),
    ) {
        let mut dice = Dice(seed);
        let mut topology = topology(shards, bits);
        topology.keyspaces.remove("users");
        let mut cluster = Cluster::new(&topology, Epoch::new(epoch).unwrap());
        let mut history = vec![cluster.snapshot()];
        for round in 0..3 {
            let one = ShardId(1 + dice.below(shards as usize) as u32);
            let changes = match dice.below(3) {
                0 => Changes { add: vec![shard(10 + round)], ..Changes::default() },
                1 if round == 0 => Changes { remove: vec![one], ..Changes::default() },
                _ => Changes { reweight: vec![(one, Weight::from_thousandths(2_500).unwrap())], ..Changes::default() },
            };
            if plan(&cluster.snapshot(), &changes, wave_slots).is_err() {
                continue;
            }
            let back = dice.below(25);
            let seen = cluster.migrate(&changes, wave_slots, usize::MAX, back);
            for pair in seen.windows(2) {
                check_size(&pair[0], &pair[1], checked(&pair[0], &pair[1]).len());
            }
            history.extend(seen.into_iter().skip(1));
        }
        check_chain(&history);
    }
}

/// What a snapshot's waves say but for their slots.
fn waves(snapshot: &Snapshot) -> Vec<(u32, Phase, u32)> {
    let keyspaces = snapshot.content().keyspaces.iter();
    keyspaces
        .flat_map(|keyspace| &keyspace.waves)
        .map(|wave| (wave.domain.0, wave.phase, wave.slot_count()))
        .collect()
}

/// A step of a history, as the limits on deltas know it.
fn check_size(old: &Snapshot, new: &Snapshot, bytes: usize) {
    let (before, after) = (waves(old), waves(new));
    let began: u32 = after
        .iter()
        .filter(|wave| before.iter().all(|known| known.0 != wave.0))
        .map(|wave| wave.2)
        .sum();
    let most = if began > 0 {
        256 + 4 * began as usize
    } else {
        128
    };
    let same_shards = old.content().shards == new.content().shards;
    assert!(
        bytes <= most || !same_shards,
        "{bytes} bytes where {most} are allowed, from {before:?} to {after:?}"
    );
}

#[test]
fn each_step_of_a_migration_is_as_small_as_what_it_changes() {
    // Numbers as long as they get, and slots as scattered as they get.
    let last = Epoch::new(Epoch::MAX.get() - 1_000).unwrap();
    for (bits, epoch) in [(16, Epoch::FIRST), (14, last)] {
        let mut cluster = Cluster::new(&topology(8, bits), epoch);
        let changes = Changes {
            add: vec![shard(9)],
            ..Changes::default()
        };
        let history = cluster.migrate(&changes, 0, 30, 0);
        assert_eq!(history.len(), 30);
        for pair in history.windows(2) {
            check_size(&pair[0], &pair[1], checked(&pair[0], &pair[1]).len());
        }
        check_chain(&history[..12]);
    }
}

#[test]
fn a_phase_advances_in_128_bytes_among_a_thousand_waves_of_scattered_slots() {
    let bits = 20;
    let last = Epoch::new(Epoch::MAX.get() - 10).unwrap();
    let cluster = Cluster::new(&topology(4, bits), last);
    let base = later(&cluster.snapshot(), |draft| {
        let epoch = draft.epoch;
        draft.cluster = "c".repeat(128);
        draft.next_domain.0 = u32::MAX - 5_000;
        let domains: Vec<_> = (0..500).map(|_| draft.take_domain()).collect();
        let keyspace = &mut draft.keyspaces[0];
        let table: Vec<_> = (0..1_u32 << bits)
            .map(|n| ShardIndex(((n >> 3) % 4) as u16))
            .collect();
        keyspace.set_table(&table);
        let of_first: Vec<Slot> = (0..1 << bits)
            .map(Slot)
            .filter(|s| s.0 & 0b11_000 == 0)
            .collect();
        for (n, domain) in domains.into_iter().enumerate() {
            let slots = of_first[n * 64..(n + 1) * 64].iter().copied();
            keyspace.waves.push(ringshift::Wave {
                domain,
                epoch,
                drained: epoch,
                authority_epoch: epoch,
                first: ringshift::Side::To,
                from: ShardId(1),
                to: ShardId(2),
                phase: Phase::ReadNew,
                ramp_ppm: 50_000,
                shadow_ppm: 0,
                strict: false,
                lease_ms: 0,
                slots: ringshift::slot_runs(slots.filter(|slot| slot.0 % 2 == 0)),
                matches: None,
                origin: None,
                pins: false,
                switching: false,
            });
        }
    });
    for n in [0, 250, 499] {
        let next = later(&base, |draft| {
            let epoch = draft.epoch;
            let wave = &mut draft.keyspaces[0].waves[n];
            wave.epoch = epoch;
            wave.drained = epoch;
            wave.authority_epoch = epoch;
            wave.phase = Phase::Reversed;
            wave.ramp_ppm = 0;
            wave.first = ringshift::Side::From;
            let home = &mut draft.keyspaces[0].homes[0];
            home.epoch = epoch;
        });
        let bytes = checked(&base, &next).len();
        assert!(bytes <= 128, "{bytes} bytes");
    }
}

/// What is planned, and then done at once: only what stays of a migration matters here.
fn finished(snapshot: &Snapshot, changes: &Changes) -> Snapshot {
    let log = plan(snapshot, changes, 0).unwrap().log;
    later(snapshot, |draft| {
        let old = snapshot.content();
        let shards = log.enlist.unwrap();
        let epoch = draft.epoch;
        draft.shards = shards;
        for (at, before) in old.keyspaces.iter().enumerate() {
            let owner = |index: ShardIndex| snapshot.shard_id(index).unwrap();
            let mut table: Vec<ShardId> = before.table().into_iter().map(owner).collect();
            for wave in log.planned.iter().filter(|wave| wave.keyspace == before.id) {
                for slot in wave.slots.iter().flat_map(|range| range.slots()) {
                    table[slot.0 as usize] = wave.to;
                }
                draft.next_domain.0 += 1;
            }
            let gone = |shard: &ShardId| log.delist.contains(shard);
            draft.shards.retain(|shard| !gone(&shard.id));
            let homes: Vec<Home> = draft
                .shards
                .clone()
                .iter()
                .map(|shard| {
                    let known = old.index_of(shard.id).and_then(|index| before.home(index));
                    known.copied().unwrap_or_else(|| Home {
                        domain: draft.take_domain(),
                        epoch,
                    })
                })
                .collect();
            let table: Vec<ShardIndex> = table
                .into_iter()
                .map(|id| draft.index_of(id).unwrap())
                .collect();
            let keyspace = &mut draft.keyspaces[at];
            keyspace.homes = homes;
            keyspace.set_table(&table);
        }
    })
}

#[test]
fn after_twenty_migrations_of_64_shards_a_snapshot_has_64_kib_at_most() {
    let mut snapshot = topology(64, 16).snapshot().unwrap();
    let (mut dice, mut next) = (Dice(3), 65);
    for round in 0..20 {
        let ids: Vec<ShardId> = snapshot.content().shards.iter().map(|s| s.id).collect();
        let one = ids[2 + dice.below(ids.len() - 2)];
        let changes = match round % 3 {
            0 => {
                next += 1;
                Changes {
                    add: vec![shard(next)],
                    ..Changes::default()
                }
            }
            1 => Changes {
                remove: vec![one],
                ..Changes::default()
            },
            _ => {
                let weight = Weight::from_thousandths([500, 1_500, 2_000][dice.below(3)]).unwrap();
                Changes {
                    reweight: vec![(one, weight)],
                    ..Changes::default()
                }
            }
        };
        let newer = finished(&snapshot, &changes);
        let bytes = checked(&snapshot, &newer).len();
        let runs = newer.content().keyspaces[0].assignment.len();
        let size = newer.encode().len();
        assert!(
            size <= 64 * 1024,
            "{size} bytes in {runs} runs after {round} migrations"
        );
        assert!(bytes < size / 8, "a delta of {bytes} bytes");
        snapshot = newer;
    }
}
