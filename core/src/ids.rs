//! The small numbers that everything else is made of, each with its range checked once, here.
//!
//! They are separate types so that a slot can't be passed where a shard is meant, and `Ord` and
//! `Hash` so that a machine that holds them can be compared and put into a model checker's table.

use core::fmt;

use serde::{Deserialize, Serialize};

/// The smallest and the largest number of slot bits of a keyspace.
pub const SLOT_BITS_MIN: u8 = 4;
/// See [`SLOT_BITS_MIN`].
pub const SLOT_BITS_MAX: u8 = 20;
/// How many bits of the placement hash a store keeps with a row, so that slots can be split
/// later without rewriting rows. Equal to [`SLOT_BITS_MAX`].
pub const SLOT_BITS_STORED: u8 = SLOT_BITS_MAX;
/// The most shards that a cluster can have: a shard's index fills 16 bits of a table entry.
pub const SHARDS_MAX: usize = 65_535;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// A shard's number, chosen by people, unique in a cluster and never used again.
    ShardId(u32)
}
number! {
    /// A shard's place in the snapshot's list of shards, which is sorted by [`ShardId`].
    ///
    /// It fits 16 bits, so that a slot table has 4-byte entries. It is only meaningful together
    /// with the snapshot that it came from.
    ShardIndex(u16)
}
number! {
    /// A keyspace's number: its place in the snapshot, stable for the life of the cluster.
    KeyspaceId(u16)
}
number! {
    /// A virtual shard: the unit of placement, moving, digesting and load accounting.
    /// In `0..2^bits` of its keyspace.
    Slot(u32)
}
number! {
    /// The unit of fencing: what a guard row, and every operation, names. Never used again.
    DomainId(u32)
}
number! {
    /// A coordinator's term of office. A lower one is refused by every shard that saw a higher.
    Term(u32)
}
number! {
    /// One attempt of one operation: it names the request to the driver, and its reply to the
    /// operation.
    AttemptId(u32)
}
number! {
    /// The number that a shard gives to every row change, increasing per shard. The cursor of
    /// backfill and catch-up. 0 stands before the first change.
    Revision(u64)
}

/// A point in a cluster's routing history, or the fencing epoch of one domain: `0..=2^31 - 1`.
///
/// 0 means "none yet" and is what a fresh shard has seen; every published snapshot is at 1 or
/// more. The limit keeps an epoch exact in JavaScript's numbers, and in the upper half of a
/// signed 64-bit version.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "u32", into = "u32")]
pub struct Epoch(u32);

impl Epoch {
    /// Before the first snapshot.
    pub const ZERO: Self = Self(0);
    /// The first epoch of a cluster.
    pub const FIRST: Self = Self(1);
    /// The last one: 2^31 - 1.
    pub const MAX: Self = Self(i32::MAX as u32);

    /// The epoch `value`, or `None` above 2^31 - 1.
    ///
    /// ```
    /// use ringshift::Epoch;
    /// assert_eq!(Epoch::new(7).map(Epoch::get), Some(7));
    /// assert_eq!(Epoch::new(1 << 31), None);
    /// ```
    pub const fn new(value: u32) -> Option<Self> {
        if value <= Self::MAX.0 {
            Some(Self(value))
        } else {
            None
        }
    }

    /// The number itself.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The epoch after this one, or `None` at the last.
    pub const fn next(self) -> Option<Self> {
        Self::new(self.0 + 1)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A number above [`Epoch::MAX`] was read where an epoch belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochRangeError;

impl fmt::Display for EpochRangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("epoch is above 2^31 - 1")
    }
}

impl core::error::Error for EpochRangeError {}

impl TryFrom<u32> for Epoch {
    type Error = EpochRangeError;
    fn try_from(value: u32) -> Result<Self, Self::Error> {
        Self::new(value).ok_or(EpochRangeError)
    }
}

impl From<Epoch> for u32 {
    fn from(epoch: Epoch) -> Self {
        epoch.0
    }
}

/// What orders the writes of one key: `(authority epoch, counter)`, compared as a pair.
///
/// The authority gives a version to each write. A new authority has a higher epoch, so all its
/// versions beat all of the old one's, without the two ever having to talk.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Version {
    /// The epoch at which the present authority was named.
    pub epoch: Epoch,
    /// Counts the writes of the key under that authority.
    pub counter: u32,
}

impl Version {
    /// Before any write.
    pub const ZERO: Self = Self {
        epoch: Epoch::ZERO,
        counter: 0,
    };

    /// The version `(epoch, counter)`.
    pub const fn new(epoch: Epoch, counter: u32) -> Self {
        Self { epoch, counter }
    }

    /// The version as one signed 64-bit integer, `epoch << 32 | counter`, for stores that compare
    /// one number. The order is the same.
    pub const fn to_i64(self) -> i64 {
        ((self.epoch.0 as i64) << 32) | self.counter as i64
    }

    /// The inverse of [`Version::to_i64`], or `None` when `value` is negative.
    pub const fn from_i64(value: i64) -> Option<Self> {
        if value < 0 {
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the halves of a non-negative i64"
        )]
        let (epoch, counter) = ((value >> 32) as u32, value as u32);
        Some(Self {
            epoch: Epoch(epoch),
            counter,
        })
    }

    /// The version of a key's next write at an authority named at `authority_epoch`.
    ///
    /// `previous` is the version that the key's row has, tombstones included; `floor` the highest
    /// version that a physical delete has removed from the key's slot. The result is above both.
    ///
    /// ```
    /// use ringshift::{Epoch, Version};
    /// let e = |n| Epoch::new(n).unwrap();
    /// let v = Version::next(e(7), None, Version::ZERO);
    /// assert_eq!(v, Version::new(e(7), 0));
    /// assert_eq!(Version::next(e(7), Some(v), Version::ZERO), Version::new(e(7), 1));
    /// assert_eq!(Version::next(e(7), None, Version::new(e(7), 4)), Version::new(e(7), 5));
    /// assert_eq!(Version::next(e(9), Some(v), Version::ZERO), Version::new(e(9), 0));
    /// ```
    pub fn next(authority_epoch: Epoch, previous: Option<Self>, floor: Self) -> Self {
        let base = previous.unwrap_or(Self::ZERO).max(floor);
        let fresh = Self::new(authority_epoch, 0);
        if base < fresh {
            return fresh;
        }
        match base.counter.checked_add(1) {
            Some(counter) => Self::new(base.epoch, counter),
            // 2^32 writes of one key within one epoch: go on in the next epoch's numbers.
            None => Self::new(base.epoch.next().unwrap_or(Epoch::MAX), 0),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.counter)
    }
}

/// A run of consecutive slots: `start..end`, never empty in a validated snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SlotRange {
    /// The first slot.
    pub start: u32,
    /// One after the last.
    pub end: u32,
}

impl SlotRange {
    /// The slots of the run, in order.
    pub fn slots(self) -> impl Iterator<Item = Slot> {
        (self.start..self.end).map(Slot)
    }

    /// How many there are.
    pub const fn len(self) -> u32 {
        self.end.saturating_sub(self.start)
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.end <= self.start
    }

    /// Whether `slot` is one of them.
    pub const fn contains(self, slot: Slot) -> bool {
        self.start <= slot.0 && slot.0 < self.end
    }
}
