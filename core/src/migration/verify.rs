//! Comparing the two sides of a wave: digests of slots, then keys of the slots that differ, then a
//! second look at the keys that differ.
//!
//! Clients go on writing meanwhile, so one look proves nothing: a row may simply be late. A
//! mismatch counts when the authority's row hasn't changed between two looks, copying has caught up
//! in between, and the other side still differs.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde::Serialize;

use crate::digest::{MismatchKind, compare};
use crate::ids::{Slot, Version};
use crate::migration::command::{KeyDigest, SlotDigest};

/// A key on which the two sides differ, looked at twice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Mismatch {
    /// The key.
    pub key: Vec<u8>,
    /// How.
    pub kind: MismatchKind,
}

/// The comparison of one wave, between looks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Verifier {
    authority: Vec<SlotDigest>,
    /// The slots that differed, sorted.
    slots: Vec<Slot>,
    keys: Vec<KeyDigest>,
    /// The keys that differed, with what the authority had at the first look.
    suspects: BTreeMap<Vec<u8>, Option<KeyDigest>>,
    second: BTreeMap<Vec<u8>, KeyDigest>,
    rows: u64,
}

impl Verifier {
    /// The authority's digests.
    pub fn authority_digests(&mut self, digests: Vec<SlotDigest>) {
        self.rows = digests.iter().map(|digest| digest.rows).sum();
        self.authority = digests;
    }

    /// The mirror's digests. Afterwards [`slots`](Self::slots) says which differ.
    pub fn mirror_digests(&mut self, mirror: &[SlotDigest]) {
        let mut all: BTreeMap<Slot, (Option<&SlotDigest>, Option<&SlotDigest>)> = BTreeMap::new();
        for digest in &self.authority {
            all.entry(digest.slot).or_default().0 = Some(digest);
        }
        for digest in mirror {
            all.entry(digest.slot).or_default().1 = Some(digest);
        }
        self.slots = all
            .into_iter()
            .filter(|(_, (authority, mirror))| authority != mirror)
            .map(|(slot, _)| slot)
            .collect();
        self.authority = Vec::new();
    }

    /// The slots that differ, sorted. Empty: the sides are equal.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// How many rows, tombstones too, the authority had.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The authority's keys of those slots.
    pub fn authority_keys(&mut self, keys: Vec<KeyDigest>) {
        self.keys = keys;
    }

    /// The mirror's keys of those slots. Afterwards [`is_suspicious`](Self::is_suspicious) says
    /// whether a second look is needed.
    pub fn mirror_keys(&mut self, mirror: &[KeyDigest]) {
        let authority = core::mem::take(&mut self.keys);
        let mirror: BTreeMap<&[u8], &KeyDigest> = mirror
            .iter()
            .map(|digest| (digest.key.as_slice(), digest))
            .collect();
        let known: BTreeMap<&[u8], &KeyDigest> = authority
            .iter()
            .map(|digest| (digest.key.as_slice(), digest))
            .collect();
        let differs = |key: &[u8]| known.get(key) != mirror.get(key);
        self.suspects = known
            .keys()
            .chain(mirror.keys())
            .filter(|key| differs(key))
            .map(|&key| (key.to_vec(), known.get(key).map(|&digest| digest.clone())))
            .collect();
    }

    /// Whether any key differed at the first look.
    pub fn is_suspicious(&self) -> bool {
        !self.suspects.is_empty()
    }

    /// The keys that differed at the first look, sorted.
    pub fn suspects(&self) -> Vec<Vec<u8>> {
        self.suspects.keys().cloned().collect()
    }

    /// The mirror's keys of those slots, after copying has caught up.
    pub fn second_mirror(&mut self, mirror: Vec<KeyDigest>) {
        self.second = mirror
            .into_iter()
            .map(|digest| (digest.key.clone(), digest))
            .collect();
    }

    /// The authority's keys of those slots, read after the mirror's. Answers the mismatches.
    pub fn second_authority(&mut self, authority: &[KeyDigest]) -> Vec<Mismatch> {
        let now: BTreeMap<&[u8], &KeyDigest> = authority
            .iter()
            .map(|digest| (digest.key.as_slice(), digest))
            .collect();
        let suspects = core::mem::take(&mut self.suspects);
        let second = core::mem::take(&mut self.second);
        suspects
            .into_iter()
            .filter(|(key, first)| now.get(key.as_slice()).copied() == first.as_ref())
            .filter_map(|(key, first)| {
                let kind = compare(state(first.as_ref()), state(second.get(&key)))?;
                Some(Mismatch { key, kind })
            })
            .collect()
    }
}

fn state(digest: Option<&KeyDigest>) -> Option<(Version, u64)> {
    digest.map(|digest| (digest.version, digest.digest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Epoch;
    use alloc::vec;

    fn key(name: &str, counter: u32, digest: u64) -> KeyDigest {
        let version = Version::new(Epoch::FIRST, counter);
        KeyDigest {
            key: name.as_bytes().to_vec(),
            version,
            digest,
        }
    }

    fn slot(slot: u32, sum: u64) -> SlotDigest {
        SlotDigest {
            slot: Slot(slot),
            rows: 1,
            sum,
        }
    }

    fn first_look(authority: Vec<KeyDigest>, mirror: &[KeyDigest]) -> Verifier {
        let mut verifier = Verifier::default();
        verifier.authority_digests(vec![slot(1, 1), slot(2, 7)]);
        verifier.mirror_digests(&[slot(1, 2), slot(2, 7)]);
        assert_eq!(verifier.slots(), [Slot(1)]);
        verifier.authority_keys(authority);
        verifier.mirror_keys(mirror);
        verifier
    }

    #[test]
    fn race_18_a_late_row_is_not_a_mismatch() {
        let mut verifier = first_look(vec![key("a", 2, 20)], &[key("a", 1, 10)]);
        assert!(verifier.is_suspicious());
        verifier.second_mirror(vec![key("a", 2, 20)]);
        assert_eq!(verifier.second_authority(&[key("a", 2, 20)]), []);
    }

    #[test]
    fn race_18_a_row_that_changes_between_the_looks_is_not_a_mismatch() {
        let mut verifier = first_look(vec![key("a", 2, 20)], &[]);
        // Late at both looks, but the authority has gone on between them.
        verifier.second_mirror(vec![key("a", 1, 10)]);
        assert_eq!(verifier.second_authority(&[key("a", 3, 30)]), []);
    }

    #[test]
    fn race_18_every_kind_of_lasting_difference_is_found() {
        let authority = vec![key("a", 2, 20), key("b", 2, 20), key("d", 2, 20)];
        let mirror = [key("a", 1, 10), key("c", 1, 10), key("d", 2, 99)];
        let mut verifier = first_look(authority.clone(), &mirror);
        verifier.second_mirror(mirror.to_vec());
        let found = verifier.second_authority(&authority);
        let kinds: Vec<_> = found.iter().map(|m| (m.key.as_slice(), m.kind)).collect();
        assert_eq!(
            kinds,
            [
                (&b"a"[..], MismatchKind::Stale),
                (&b"b"[..], MismatchKind::Missing),
                (&b"c"[..], MismatchKind::Extra),
                (&b"d"[..], MismatchKind::Different),
            ]
        );
    }
}
