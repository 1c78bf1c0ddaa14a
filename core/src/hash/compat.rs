//! The hashes of other people's placements, so that a system that shards already can be taken over
//! where its rows are.
//!
//! Each is as its usual implementation has it. They are small rather than fast: a keyspace that was
//! made here has none of them on its path.

use twox_hash::XxHash64;

/// CRC-32 as zlib, gzip, PHP's `crc32()`, Python's `zlib.crc32()` and `MySQL`'s `CRC32()` have it:
/// polynomial 0xEDB88320 reflected, all ones before and after.
///
/// ```
/// // The check value of the catalogue of CRCs.
/// assert_eq!(ringshift::hash::crc32(b"123456789"), 0xcbf4_3926);
/// ```
#[must_use]
pub fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 16] = nibbles();
    let step = |crc: u32| (crc >> 4) ^ TABLE.get(crc as usize % 16).copied().unwrap_or(0);
    !bytes
        .iter()
        .fold(!0, |crc, &byte| step(step(crc ^ u32::from(byte))))
}

/// What four zero bits do to each remainder of four bits.
const fn nibbles() -> [u32; 16] {
    let mut table = [0; 16];
    let mut rest = table.as_mut_slice();
    let mut n = 0;
    while let Some((entry, after)) = rest.split_first_mut() {
        let (mut crc, mut bit) = (n, 0);
        while bit < 4 {
            crc = (crc >> 1) ^ (0xedb8_8320 * (crc & 1));
            bit += 1;
        }
        *entry = crc;
        rest = after;
        n += 1;
    }
    table
}

/// CRC-16 as Redis Cluster has it (XMODEM): polynomial 0x1021, not reflected, from 0.
///
/// ```
/// // The example in Redis Cluster's specification.
/// assert_eq!(ringshift::hash::crc16(b"123456789"), 0x31c3);
/// ```
#[must_use]
pub fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, &byte| {
        (0..8).fold(crc ^ (u16::from(byte) << 8), |crc, _| {
            (crc << 1) ^ (0x1021 * (crc >> 15))
        })
    })
}

/// FNV-1a of 64 bits, as Fowler, Noll and Vo have it.
///
/// ```
/// assert_eq!(ringshift::hash::fnv1a64(b""), 0xcbf2_9ce4_8422_2325);
/// ```
#[must_use]
pub fn fnv1a64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// `MurmurHash3_x86_32`, unsigned: `mmh3.hash(key, seed, signed=False)` in Python, Guava's
/// `murmur3_32_fixed(seed)` read as unsigned.
///
/// ```
/// assert_eq!(ringshift::hash::murmur3(b"", 0), 0);
/// ```
#[must_use]
pub fn murmur3(bytes: &[u8], seed: u32) -> u32 {
    let scramble = |word: u32| {
        let word = word.wrapping_mul(0xcc9e_2d51).rotate_left(15);
        word.wrapping_mul(0x1b87_3593)
    };
    let (blocks, rest) = bytes.as_chunks::<4>();
    let hash = blocks.iter().fold(seed, |hash, block| {
        let hash = (hash ^ scramble(u32::from_le_bytes(*block))).rotate_left(13);
        hash.wrapping_mul(5).wrapping_add(0xe654_6b64)
    });
    let tail = rest
        .iter()
        .rev()
        .fold(0, |word, &byte| (word << 8) | u32::from(byte));
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the specification counts modulo 2^32, and a key has 64 KiB at most"
    )]
    let mut hash = hash ^ scramble(tail) ^ bytes.len() as u32;
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    hash ^ (hash >> 16)
}

/// XXH64 of `bytes` under `seed`, as in the reference C library.
///
/// ```
/// assert_eq!(ringshift::hash::xxh64(b"", 0), 0xef46_db37_51d8_e999);
/// ```
#[must_use]
pub fn xxh64(bytes: &[u8], seed: u64) -> u64 {
    XxHash64::oneshot(seed, bytes)
}
