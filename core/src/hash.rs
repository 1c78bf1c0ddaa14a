//! The frozen hash: XXH3-64, and what its bits mean.
//!
//! Every language, every store and every row already written agrees on these few lines, so they
//! never change: a keyspace that wants another spread takes another seed.

mod compat;
mod md5;

use twox_hash::XxHash3_64;

use crate::ids::{SLOT_BITS_STORED, Slot};

pub use compat::{crc16, crc32, fnv1a64, murmur3, xxh64};
pub use md5::md5;

/// How many parts a whole ramp has: [`in_ramp`] counts in parts per million.
pub const RAMP_PPM_MAX: u32 = 1_000_000;

/// The first numbers of the secret that XXH3 has by default.
const SECRET: [u64; 4] = [
    0xbe4b_a423_396c_feb8,
    0x1cad_21f7_2c81_017c,
    0xdb97_9083_e96d_d4de,
    0x1f67_b3b7_a4a4_4072,
];

/// XXH3-64 of `bytes` under `seed`, as in the reference C library (Yann Collet, xxHash 0.8).
///
/// ```
/// use ringshift::hash::xxh3;
/// assert_eq!(xxh3(b"", 0), 0x2d06_8005_38d3_94c2);
/// assert_ne!(xxh3(b"user:42", 0), xxh3(b"user:42", 1));
/// ```
// In WebAssembly once, since its size travels; elsewhere wherever it is called.
#[cfg_attr(target_family = "wasm", inline(never))]
#[cfg_attr(not(target_family = "wasm"), inline)]
#[must_use]
pub fn xxh3(bytes: &[u8], seed: u64) -> u64 {
    match xxh3_17_to_32(bytes, seed) {
        Some(hash) => hash,
        None => xxh3_other(bytes, seed),
    }
}

/// The usual length of a key, where the hash is two products: written out, it costs less than the
/// way to the function that knows all lengths.
#[inline]
fn xxh3_17_to_32(bytes: &[u8], seed: u64) -> Option<u64> {
    let [first_low, first_high, last_low, last_high] = SECRET;
    if !(17..=32).contains(&bytes.len()) || cfg!(target_family = "wasm") {
        return None;
    }
    let sum = (bytes.len() as u64)
        .wrapping_mul(0x9e37_79b1_85eb_ca87)
        .wrapping_add(folded(bytes.first_chunk()?, first_low, first_high, seed))
        .wrapping_add(folded(bytes.last_chunk()?, last_low, last_high, seed));
    let hash = (sum ^ (sum >> 37)).wrapping_mul(0x1656_6791_9e37_79f9);
    Some(hash ^ (hash >> 32))
}

/// Both halves of a product of 128 bits, on each other.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "halves are wanted")]
fn folded(chunk: &[u8; 16], low: u64, high: u64, seed: u64) -> u64 {
    let chunk = u128::from_le_bytes(*chunk);
    let low = chunk as u64 ^ low.wrapping_add(seed);
    let high = (chunk >> 64) as u64 ^ high.wrapping_sub(seed);
    let product = u128::from(low) * u128::from(high);
    product as u64 ^ (product >> 64) as u64
}

#[cfg_attr(not(target_family = "wasm"), inline(never))]
#[cfg_attr(target_family = "wasm", inline)]
fn xxh3_other(bytes: &[u8], seed: u64) -> u64 {
    XxHash3_64::oneshot_with_seed(seed, bytes)
}

/// The slot of a key: the top `bits` bits of the hash of its routing part.
///
/// `bits` is 4 to 20, which was checked when the keyspace was made; outside that range the answer
/// is a number without meaning, never a panic.
///
/// ```
/// use ringshift::{Slot, hash::slot_of};
/// assert_eq!(slot_of(0xabcd_0000_0000_0000, 8), Slot(0xab));
/// ```
#[inline]
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "at most 20 bits are left")]
pub const fn slot_of(hash: u64, bits: u8) -> Slot {
    Slot(hash.wrapping_shr(64 - (bits & 63) as u32) as u32)
}

/// What a store keeps beside a row: the top 20 bits of the hash, whatever the keyspace has now.
///
/// A keyspace that grows from `b` to `b + 1` bits turns slot s into 2s and 2s + 1, and the rows
/// already know which. The slot is `stored_slot(hash) >> (20 - bits)`.
///
/// ```
/// use ringshift::hash::{slot_of, stored_slot};
/// let hash = 0xabcd_e123_0000_0000;
/// assert_eq!(stored_slot(hash), 0xabcde);
/// assert_eq!(slot_of(hash, 8).0, stored_slot(hash) >> 12);
/// ```
#[inline]
#[must_use]
pub const fn stored_slot(hash: u64) -> u32 {
    slot_of(hash, SLOT_BITS_STORED).0
}

/// Whether a key is inside the ramp of wave `wave` that takes `ppm` parts per million.
///
/// The same keys for every client, and a larger ramp contains the smaller one. 0 takes no key,
/// 1,000,000 and above all of them. The wave's number is mixed into the seed, so that the same
/// keys aren't the canaries of every wave.
///
/// ```
/// use ringshift::hash::in_ramp;
/// assert!(in_ramp(b"user:42", 0, 1, 1_000_000));
/// assert!(!in_ramp(b"user:42", 0, 1, 0));
/// ```
#[inline]
#[must_use]
pub fn in_ramp(routing_part: &[u8], seed: u64, wave: u32, ppm: u32) -> bool {
    // The two ends of every migration need no hash.
    if ppm == 0 || ppm >= RAMP_PPM_MAX {
        return ppm != 0;
    }
    xxh3(routing_part, seed ^ u64::from(wave)) % u64::from(RAMP_PPM_MAX) < u64::from(ppm)
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn every_length_has_the_hash_of_the_reference() {
        let bytes: Vec<u8> = (0_u32..600)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect();
        for seed in [0, 1, 0x9e37_79b9_7f4a_7c15, u64::MAX] {
            for length in 0..bytes.len() {
                let key = bytes.get(..length).unwrap_or_default();
                let wanted = XxHash3_64::oneshot_with_seed(seed, key);
                assert_eq!(xxh3(key, seed), wanted, "{length} bytes, seed {seed}");
            }
        }
    }

    #[test]
    fn slots_are_prefixes_of_each_other() {
        let hash = 0x1234_5678_9abc_def0;
        for bits in 4..=20_u8 {
            assert_eq!(slot_of(hash, bits).0, stored_slot(hash) >> (20 - bits));
        }
        assert_eq!(slot_of(u64::MAX, 4), Slot(15));
    }

    #[test]
    fn bits_out_of_range_do_not_panic() {
        for bits in [0, 1, 63, 64, 255] {
            let _ = slot_of(u64::MAX, bits);
        }
    }

    #[test]
    fn the_ramp_takes_about_its_share() {
        let inside = (0..100_000_u32)
            .filter(|n| in_ramp(&n.to_le_bytes(), 9, 3, 250_000))
            .count();
        assert!((24_000..26_000).contains(&inside), "{inside}");
    }

    #[test]
    fn two_waves_take_different_keys() {
        let both = (0..10_000_u32)
            .filter(|n| {
                let key = n.to_le_bytes();
                in_ramp(&key, 0, 1, 100_000) && in_ramp(&key, 0, 2, 100_000)
            })
            .count();
        assert!(both < 200, "{both}");
    }
}
