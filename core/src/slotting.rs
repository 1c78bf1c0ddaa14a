//! How a keyspace's hash space is made: our own way, or that of a system that was taken over.
//!
//! Whatever makes it, a key ends up with 20 stored bits whose top bits are its slot. So a foreign
//! placement is a table over slots like any other from its first day, and everything behind the
//! hash (guards, stores, waves, balance) knows nothing of it.

mod ketama;

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

pub(crate) use ketama::Continuum;
pub use ketama::{Ketama, KetamaServer, ketama_digests};

use crate::hash;
use crate::ids::{SLOT_BITS_STORED, Slot};
use crate::key::{KeyError, KeyRule};

/// The slots of Redis Cluster.
pub const REDIS_SLOTS: u32 = 1 << REDIS_BITS;
/// Their bits: the fewest of a keyspace that is slotted as Redis Cluster is.
pub const REDIS_BITS: u8 = 14;

/// From the routing part of a key to its 20 stored bits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Slotting {
    /// The top bits of XXH3-64 under the keyspace's seed.
    #[default]
    Xxh3,
    /// `hash % buckets`, each bucket a run of slots.
    Modulo(Modulo),
    /// Redis Cluster's: its 16,384 slots are the top 14 bits.
    RedisCluster,
    /// A ketama continuum, each arc a run of slots.
    Ketama(Ketama),
}

/// A placement by the remainder of a hash.
///
/// Bucket b has the slots from `b * 2^bits / buckets` up to that of b + 1, in integer division.
/// A key of hash h is in bucket `h % buckets`, and `h / buckets` spreads it over the bucket's
/// slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Modulo {
    /// The hash.
    pub hash: ForeignHash,
    /// What seeds it; 0 for the hashes that take none.
    pub seed: u32,
    /// How many buckets; 1 to `2^bits`.
    pub buckets: u32,
    /// The keyspace's slot bits when it was taken over. Its slots may grow, its runs never move.
    pub bits: u8,
}

/// A hash of somebody else's placement, as its usual implementation has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForeignHash {
    /// zlib's CRC-32, unsigned.
    Crc32,
    /// The first 8 bytes of the MD5 digest, big-endian: `int(md5(key).hexdigest()[:16], 16)`, and
    /// what SQL's `CONV(LEFT(MD5(key), 16), 16, 10)` answers.
    Md5,
    /// The whole MD5 digest, big-endian: `int(md5(key).hexdigest(), 16)`.
    #[serde(rename = "md5-128")]
    Md5Whole,
    /// FNV-1a of 64 bits.
    #[serde(rename = "fnv1a64")]
    Fnv1a64,
    /// `MurmurHash3_x86_32`, unsigned, under the seed.
    Murmur3,
    /// XXH64 under the seed.
    Xxh64,
    /// XXH3-64 under the seed.
    Xxh3,
}

impl ForeignHash {
    /// Whether it takes a seed.
    pub const fn is_seeded(self) -> bool {
        matches!(self, Self::Murmur3 | Self::Xxh64 | Self::Xxh3)
    }

    /// The hash of `bytes`, as a number of up to 128 bits.
    pub fn of(self, bytes: &[u8], seed: u32) -> u128 {
        match self {
            Self::Crc32 => hash::crc32(bytes).into(),
            Self::Md5 => u128::from_be_bytes(hash::md5(bytes)) >> 64,
            Self::Md5Whole => u128::from_be_bytes(hash::md5(bytes)),
            Self::Fnv1a64 => hash::fnv1a64(bytes).into(),
            Self::Murmur3 => hash::murmur3(bytes, seed).into(),
            Self::Xxh64 => hash::xxh64(bytes, seed.into()).into(),
            Self::Xxh3 => hash::xxh3(bytes, seed.into()).into(),
        }
    }
}

impl Slotting {
    /// The slot bits that its runs of slots were made for; the keyspace has as many or more.
    pub const fn bits(&self) -> Option<u8> {
        match self {
            Self::Xxh3 => None,
            Self::Modulo(modulo) => Some(modulo.bits),
            Self::RedisCluster => Some(REDIS_BITS),
            Self::Ketama(ketama) => Some(ketama.bits),
        }
    }

    /// The slots of each bucket, Redis slot or arc at [`bits`](Self::bits): run n ends where run
    /// n + 1 begins, and the last one at `2^bits`. Empty for our own.
    pub fn run_starts(&self) -> Vec<u32> {
        match self {
            Self::Xxh3 => Vec::new(),
            Self::Modulo(modulo) => (0..modulo.buckets).map(|b| modulo.start(b)).collect(),
            Self::RedisCluster => (0..REDIS_SLOTS).collect(),
            Self::Ketama(ketama) => Continuum::of(ketama).starts().collect(),
        }
    }
}

impl Modulo {
    /// The first slot of `bucket`, at its own bits.
    fn start(&self, bucket: u32) -> u32 {
        let slots = u64::from(bucket) << self.bits;
        #[expect(clippy::cast_possible_truncation, reason = "at most 2^20 slots")]
        let start = (slots / u64::from(self.buckets.max(1))) as u32;
        start
    }

    fn place(&self, part: &[u8]) -> Foreign {
        let hash = self.hash.of(part, self.seed);
        let buckets = self.buckets.max(1);
        let bucket = remainder(hash, buckets);
        let finer = SLOT_BITS_STORED.saturating_sub(self.bits);
        let start = self.start(bucket);
        let width = (self.start(bucket + 1) - start) << finer;
        // `hash / buckets % width` without dividing 128 bits.
        let within = remainder(hash, buckets * width.max(1)) / buckets;
        Foreign {
            hash,
            stored: (start << finer) + within,
        }
    }
}

/// `hash % by`, in 64 bits: `by` is 2^22 at most.
fn remainder(hash: u128, by: u32) -> u32 {
    let by = u64::from(by.max(1));
    #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
    let (high, low) = ((hash >> 64) as u64, hash as u64);
    // 2^64 % by, without 2^64.
    let carry = (u64::MAX % by + 1) % by;
    #[expect(clippy::cast_possible_truncation, reason = "less than `by`")]
    let rest = ((high % by * carry + low % by) % by) as u32;
    rest
}

/// From keys to slots, for who asks for many.
#[derive(Clone, Debug)]
pub(crate) struct Placer {
    rule: KeyRule,
    seed: u64,
    bits: u8,
    foreign: Option<ForeignWay>,
}

impl Placer {
    pub(crate) fn new(rule: KeyRule, slotting: &Slotting, seed: u64, bits: u8) -> Self {
        Self {
            rule,
            seed,
            bits,
            foreign: ForeignWay::of(slotting, seed),
        }
    }

    pub(crate) fn slot_of(&self, key: &[u8]) -> Result<Slot, KeyError> {
        let part = self.rule.routing_part(key)?;
        Ok(match &self.foreign {
            None => hash::slot_of(hash::xxh3(part, self.seed), self.bits),
            Some(foreign) => {
                let finer = SLOT_BITS_STORED.saturating_sub(self.bits);
                Slot(foreign.place(part).stored >> finer)
            }
        })
    }
}

/// Where a foreign slotting puts a routing part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Foreign {
    /// The foreign hash, for people.
    pub(crate) hash: u128,
    /// The 20 stored bits.
    pub(crate) stored: u32,
}

/// A foreign slotting, ready for keys.
#[derive(Clone, Debug)]
pub(crate) enum ForeignWay {
    Modulo(Modulo),
    RedisCluster {
        /// Of the bits below Redis's own.
        seed: u64,
    },
    Ketama(Continuum),
}

impl ForeignWay {
    /// Prepares `slotting`; `None` for our own.
    pub(crate) fn of(slotting: &Slotting, seed: u64) -> Option<Self> {
        match slotting {
            Slotting::Xxh3 => None,
            Slotting::Modulo(modulo) => Some(Self::Modulo(*modulo)),
            Slotting::RedisCluster => Some(Self::RedisCluster { seed }),
            Slotting::Ketama(ketama) => Some(Self::Ketama(Continuum::of(ketama))),
        }
    }

    pub(crate) fn place(&self, part: &[u8]) -> Foreign {
        match self {
            Self::Modulo(modulo) => modulo.place(part),
            Self::RedisCluster { seed } => {
                let crc = u32::from(hash::crc16(part));
                // Redis stops at 14 bits. Ours go on, so that a slot can be split.
                let finer = SLOT_BITS_STORED - REDIS_BITS;
                let within = hash::slot_of(hash::xxh3(part, *seed), finer).0;
                Foreign {
                    hash: crc.into(),
                    stored: ((crc % REDIS_SLOTS) << finer) + within,
                }
            }
            Self::Ketama(continuum) => continuum.place(part),
        }
    }
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that fails should say where"
)]
mod tests;
