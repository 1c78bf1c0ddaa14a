//! What several keys cross as, and the parts of a transaction's batch.

#[cfg(feature = "transactions")]
use ringshift::{AttemptKind, Expected, Part};

/// Numbers of one part.
pub(crate) const PART: usize = 12;
/// No number.
pub(crate) const NONE: i64 = -1;
/// No condition.
pub(crate) const ANY: i64 = -2;

#[cfg(feature = "transactions")]
pub(crate) fn numbers(part: &Part) -> [i64; PART] {
    let attempt = &part.attempt;
    let (kind, version) = match attempt.kind {
        AttemptKind::Read => (0, NONE),
        AttemptKind::Write => (1, NONE),
        AttemptKind::Confirm => (2, NONE),
        AttemptKind::Apply { version, .. } => (3, version.to_i64()),
    };
    [
        attempt.id.0.into(),
        attempt.shard.0.into(),
        attempt.keyspace.0.into(),
        attempt.slot.0.into(),
        attempt.stored_slot.into(),
        attempt.fence.domain.0.into(),
        attempt.fence.epoch.get().into(),
        kind,
        version,
        attempt.found_by().map_or(NONE, |id| id.0.into()),
        i64::try_from(part.key).unwrap_or(NONE),
        match part.expected {
            Expected::Any => ANY,
            Expected::Row(None) => NONE,
            Expected::Row(Some(version)) => version.to_i64(),
        },
    ]
}

/// Keys back to back, by where each ends.
pub(crate) fn keys<'k>(bytes: &'k [u8], ends: &[u32]) -> Vec<&'k [u8]> {
    let mut from = 0;
    let keys = ends.iter().map(|&end| {
        let key = bytes.get(from..end as usize).unwrap_or_default();
        from = end as usize;
        key
    });
    keys.collect()
}
