//! What two shards compare: a number for a row, summed for a slot; and how two rows differ.

use serde::Serialize;

use crate::hash::xxh3;
use crate::ids::Version;

/// Keeps the sampling of shadow reads apart from that of ramps.
const SHADOW_SALT: u64 = 0x5ad0_3ead_0000_0000;

/// Whether a key's reads are compared in shadow-read, when `ppm` of a million keys are.
///
/// The same keys for every client; other keys than the ramp's.
///
/// ```
/// assert!(ringshift::in_shadow(b"user:42", 0, 3, 1_000_000));
/// assert!(!ringshift::in_shadow(b"user:42", 0, 3, 0));
/// ```
pub fn in_shadow(routing_part: &[u8], seed: u64, wave: u32, ppm: u32) -> bool {
    crate::hash::in_ramp(routing_part, seed ^ SHADOW_SALT, wave, ppm)
}

/// A number for a row's whole state, the same wherever it is stored: key, version, and the value
/// or, with `None`, the tombstone.
///
/// Rows are summed (wrapping) into a slot's digest, so the order of walking them doesn't matter.
///
/// ```
/// use ringshift::{Epoch, Version, row_digest};
/// let version = Version::new(Epoch::FIRST, 0);
/// assert_ne!(row_digest(b"k", version, Some(b"")), row_digest(b"k", version, None));
/// ```
pub fn row_digest(key: &[u8], version: Version, value: Option<&[u8]>) -> u64 {
    let state = match value {
        Some(value) => xxh3(value, 1),
        None => 0,
    };
    let version = u64::from(version.epoch.get()) << 32 | u64::from(version.counter);
    xxh3(
        key,
        state ^ version.rotate_left(17) ^ u64::from(value.is_some()),
    )
}

/// How a key differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MismatchKind {
    /// The mirror has nothing.
    Missing,
    /// The authority has nothing.
    Extra,
    /// The mirror has an older version.
    Stale,
    /// The mirror has the same version with other content, or a newer one.
    Different,
}

/// How what a mirror has, as (version, digest), differs from what its authority has.
pub fn compare(
    authority: Option<(Version, u64)>,
    mirror: Option<(Version, u64)>,
) -> Option<MismatchKind> {
    match (authority, mirror) {
        (None, None) => None,
        (Some(_), None) => Some(MismatchKind::Missing),
        (None, Some(_)) => Some(MismatchKind::Extra),
        (Some(authority), Some(mirror)) if authority == mirror => None,
        (Some(authority), Some(mirror)) if mirror.0 < authority.0 => Some(MismatchKind::Stale),
        (Some(_), Some(_)) => Some(MismatchKind::Different),
    }
}
