//! What is no delta, or none for the snapshot at hand.

use std::sync::Arc;

use proptest::prelude::*;
use ringshift::record::{RecordError, advance};
use ringshift::{Delta, DeltaError, ErrorCode, Router, Snapshot, SnapshotError, Topology};

use crate::drafts::{Dice, drafts};
use crate::{checked, edited, later};

/// Where the patch of a delta between epochs below 128 begins.
const PATCH: usize = 4 + 2 + 4 + 8 + 32 + 2;

fn small(cluster: &str) -> Snapshot {
    let text = format!(
        r#"{{"cluster":"{cluster}","keyspaces":{{"k":{{"bits":4}},"l":{{"bits":4}}}},
            "shards":[{{"id":1,"name":"s"}},{{"id":2,"name":"t"}}]}}"#
    );
    let topology: Topology = serde_json::from_str(&text).unwrap();
    topology.snapshot().unwrap()
}

fn refused(base: &Snapshot, bytes: &[u8]) -> SnapshotError {
    let before = base.encode();
    let delta = Delta::decode(bytes).map_err(SnapshotError::from);
    let error = delta.and_then(|delta| base.apply(&delta)).unwrap_err();
    assert_eq!(base.encode(), before);
    error
}

#[test]
fn each_way_of_being_wrong_has_its_error() {
    let base = small("c");
    let newer = later(&base, |draft| draft.next_domain.0 += 7);
    let newest = later(&newer, |draft| draft.next_domain.0 += 8);
    let good = checked(&base, &newer);
    let wrong = |bytes: &[u8]| match refused(&base, bytes) {
        SnapshotError::Delta(error) => error,
        other => panic!("{other}"),
    };
    assert_eq!(wrong(b""), DeltaError::NotADelta);
    assert_eq!(wrong(&base.encode()), DeltaError::NotADelta);
    let mut later_format = good.clone();
    later_format[4] = 2;
    assert_eq!(wrong(&later_format), DeltaError::Format { found: 2 });

    let (ours, theirs) = (base.epoch(), newer.epoch());
    let ahead = newer.delta(&newest).unwrap().encode();
    assert_eq!(wrong(&ahead), DeltaError::Base { ours, theirs });
    // The same epoch, with other content: whoever asks for the whole hears of the fork.
    let fork = later(&base, |draft| draft.next_domain.0 += 9);
    let theirs = fork.epoch();
    assert_eq!(
        fork.apply(&Delta::decode(&ahead).unwrap()),
        Err(DeltaError::Base {
            ours: theirs,
            theirs
        }
        .into())
    );
    let other = small("d");
    let foreign = other
        .delta(&later(&other, |draft| draft.next_domain.0 += 7))
        .unwrap();
    let ours = "c".to_owned();
    assert_eq!(wrong(&foreign.encode()), DeltaError::Foreign { ours });

    let mut damaged = good.clone();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    assert_eq!(wrong(&damaged), DeltaError::Damaged);
    assert_eq!(wrong(&good[..last]), DeltaError::Malformed);
    assert_eq!(wrong(&[&good[..], &[0]].concat()), DeltaError::Malformed);
    // Bytes that it says are there, and aren't.
    let front = &good[..PATCH];
    for patch in [
        &[0xff, 0xff, 0xff, 0xff, 0x0f][..],
        &[3, 0xff, 0x7f, 0],
        &[3, 0, 0xff, 0x7f],
        &[6, 0, 0, 0xff, 0xff, 0xff, 0x0f],
        // Moves: no such keyspace, no such wave, slots past the end, slots that move twice.
        &[0, 2, 0],
        &[0, 0, 1, 0, 1],
        &[0, 0, 1, 0, 0, 1, 15, 2],
        &[0, 0, 1, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, 1],
        &[0, 0, 2, 0, 0, 1, 0, 16, 1, 0, 1, 0, 1],
        // The first keyspace twice.
        &[0, 0, 0, 1, 0],
    ] {
        let forged = [front, patch].concat();
        assert_eq!(wrong(&forged), DeltaError::Malformed, "{patch:?}");
    }
    // What it makes breaks a rule: epoch 0.
    let broken = [front, &[4, 2, 1, 1, 0]].concat();
    assert_eq!(refused(&base, &broken).code(), ErrorCode::Topology);
}

#[test]
fn there_is_no_delta_back_or_across() {
    let base = small("c");
    let newer = later(&base, |draft| draft.next_domain.0 += 7);
    let fork = later(&base, |draft| draft.next_domain.0 += 9);
    let code = |old: &Snapshot, new: &Snapshot| old.delta(new).unwrap_err().code();
    assert_eq!(code(&newer, &base), ErrorCode::OlderSnapshot);
    assert_eq!(code(&newer, &fork), ErrorCode::ForkedSnapshot);
    assert_eq!(code(&base, &small("d")), ErrorCode::ForeignCluster);
    assert!(checked(&base, &base).len() < 64);
}

#[test]
fn bytes_say_themselves_whether_they_are_a_delta() {
    let base = small("c");
    let newer = later(&base, |draft| draft.next_domain.0 += 7);
    let mut router = Router::new(base.clone().into());
    let delta = checked(&base, &newer);
    let made = advance(router.snapshot(), &delta).unwrap();
    router.install(made).unwrap();
    assert_eq!(router.snapshot().encode(), newer.encode());
    // Behind it, only the whole leads on; and what is neither says so.
    let error = advance(router.snapshot(), &delta).unwrap_err();
    assert_eq!(error.code(), ErrorCode::DeltaBase);
    assert_eq!(*advance(&base, &newer.encode()).unwrap(), newer);
    assert_eq!(advance(&base, b"<html>"), Err(RecordError::Unknown));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Delta::decode(&bytes).is_err());
        let base = small("c");
        let newer = later(&base, |draft| draft.next_domain.0 += 7);
        let front = base.delta(&newer).unwrap().encode();
        let forged = [&front[..PATCH], &bytes].concat();
        let made = base.apply(&Delta::decode(&forged).unwrap());
        prop_assert!(made.is_err() || made.unwrap().encode() == newer.encode());
    }

    /// Nearly right is wrong, or makes what it was made for all the same.
    #[test]
    fn a_changed_delta_never_makes_another_snapshot(
        draft in drafts(5, 3, 6),
        seed in any::<u64>(),
    ) {
        let mut dice = Dice(seed);
        let base = Snapshot::build(draft).unwrap();
        prop_assume!(base.next_draft().is_ok());
        let newer = edited(&base, &mut dice);
        let good = base.delta(&newer).unwrap().encode();
        for _ in 0..100 {
            let mut bytes = good.clone();
            for _ in 0..=dice.below(2) {
                let at = dice.below(bytes.len());
                match dice.below(3) {
                    0 => bytes[at] ^= 1 << dice.below(8),
                    1 => bytes[at] = dice.draw() as u8,
                    _ => bytes.truncate(at.max(1)),
                }
            }
            let Ok(delta) = Delta::decode(&bytes) else { continue };
            match base.apply(&delta) {
                Ok(made) => prop_assert_eq!(made.encode(), newer.encode()),
                Err(error) => {
                    let router = Router::new(Arc::new(base.clone()));
                    prop_assert!(!error.to_string().is_empty());
                    prop_assert_eq!(router.snapshot().encode(), base.encode());
                }
            }
        }
    }
}
