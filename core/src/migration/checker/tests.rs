use super::*;
use crate::ids::{Epoch, SlotRange, Version};
use crate::phase::{Phase, Side};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use proptest::prelude::*;

const A: ShardId = ShardId(1);
const B: ShardId = ShardId(2);
const KEYSPACE: KeyspaceId = KeyspaceId(0);

fn wave(domain: u32, epoch: u32) -> Wave {
    Wave {
        domain: DomainId(domain),
        epoch: Epoch::new(epoch).unwrap(),
        drained: Epoch::ZERO,
        authority_epoch: Epoch::FIRST,
        first: Side::To,
        from: A,
        to: B,
        phase: Phase::DoubleWrite,
        ramp_ppm: 0,
        shadow_ppm: 0,
        strict: false,
        lease_ms: 0,
        slots: vec![
            SlotRange { start: 3, end: 5 },
            SlotRange { start: 9, end: 73 },
        ],
        matches: None,
        origin: None,
        pins: false,
        switching: false,
    }
}

fn digest(key: u32, digest: u64) -> KeyDigest {
    KeyDigest {
        key: key.to_be_bytes().to_vec(),
        version: Version::new(Epoch::FIRST, 0),
        digest,
    }
}

/// Two sides, one key a slot, by slot.
type Sides = BTreeMap<ShardId, BTreeMap<u32, u64>>;

fn carry_out(sides: &Sides, command: &Command) -> Vec<KeyDigest> {
    let rows = |shard: &ShardId, slots: &[Slot]| {
        let held = sides[shard].iter();
        held.filter(|(slot, _)| slots.contains(&Slot(**slot)))
            .map(|(&slot, &value)| digest(slot, value))
            .collect::<Vec<_>>()
    };
    match command {
        Command::Sample {
            shard,
            slots,
            seed,
            limit,
            ..
        } => crate::migration::command::sample(rows(shard, slots), *seed, *limit),
        Command::Look {
            shard, slots, keys, ..
        } => {
            let mut found = rows(shard, slots);
            found.retain(|digest| keys.contains(&digest.key));
            found
        }
        other => panic!("{other:?}"),
    }
}

fn equal_sides() -> Sides {
    let rows: BTreeMap<u32, u64> = (3..5).chain(9..73).map(|slot| (slot, 1)).collect();
    [(A, rows.clone()), (B, rows)].into()
}

/// One round, with `between` while it waits for copying.
fn round(
    checker: &mut Checker,
    settings: &Checks,
    sides: &mut Sides,
    now: u64,
    between: impl FnOnce(&mut Sides),
) -> Vec<Mismatch> {
    let wave = wave(5, 1);
    assert!(checker.begin(Instant::from_millis(now), settings, 0, &[&wave]));
    let mut between = Some(between);
    while let Some((domain, step)) = checker.next(&[&wave]) {
        if step == CheckStep::CatchUp {
            if let Some(between) = between.take() {
                between(sides);
            }
            assert!(checker.handle_caught_up(domain));
            continue;
        }
        let command = checker.command(settings, KEYSPACE, A, B).unwrap();
        let (next, found) = checker.handle_keys(settings, carry_out(sides, &command));
        if next.is_none() {
            return found;
        }
    }
    Vec::new()
}

fn settings() -> Checks {
    Checks {
        keys_per_round: 8,
        ..Checks::default()
    }
}

#[test]
fn rounds_keep_to_the_keys_a_minute() {
    let (mut checker, settings) = (Checker::default(), Checks::default());
    let wave = wave(5, 1);
    let mut begin = |ms| checker.begin(Instant::from_millis(ms), &settings, 0, &[&wave]);
    assert!(begin(0));
    assert!(!begin(2_999));
    assert!(begin(3_000), "50 keys each 3 s are 1,000 a minute");
    assert!(!Checker::default().begin(Instant::NEVER, &Checks::OFF, 0, &[&wave]));
    assert!(!Checker::default().begin(Instant::ZERO, &settings, 0, &[]));
}

#[test]
fn equal_sides_show_no_mismatch_and_every_key_is_looked_at_some_day() {
    let (mut checker, settings, mut sides) = (Checker::default(), settings(), equal_sides());
    let mut seen = BTreeSet::new();
    for i in 0..200 {
        let wave = wave(5, 1);
        assert!(checker.begin(Instant::from_millis(i * 60_000), &settings, 0, &[&wave]));
        let command = checker.command(&settings, KEYSPACE, A, B).unwrap();
        let keys = carry_out(&sides, &command);
        assert!(keys.len() <= 8);
        seen.extend(keys.iter().map(|digest| digest.key.clone()));
        checker.handle_keys(&settings, keys);
        checker.handle_silence();
    }
    assert_eq!(seen.len(), 66);
    for i in 300..400 {
        assert_eq!(
            round(&mut checker, &settings, &mut sides, i * 60_000, |_| ()),
            []
        );
    }
}

#[test]
fn a_bad_row_is_found_on_either_side_within_some_rounds() {
    for (side, slot, value) in [(B, 20, Some(2)), (B, 20, None), (A, 40, None)] {
        let (mut checker, settings, mut sides) = (Checker::default(), settings(), equal_sides());
        let rows = sides.get_mut(&side).unwrap();
        match value {
            Some(value) => rows.insert(slot, value),
            None => rows.remove(&slot),
        };
        let found = (0..400).find_map(|i| {
            let found = round(&mut checker, &settings, &mut sides, i * 60_000, |_| ());
            (!found.is_empty()).then_some(found)
        });
        let found = found.expect("it is found");
        assert_eq!(found[0].key, slot.to_be_bytes());
        assert_eq!(checker.figures().mismatches, 1);
    }
}

#[test]
fn race_18_a_row_that_was_only_late_does_not_count() {
    let (mut checker, settings) = (Checker::default(), settings());
    let mut suspects = 0;
    for i in 0..100 {
        let mut sides = equal_sides();
        sides.get_mut(&B).unwrap().insert(20, 2);
        let heal = |sides: &mut Sides| {
            sides.get_mut(&B).unwrap().insert(20, 1);
        };
        assert_eq!(
            round(&mut checker, &settings, &mut sides, i * 60_000, heal),
            []
        );
        suspects = checker.figures().suspects;
    }
    assert!(suspects > 0, "the first look did see it");
}

#[test]
fn a_round_ends_with_its_wave_s_epoch_and_with_silence() {
    let (mut checker, settings) = (Checker::default(), settings());
    let old = wave(5, 1);
    assert!(checker.begin(Instant::ZERO, &settings, 0, &[&old]));
    assert!(checker.next(&[&old]).is_some());
    assert_eq!(checker.next(&[&wave(5, 2)]), None);
    assert!(checker.begin(Instant::from_millis(60_000), &settings, 0, &[&old]));
    checker.handle_silence();
    assert_eq!(checker.next(&[&old]), None);
    assert!(!checker.handle_caught_up(DomainId(5)));
}

proptest! {
    #[test]
    fn only_slots_of_the_wave_are_asked_for(seed: u64, salt: u64, rounds in 1..40_u64) {
        let settings = Checks { seed, ..settings() };
        let (mut checker, wave) = (Checker::default(), wave(5, 1));
        let mut again = Checker::default();
        for i in 0..rounds {
            let now = Instant::from_millis(i * 60_000);
            prop_assert!(checker.begin(now, &settings, salt, &[&wave]));
            prop_assert!(again.begin(now, &settings, salt, &[&wave]));
            prop_assert_eq!(&checker, &again, "the same facts, the same choice");
            let command = checker.command(&settings, KEYSPACE, A, B);
            let Some(Command::Sample { slots, .. }) = command else {
                return Err(TestCaseError::fail("no sample"));
            };
            prop_assert!(!slots.is_empty());
            prop_assert!(slots.iter().all(|&slot| wave.contains(slot)));
            checker.handle_keys(&settings, Vec::new());
            again.handle_keys(&settings, Vec::new());
        }
    }
}
