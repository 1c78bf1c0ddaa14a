//! Overrides in front of the slots: keys that live where they are told to.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use crate::error::ErrorCode;

/// No place in the entries.
const FREE: u32 = u32::MAX;

/// The most overrides of one keyspace.
pub const OVERRIDES_MAX: usize = 1_000_000;

/// The keys that have an entry of their own, ready for lookup.
///
/// The hash comes from outside, so nothing here is random: a lookup in every process takes the
/// same path.
#[derive(Clone, Debug, Default)]
pub struct ExactTable {
    /// Places in `entries`, or [`FREE`]: each at its hash, or at the next free place after it. As
    /// many as a power of two, and never more than half of them taken.
    places: Vec<u32>,
    /// The entries, in the order in which they were given.
    entries: Vec<(u64, Vec<u8>)>,
}

impl ExactTable {
    /// The table of `entries`: each a whole key, and `xxh3(key, seed)` of all its bytes.
    ///
    /// The hash of the whole key, even where only a part of it decides the slot: entries that
    /// share a routing part would otherwise all lie in one heap, and a lookup would search it.
    /// Under [`KeyRule::Whole`](crate::KeyRule::Whole) it is the same hash.
    ///
    /// Errors: [`DirectoryError::Duplicate`] for a key given twice, [`DirectoryError::TooMany`]
    /// above [`OVERRIDES_MAX`].
    ///
    /// ```
    /// use ringshift::{ExactTable, hash::xxh3};
    /// let entry = |key: &[u8]| (key.to_vec(), xxh3(key, 0));
    /// let table = ExactTable::build([entry(b"celebrity"), entry(b"loadtest")])?;
    /// assert_eq!(table.get(xxh3(b"loadtest", 0), b"loadtest"), Some(1));
    /// assert_eq!(table.get(xxh3(b"nobody", 0), b"nobody"), None);
    /// assert!(ExactTable::build([entry(b"twice"), entry(b"twice")]).is_err());
    /// # Ok::<(), ringshift::DirectoryError>(())
    /// ```
    pub fn build(
        entries: impl IntoIterator<Item = (Vec<u8>, u64)>,
    ) -> Result<Self, DirectoryError> {
        let mut all: Vec<(u64, Vec<u8>)> = Vec::new();
        for (key, hash) in entries {
            if all.len() >= OVERRIDES_MAX {
                return Err(DirectoryError::TooMany);
            }
            all.push((hash, key));
        }
        let mut table = Self {
            places: vec![FREE; (2 * all.len()).next_power_of_two()],
            entries: all,
        };
        for (second, (hash, key)) in (0_u32..).zip(&table.entries) {
            match find(&table.places, &table.entries, *hash, key) {
                (_, Some(first)) => return Err(DirectoryError::Duplicate { first, second }),
                (free, None) => {
                    if let Some(place) = table.places.get_mut(free) {
                        *place = second;
                    }
                }
            }
        }
        Ok(table)
    }

    /// Which entry has exactly this key, counted from 0 in the order they were given; `hash` as
    /// in [`ExactTable::build`].
    #[inline]
    #[must_use]
    pub fn get(&self, hash: u64, key: &[u8]) -> Option<usize> {
        let (_, found) = find(&self.places, &self.entries, hash, key);
        found.and_then(|place| usize::try_from(place).ok())
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// Where in `places` the search for a key ends, and which entry has it, if one does.
fn find(places: &[u32], entries: &[(u64, Vec<u8>)], hash: u64, key: &[u8]) -> (usize, Option<u32>) {
    let last = places.len().wrapping_sub(1);
    #[expect(clippy::cast_possible_truncation, reason = "the low bits are wanted")]
    let mut at = hash as usize & last;
    // Half of them are free, so the search ends; of none, at once.
    while let Some(&place) = places.get(at) {
        let entry = entries.get(place as usize);
        match entry {
            Some((other, bytes)) if *other == hash && bytes == key => return (at, Some(place)),
            Some(_) => at = (at + 1) & last,
            None => break,
        }
    }
    (at, None)
}

/// Why overrides can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DirectoryError {
    /// Two entries have the same key.
    Duplicate {
        /// The place of the first, counted from 0.
        first: u32,
        /// The place of the second.
        second: u32,
    },
    /// More than [`OVERRIDES_MAX`].
    TooMany,
}

impl DirectoryError {
    /// The slug: `topology`.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Duplicate { .. } | Self::TooMany => ErrorCode::Topology,
        }
    }
}

impl fmt::Display for DirectoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate { first, second } => {
                write!(
                    f,
                    "overrides {first} and {second} have the same key; keep one of them"
                )
            }
            Self::TooMany => write!(f, "there are more than {OVERRIDES_MAX} overrides"),
        }
    }
}

impl core::error::Error for DirectoryError {}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that fails should say where")]
mod tests {
    use super::*;
    use crate::hash::xxh3;

    #[test]
    fn every_key_is_found_and_no_other() {
        let key = |n: u32| n.to_le_bytes().to_vec();
        let entries = (0..10_000).map(|n| (key(n), xxh3(&key(n), 5)));
        let table = ExactTable::build(entries).unwrap();
        assert_eq!(table.len(), 10_000);
        for n in 0..20_000 {
            let expected = (n < 10_000).then_some(n as usize);
            assert_eq!(table.get(xxh3(&key(n), 5), &key(n)), expected);
        }
    }

    #[test]
    fn equal_hashes_are_told_apart_by_the_key() {
        let table = ExactTable::build((0..50).map(|n| ([n].to_vec(), 1))).unwrap();
        assert_eq!(table.get(1, &[49]), Some(49));
        assert_eq!(table.get(1, &[50]), None);
        assert_eq!(table.get(2, &[49]), None);
    }

    #[test]
    #[cfg_attr(miri, ignore = "a million steps, and none that the others don't take")]
    fn duplicates_and_crowds_are_refused() {
        let error = ExactTable::build([7, 8, 7].map(|n| ([n].to_vec(), n.into()))).unwrap_err();
        assert_eq!(
            error,
            DirectoryError::Duplicate {
                first: 0,
                second: 2
            }
        );
        assert_eq!(error.code(), ErrorCode::Topology);
        let crowd = |n| ExactTable::build((0..n).map(|n: u64| (n.to_le_bytes().to_vec(), n)));
        assert_eq!(crowd(1_000_001).unwrap_err(), DirectoryError::TooMany);
        assert_eq!(crowd(1_000_000).unwrap().len(), OVERRIDES_MAX);
    }

    #[test]
    fn an_empty_table_finds_nothing() {
        let table = ExactTable::build([]).unwrap();
        assert!(table.is_empty());
        assert_eq!(table.get(0, b""), None);
    }
}
