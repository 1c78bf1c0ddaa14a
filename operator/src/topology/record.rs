//! The bytes of a record, and the only parser of them.
//!
//! ```text
//! "RSTR"  u16 format  u16 0  u32 term  u32 epoch  u64 snapshot bytes  u64 log bytes
//! XXH3-64 of the header so far   snapshot   log   SHA-256 of all before
//! ```
//! All numbers little-endian. The header has a checksum of its own, so that a client may look at
//! the epoch alone.

use std::sync::Arc;

use ringshift::limits::SNAPSHOT_BYTES_MAX;
use ringshift::migration::log::Log;
use ringshift::{Epoch, Snapshot, Term, hash};
use sha2::{Digest as _, Sha256};

use crate::topology::{Record, TopologyError};

/// How a record begins.
pub const RECORD_MAGIC: [u8; 4] = *b"RSTR";
/// Bytes of a log: more cursors and planned waves than a snapshot has room for.
pub const LOG_BYTES_MAX: u64 = 64 * 1024 * 1024;

const FORMAT: u16 = 1;
pub(super) const HEADER_BYTES: usize = 40;
const DIGEST_BYTES: usize = 32;

/// The front of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) term: Term,
    pub(super) epoch: Epoch,
    snapshot_bytes: u64,
    log_bytes: u64,
}

impl Header {
    fn encode(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend_from_slice(&RECORD_MAGIC);
        bytes.extend_from_slice(&FORMAT.to_le_bytes());
        bytes.extend_from_slice(&[0; 2]);
        bytes.extend_from_slice(&self.term.0.to_le_bytes());
        bytes.extend_from_slice(&self.epoch.get().to_le_bytes());
        bytes.extend_from_slice(&self.snapshot_bytes.to_le_bytes());
        bytes.extend_from_slice(&self.log_bytes.to_le_bytes());
        let sum = hash::xxh3(&bytes, 0);
        bytes.extend_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// Reads the first [`HEADER_BYTES`] of a record that has `found` bytes in all.
    pub(super) fn decode(front: &[u8], found: u64) -> Result<Self, TopologyError> {
        let (magic, rest) = front
            .split_first_chunk::<4>()
            .ok_or(TopologyError::Unknown)?;
        if *magic != RECORD_MAGIC {
            return Err(TopologyError::Unknown);
        }
        let expected = (HEADER_BYTES + DIGEST_BYTES) as u64;
        let short = TopologyError::Length { expected, found };
        let Some((head, sum)) = front.get(..HEADER_BYTES).and_then(<[u8]>::split_last_chunk) else {
            return Err(short);
        };
        if u64::from_le_bytes(*sum) != hash::xxh3(head, 0) {
            return Err(TopologyError::Damaged);
        }
        let (format, rest) = rest.split_first_chunk().ok_or(TopologyError::Damaged)?;
        let format = u16::from_le_bytes(*format);
        if format != FORMAT {
            return Err(TopologyError::Format { found: format });
        }
        let (padding, rest) = take::<2>(rest)?;
        let (term, rest) = take(rest)?;
        let (epoch, rest) = take(rest)?;
        let (snapshot_bytes, rest) = take(rest)?;
        let (log_bytes, _) = take(rest)?;
        let header = Self {
            term: Term(u32::from_le_bytes(term)),
            epoch: Epoch::new(u32::from_le_bytes(epoch)).ok_or(TopologyError::Malformed)?,
            snapshot_bytes: u64::from_le_bytes(snapshot_bytes),
            log_bytes: u64::from_le_bytes(log_bytes),
        };
        if padding != [0; 2] {
            return Err(TopologyError::Malformed);
        }
        for (bytes, max) in [
            (header.snapshot_bytes, SNAPSHOT_BYTES_MAX as u64),
            (header.log_bytes, LOG_BYTES_MAX),
        ] {
            if bytes > max {
                return Err(TopologyError::TooLarge { bytes, max });
            }
        }
        let expected = expected + header.snapshot_bytes + header.log_bytes;
        if expected != found {
            return Err(TopologyError::Length { expected, found });
        }
        Ok(header)
    }
}

fn take<const N: usize>(bytes: &[u8]) -> Result<([u8; N], &[u8]), TopologyError> {
    let (first, rest) = bytes.split_first_chunk().ok_or(TopologyError::Damaged)?;
    Ok((*first, rest))
}

pub(super) fn encode(record: &Record) -> Result<Vec<u8>, TopologyError> {
    let (snapshot, log) = (record.snapshot.encode(), record.log.encode());
    let header = Header {
        term: record.term,
        epoch: record.snapshot.epoch(),
        snapshot_bytes: snapshot.len() as u64,
        log_bytes: log.len() as u64,
    };
    if header.log_bytes > LOG_BYTES_MAX {
        let (bytes, max) = (header.log_bytes, LOG_BYTES_MAX);
        return Err(TopologyError::TooLarge { bytes, max });
    }
    let mut bytes = header.encode();
    bytes.extend_from_slice(&snapshot);
    bytes.extend_from_slice(&log);
    let digest = Sha256::digest(&bytes);
    bytes.extend_from_slice(&digest);
    Ok(bytes)
}

pub(super) fn decode(bytes: &[u8]) -> Result<Record, TopologyError> {
    let header = Header::decode(bytes, bytes.len() as u64)?;
    let (body, digest) = bytes
        .split_last_chunk::<DIGEST_BYTES>()
        .ok_or(TopologyError::Damaged)?;
    if <[u8; DIGEST_BYTES]>::from(Sha256::digest(body)) != *digest {
        return Err(TopologyError::Damaged);
    }
    // Both lengths were checked against the whole.
    let content = body.get(HEADER_BYTES..).ok_or(TopologyError::Damaged)?;
    let at = usize::try_from(header.snapshot_bytes).map_err(|_| TopologyError::Damaged)?;
    let (snapshot, log) = content.split_at_checked(at).ok_or(TopologyError::Damaged)?;
    let snapshot = Snapshot::decode(snapshot)?;
    if snapshot.epoch() != header.epoch {
        return Err(TopologyError::Malformed);
    }
    Ok(Record {
        term: header.term,
        snapshot: Arc::new(snapshot),
        log: Log::decode(log).ok_or(TopologyError::Malformed)?,
    })
}
