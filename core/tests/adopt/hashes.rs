//! Our small hashes against well-known crates.

use crc::{CRC_16_XMODEM, Crc};
use fnv::FnvHasher;
use md5::{Digest as _, Md5};
use proptest::prelude::*;
use ringshift::hash;
use std::hash::Hasher as _;

pub(crate) fn fnv(bytes: &[u8]) -> u64 {
    let mut hasher = FnvHasher::default();
    hasher.write(bytes);
    hasher.finish()
}

/// As Redis Cluster's specification says it, by its words.
pub(crate) fn redis_slot(key: &[u8]) -> u32 {
    let tag = key.iter().position(|&b| b == b'{').and_then(|open| {
        let length = key[open + 1..].iter().position(|&b| b == b'}')?;
        (length > 0).then(|| &key[open + 1..open + 1 + length])
    });
    let crc = Crc::<u16>::new(&CRC_16_XMODEM).checksum(tag.unwrap_or(key));
    u32::from(crc) % 16_384
}

fn agree(bytes: &[u8], seed: u32) {
    assert_eq!(hash::crc32(bytes), crc32fast::hash(bytes));
    assert_eq!(
        hash::crc16(bytes),
        Crc::<u16>::new(&CRC_16_XMODEM).checksum(bytes)
    );
    assert_eq!(hash::md5(bytes)[..], Md5::digest(bytes)[..]);
    assert_eq!(hash::fnv1a64(bytes), fnv(bytes));
    assert_eq!(
        hash::murmur3(bytes, seed),
        murmur3::murmur3_32(&mut &*bytes, seed).unwrap()
    );
    assert_eq!(
        hash::xxh64(bytes, seed.into()),
        xxhash_rust::xxh64::xxh64(bytes, seed.into())
    );
}

/// Every length over two blocks of the longest kind, each byte another.
#[test]
fn every_length_agrees() {
    let bytes: Vec<u8> = (0..300_u32).map(|n| (n * 7 + n / 256 + 3) as u8).collect();
    for length in 0..bytes.len() {
        agree(&bytes[..length], length as u32);
    }
}

proptest! {
    #[test]
    fn any_bytes_agree(bytes in prop::collection::vec(any::<u8>(), 0..2_000), seed in any::<u32>()) {
        agree(&bytes, seed);
    }
}
