//! The best that a careful user can plug into a crate that takes a hasher: XXH3 in one shot.

use std::hash::{BuildHasher, Hash, Hasher};

use twox_hash::XxHash3_64;

use crate::workload::finalized;

/// A key that hashes as its bytes, without a length or an end mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key<'k>(pub(crate) &'k [u8]);

impl Hash for Key<'_> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.0);
    }
}

/// A point of a node on a ring, for crates that leave points to their users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Point {
    pub(crate) node: u32,
    pub(crate) point: u32,
}

/// XXH3-64 of what is written at once, seeded with what was written before.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OneShot(u64);

impl Hasher for OneShot {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        self.0 = XxHash3_64::oneshot_with_seed(self.0, bytes);
    }

    #[inline]
    fn write_u32(&mut self, number: u32) {
        self.write_u64(number.into());
    }

    #[inline]
    fn write_u64(&mut self, number: u64) {
        self.0 = finalized((self.0 ^ number).wrapping_add(0x9e37_79b9_7f4a_7c15));
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

/// Makes them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OneShotBuilder;

impl BuildHasher for OneShotBuilder {
    type Hasher = OneShot;

    #[inline]
    fn build_hasher(&self) -> OneShot {
        OneShot::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_hashed_as_the_floor_hashes_it() {
        let key = b"user:13679457532755275413";
        let hash = OneShotBuilder.hash_one(Key(key));
        assert_eq!(hash, XxHash3_64::oneshot(key));
    }

    #[test]
    fn points_of_one_node_are_apart() {
        let hash = |node, point| OneShotBuilder.hash_one(Point { node, point });
        assert_ne!(hash(0, 0), hash(0, 1));
        assert_ne!(hash(0, 1), hash(1, 0));
    }
}
