//! The canonical bytes of a snapshot, and the only parser of them.
//!
//! ```text
//! "RSHT"  u16 format  u32 length of the content  content (postcard)  SHA-256 of all before
//! ```
//! All numbers little-endian. The digest covers the header too, so that no bit can change unseen;
//! content that postcard would write otherwise (an overlong number, say) is refused, so that one
//! state has exactly one digest.

use alloc::vec::Vec;

use sha2::{Digest as _, Sha256};

use crate::snapshot::error::{SnapshotError, TopologyError};
use crate::snapshot::limits::SNAPSHOT_BYTES_MAX;
use crate::snapshot::{Digest, Draft, content};

const MAGIC: [u8; 4] = *b"RSHT";
const FORMAT: u16 = 1;
const HEADER_BYTES: usize = 4 + 2 + 4;
const DIGEST_BYTES: usize = 32;

/// Header and content, without the digest.
fn body(draft: &Draft) -> Result<Vec<u8>, TopologyError> {
    let content = content::encode(draft);
    let bytes = HEADER_BYTES + content.len() + DIGEST_BYTES;
    let length = u32::try_from(content.len()).map_err(|_| TopologyError::TooLarge { bytes })?;
    if bytes > SNAPSHOT_BYTES_MAX {
        return Err(TopologyError::TooLarge { bytes });
    }
    let mut body = Vec::with_capacity(bytes);
    body.extend_from_slice(&MAGIC);
    body.extend_from_slice(&FORMAT.to_le_bytes());
    body.extend_from_slice(&length.to_le_bytes());
    body.extend_from_slice(&content);
    Ok(body)
}

fn sha256(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

pub(super) fn digest(draft: &Draft) -> Result<Digest, TopologyError> {
    body(draft).map(|body| sha256(&body))
}

pub(super) fn encode(draft: &Draft, digest: &Digest) -> Vec<u8> {
    // A built snapshot has been through `digest`, so its body is known to be encodable.
    let mut bytes = body(draft).unwrap_or_default();
    bytes.extend_from_slice(&digest.0);
    bytes
}

pub(super) fn decode(bytes: &[u8]) -> Result<(Draft, Digest), SnapshotError> {
    let (magic, rest) = bytes
        .split_first_chunk::<4>()
        .ok_or(SnapshotError::NotASnapshot)?;
    if *magic != MAGIC {
        return Err(SnapshotError::NotASnapshot);
    }
    let short = |expected: usize| SnapshotError::Length {
        expected: expected as u64,
        found: bytes.len(),
    };
    let (format, rest) = rest
        .split_first_chunk::<2>()
        .ok_or_else(|| short(HEADER_BYTES + DIGEST_BYTES))?;
    let format = u16::from_le_bytes(*format);
    if format != FORMAT {
        return Err(SnapshotError::Format { found: format });
    }
    let (length, rest) = rest
        .split_first_chunk::<4>()
        .ok_or_else(|| short(HEADER_BYTES + DIGEST_BYTES))?;
    let expected =
        HEADER_BYTES as u64 + u64::from(u32::from_le_bytes(*length)) + DIGEST_BYTES as u64;
    if expected > SNAPSHOT_BYTES_MAX as u64 {
        return Err(SnapshotError::TooLarge { bytes: expected });
    }
    if expected != bytes.len() as u64 {
        return Err(SnapshotError::Length {
            expected,
            found: bytes.len(),
        });
    }
    let (content, found) = rest
        .split_last_chunk::<DIGEST_BYTES>()
        .ok_or_else(|| short(HEADER_BYTES + DIGEST_BYTES))?;
    let body_bytes = bytes
        .split_last_chunk::<DIGEST_BYTES>()
        .map_or(bytes, |(body, _)| body);
    let digest = Digest(*found);
    if sha256(body_bytes) != digest {
        return Err(SnapshotError::Damaged);
    }
    let draft = content::decode(content).ok_or(SnapshotError::Malformed)?;
    if body(&draft)? != body_bytes {
        return Err(SnapshotError::Malformed);
    }
    Ok((draft, digest))
}
