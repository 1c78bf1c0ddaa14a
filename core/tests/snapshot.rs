//! The bytes of snapshots: what was written is read back, anything else is refused, and a router
//! keeps the last good one.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test that fails should say where, and its numbers are small"
)]

mod drafts;

use std::sync::Arc;

use drafts::{Dice, draft, drafts};
use proptest::prelude::*;
use ringshift::{
    Draft, Epoch, ErrorCode, Installed, Router, Snapshot, SnapshotError, Topology, TopologyError,
    limits::SNAPSHOT_BYTES_MAX,
};
use sha2::{Digest as _, Sha256};

const HEADER: usize = 10;
const DIGEST: usize = 32;

fn small() -> Snapshot {
    let text = r#"{"cluster":"c","keyspaces":{"k":{"bits":4}},"shards":[{"id":1,"name":"s"}]}"#;
    serde_json::from_str::<Topology>(text)
        .unwrap()
        .snapshot()
        .unwrap()
}

/// The bytes that say that `content` is a snapshot's, with the right length and digest.
fn framed(content: &[u8]) -> Vec<u8> {
    let mut bytes = b"RSHT\x01\0".to_vec();
    bytes.extend((content.len() as u32).to_le_bytes());
    bytes.extend(content);
    let digest = Sha256::digest(&bytes);
    bytes.extend(digest);
    bytes
}

fn content(bytes: &[u8]) -> &[u8] {
    &bytes[HEADER..bytes.len() - DIGEST]
}

fn after(snapshot: &Snapshot, epoch: u32, change: impl FnOnce(&mut Draft)) -> Arc<Snapshot> {
    let mut draft = snapshot.content().clone();
    draft.epoch = Epoch::new(epoch).unwrap();
    change(&mut draft);
    Snapshot::build(draft).unwrap().into()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn what_was_written_is_read_back(draft in drafts(6, 3, 8)) {
        let snapshot = Snapshot::build(draft.clone()).unwrap();
        let bytes = snapshot.encode();
        prop_assert_eq!(&bytes, &snapshot.clone().encode());
        prop_assert_eq!(&bytes, &framed(content(&bytes)));
        prop_assert_eq!(content(&bytes), postcard::to_allocvec(&draft).unwrap());
        let read = Snapshot::decode(&bytes).unwrap();
        prop_assert_eq!(read.content(), &draft);
        prop_assert_eq!(read.digest(), snapshot.digest());
        prop_assert_eq!(&read.digest().0[..], &bytes[bytes.len() - DIGEST..]);
        prop_assert_eq!(read.encode(), bytes);
    }

    #[test]
    fn people_s_form_says_the_same(draft in drafts(6, 3, 8)) {
        let text = serde_json::to_string(&draft).unwrap();
        let read: Draft = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&read, &draft);
        let (ours, theirs) = (Snapshot::build(draft).unwrap(), Snapshot::build(read).unwrap());
        prop_assert_eq!(ours.digest(), theirs.digest());
    }

    #[test]
    fn another_content_has_another_digest(a in drafts(3, 2, 3), b in drafts(3, 2, 3)) {
        let same = a == b;
        let (a, b) = (Snapshot::build(a).unwrap(), Snapshot::build(b).unwrap());
        prop_assert_eq!(a.digest() == b.digest(), same);
        prop_assert_eq!(a.encode() == b.encode(), same);
    }

    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Snapshot::decode(&bytes).is_err());
        // Also behind a header and a digest that are right: the parser itself is asked.
        if let Ok(snapshot) = Snapshot::decode(&framed(&bytes)) {
            prop_assert_eq!(snapshot.encode(), framed(&bytes));
        }
    }

    /// Content that is nearly right, behind a header and a digest that are right.
    #[test]
    fn a_content_that_was_tampered_with_is_refused_or_consistent(
        draft in drafts(4, 2, 4),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let bytes = Snapshot::build(draft).unwrap().encode();
        let mut tampered = content(&bytes).to_vec();
        for (at, byte) in changes {
            let at = at.index(tampered.len());
            tampered[at] = byte;
        }
        let tampered = framed(&tampered);
        if let Ok(read) = Snapshot::decode(&tampered) {
            prop_assert_eq!(read.encode(), tampered);
            prop_assert!(Snapshot::build(read.content().clone()).is_ok());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn every_truncation_is_refused(draft in drafts(4, 2, 4)) {
        let bytes = Snapshot::build(draft).unwrap().encode();
        for length in 0..bytes.len() {
            let error = Snapshot::decode(&bytes[..length]).unwrap_err();
            prop_assert_eq!(error.code(), ErrorCode::SnapshotFormat);
        }
    }

    #[test]
    fn sampled_bit_flips_are_refused(draft in drafts(6, 3, 8), seed in any::<u64>()) {
        let mut bytes = Snapshot::build(draft).unwrap().encode();
        let mut dice = Dice(seed);
        for _ in 0..500 {
            let (at, bit) = (dice.below(bytes.len()), 1 << dice.below(8));
            bytes[at] ^= bit;
            let error = Snapshot::decode(&bytes).unwrap_err();
            prop_assert_eq!(error.code(), ErrorCode::SnapshotFormat);
            bytes[at] ^= bit;
        }
    }
}

#[test]
fn every_bit_flip_and_every_longer_form_is_refused() {
    for snapshot in [small(), Snapshot::build(draft(3, 2, 3, 5)).unwrap()] {
        let mut bytes = snapshot.encode();
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            let error = Snapshot::decode(&bytes).unwrap_err();
            assert_eq!(error.code(), ErrorCode::SnapshotFormat, "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        assert_eq!(Snapshot::decode(&bytes), Ok(snapshot));
        bytes.push(0);
        let error = Snapshot::decode(&bytes).unwrap_err();
        assert!(matches!(error, SnapshotError::Length { .. }), "{error}");
    }
}

#[test]
fn each_way_of_being_wrong_has_its_error() {
    let good = small().encode();
    let refused = |bytes: &[u8]| Snapshot::decode(bytes).unwrap_err();
    assert_eq!(refused(b""), SnapshotError::NotASnapshot);
    assert_eq!(refused(b"RSH"), SnapshotError::NotASnapshot);
    assert_eq!(
        refused(b"PK\x03\x04 and so on"),
        SnapshotError::NotASnapshot
    );
    let with = |at: usize, bytes: &[u8]| {
        let mut all = good.clone();
        all[at..at + bytes.len()].copy_from_slice(bytes);
        all
    };
    assert_eq!(
        refused(&with(4, &[2, 0])),
        SnapshotError::Format { found: 2 }
    );
    assert_eq!(
        refused(&with(4, &[0, 1])),
        SnapshotError::Format { found: 256 }
    );
    assert_eq!(
        refused(&good[..20]),
        SnapshotError::Length {
            expected: good.len() as u64,
            found: 20
        }
    );
    assert_eq!(
        refused(&with(6, &u32::MAX.to_le_bytes())),
        SnapshotError::TooLarge {
            bytes: (1 << 32) - 1 + 42
        }
    );
    assert_eq!(
        refused(&with(good.len() - 1, &[!good[good.len() - 1]])),
        SnapshotError::Damaged
    );
    assert_eq!(refused(&with(HEADER, &[9])), SnapshotError::Damaged);
}

/// One state has one digest: a longer spelling of the same content would be a fork of itself.
#[test]
fn other_spellings_of_the_same_content_are_refused_with_a_right_digest() {
    let good = small().encode();
    let content = content(&good);
    assert!(Snapshot::decode(&framed(content)).is_ok());
    let refused = |content: &[u8]| {
        let error = Snapshot::decode(&framed(content)).unwrap_err();
        assert_eq!(error, SnapshotError::Malformed);
    };
    // The cluster's name has 1 byte; its length, and the epoch behind it, spelt in two bytes.
    assert_eq!(&content[..3], [1, b'c', 1]);
    refused(&[&[0x81, 0], &content[1..]].concat());
    refused(&[&content[..2], &[0x81, 0][..], &content[3..]].concat());
    // Something behind the end; nothing at the end; no UTF-8; an epoch above 2^31 - 1.
    refused(&[content, &[0]].concat());
    refused(&content[..content.len() - 1]);
    refused(&[&[1, 0xff], &content[2..]].concat());
    refused(
        &[
            &content[..2],
            &[0xff, 0xff, 0xff, 0xff, 0x0f][..],
            &content[3..],
        ]
        .concat(),
    );
    // A name of 4 GiB that isn't there.
    refused(&[0xff, 0xff, 0xff, 0xff, 0x0f]);
    refused(b"");
}

#[test]
fn a_right_digest_does_not_excuse_a_broken_rule() {
    let mut draft = small().content().clone();
    draft.epoch = Epoch::ZERO;
    let bytes = framed(&postcard::to_allocvec(&draft).unwrap());
    let error = Snapshot::decode(&bytes).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Topology);
    assert!(matches!(
        error,
        SnapshotError::Topology(TopologyError::Range { .. })
    ));
}

#[test]
fn more_than_64_mib_are_not_built() {
    let mut draft = small().content().clone();
    let shard = draft.shards[0].clone();
    draft.shards = (0..65_535)
        .map(|n| {
            let mut shard = shard.clone();
            shard.id.0 = n;
            shard.name = n.to_string();
            shard.endpoint = "e".repeat(1_024);
            shard
        })
        .collect();
    let home = draft.keyspaces[0].homes[0];
    draft.keyspaces[0].homes = (1..=65_535)
        .map(|n| {
            let mut home = home;
            home.domain.0 = n;
            home
        })
        .collect();
    draft.next_domain.0 = 65_536;
    let error = Snapshot::build(draft.clone()).unwrap_err();
    assert!(
        matches!(error, TopologyError::TooLarge { bytes } if bytes > SNAPSHOT_BYTES_MAX),
        "{error}"
    );
    draft
        .shards
        .iter_mut()
        .for_each(|shard| shard.endpoint.clear());
    let large = Snapshot::build(draft).unwrap();
    assert_eq!(Snapshot::decode(&large.encode()), Ok(large));
}

/// Protects against a laggard that undoes a newer fact: the comparison has three outcomes, and
/// only a newer snapshot takes the place of the one in force.
#[test]
fn race_16_an_older_snapshot_never_takes_the_place_of_a_newer() {
    let first = small();
    let newer = after(&first, 8, |draft| draft.next_domain.0 += 7);
    let mut router = Router::new(newer.clone());
    for older in [1, 3, 7] {
        let older = after(&first, older, |_| {});
        let (ours, theirs) = (newer.epoch(), older.epoch());
        assert_eq!(
            router.install(older),
            Err(SnapshotError::Older { ours, theirs })
        );
        assert_eq!(router.snapshot(), &newer);
    }
    assert_eq!(router.install(newer.clone()), Ok(Installed::Same));
    let newest = after(&first, 9, |_| {});
    assert_eq!(router.install(newest.clone()), Ok(Installed::Replaced));
    assert_eq!(router.snapshot(), &newest);
}

/// Protects the last good snapshot from what arrives out of order, twice, cut short, damaged, from
/// another cluster, or forked.
#[test]
fn race_19_whatever_arrives_the_last_good_snapshot_stays() {
    let first = Snapshot::build(draft(3, 2, 4, 11)).unwrap();
    let good = after(&first, 500_000, |_| {});
    let mut router = Router::new(good.clone());
    let foreign = after(&first, 600_000, |draft| draft.cluster = "other".to_owned());
    let forked = after(&first, 500_000, |draft| draft.next_domain.0 += 1_234);
    let bytes = good.encode();
    let mut damaged = bytes.clone();
    damaged[40] ^= 4;
    let arrivals: [(Vec<u8>, Result<Installed, ErrorCode>); 7] = [
        (first.encode(), Err(ErrorCode::OlderSnapshot)),
        (bytes.clone(), Ok(Installed::Same)),
        (bytes.clone(), Ok(Installed::Same)),
        (
            bytes[..bytes.len() / 2].to_vec(),
            Err(ErrorCode::SnapshotFormat),
        ),
        (damaged, Err(ErrorCode::SnapshotFormat)),
        (foreign.encode(), Err(ErrorCode::ForeignCluster)),
        (forked.encode(), Err(ErrorCode::ForkedSnapshot)),
    ];
    for (bytes, expected) in arrivals {
        let answer = Snapshot::decode(&bytes).and_then(|it| router.install(it.into()));
        assert_eq!(answer.map_err(|error| error.code()), expected);
        assert_eq!(router.snapshot(), &good);
    }
    assert_eq!(
        router.install(forked.clone()),
        Err(SnapshotError::Forked {
            epoch: good.epoch(),
            ours: good.digest(),
            theirs: forked.digest(),
        })
    );
    // A fork isn't sneaked in by way of a copy: the digest decides, not who holds it.
    assert_ne!(*forked, *good);
    assert_eq!(Snapshot::decode(&bytes).unwrap(), *good);
}
