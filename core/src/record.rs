//! The bytes that a topology store keeps: the highest term that anybody led with, the snapshot in
//! force, and the coordinator's log beside it; what a coordinator's commands do to them; and where
//! in them a reader finds the snapshot.

mod decide;

use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::ErrorCode;
use crate::hash;
use crate::ids::{Epoch, Term};
use crate::migration::log::Log;
use crate::migration::request::{Mark, Requested};
use crate::snapshot::limits::SNAPSHOT_BYTES_MAX;
use crate::snapshot::{DELTA_MAGIC, Delta, Snapshot, SnapshotError};

/// What a topology store holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The highest term that anybody led with.
    pub term: Term,
    /// The routing state in force.
    pub snapshot: Arc<Snapshot>,
    /// What the coordinator wrote down beside it.
    pub log: Log,
    /// How often the lead of this term was renewed: who sees the same for a lease sees a dead
    /// leader.
    pub beat: u64,
    /// What else stands there.
    pub desk: Desk,
}

/// What the coordinator and those who ask it for something keep beside the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desk {
    /// Who leads this term; 0 before anybody does.
    pub leader: u64,
    /// The number of the last request.
    pub numbered: u64,
    /// The request that waits.
    pub request: Option<Requested>,
    /// What shards have said of themselves.
    pub marks: Vec<Mark>,
}

/// Why bytes aren't a record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordError {
    /// They begin otherwise.
    Unknown,
    /// A format that this version doesn't know.
    Format {
        /// Its number.
        found: u16,
    },
    /// More or fewer bytes than the record's header says.
    Length {
        /// Bytes that the header says.
        expected: u64,
        /// Bytes there are.
        found: u64,
    },
    /// More bytes than there may be.
    TooLarge {
        /// Bytes.
        bytes: u64,
        /// The limit.
        max: u64,
    },
    /// A checksum isn't that of the bytes.
    Damaged,
    /// The checksums are right, but the log can't be read, or the parts contradict each other.
    Malformed,
    /// The snapshot is refused.
    Snapshot(SnapshotError),
}

impl RecordError {
    /// The stable slug.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Snapshot(error) => error.code(),
            Self::Unknown
            | Self::Format { .. }
            | Self::Length { .. }
            | Self::TooLarge { .. }
            | Self::Damaged
            | Self::Malformed => ErrorCode::TopologyFormat,
        }
    }
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("the bytes are neither a snapshot nor a topology record"),
            Self::Format { found } => write!(
                f,
                "the topology record has format {found}, which this version can't read; update it"
            ),
            Self::Length { expected, found } => write!(
                f,
                "the topology record has {found} bytes where its header says {expected}; restore it from a copy"
            ),
            Self::TooLarge { bytes, max } => {
                write!(f, "there are {bytes} bytes; at most {max} are allowed")
            }
            Self::Damaged => f.write_str(
                "the topology record's checksum doesn't match its bytes; restore it from a copy",
            ),
            Self::Malformed => write!(
                f,
                "the topology record can't be read (its log may have {LOG_BYTES_MAX} bytes at most)"
            ),
            Self::Snapshot(error) => f.write_str(&error.to_string()),
        }
    }
}

impl core::error::Error for RecordError {}

impl From<SnapshotError> for RecordError {
    fn from(error: SnapshotError) -> Self {
        Self::Snapshot(error)
    }
}

/// How a snapshot's bytes begin.
pub const SNAPSHOT_MAGIC: [u8; 4] = *b"RSHT";
/// How a record begins.
pub const RECORD_MAGIC: [u8; 4] = *b"RSTR";
/// Bytes of a log: more cursors and planned waves than a snapshot has room for.
pub const LOG_BYTES_MAX: u64 = 64 * 1024 * 1024;

const FORMAT: u16 = 1;
/// Bytes of a record's [`Header`].
pub const HEADER_BYTES: usize = 48;
const DIGEST_BYTES: usize = 32;

/// The front of a record: enough to see whether there is news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The highest term that anybody led with.
    pub term: Term,
    /// The epoch of the snapshot in force.
    pub epoch: Epoch,
    /// How often the lead of this term was renewed.
    pub beat: u64,
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
        bytes.extend_from_slice(&self.beat.to_le_bytes());
        bytes.extend_from_slice(&self.snapshot_bytes.to_le_bytes());
        bytes.extend_from_slice(&self.log_bytes.to_le_bytes());
        let sum = hash::xxh3(&bytes, 0);
        bytes.extend_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// Reads the first [`HEADER_BYTES`] of a record that has `found` bytes in all.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn decode(front: &[u8], found: u64) -> Result<Self, RecordError> {
        let (magic, rest) = front.split_first_chunk::<4>().ok_or(RecordError::Unknown)?;
        if *magic != RECORD_MAGIC {
            return Err(RecordError::Unknown);
        }
        let expected = (HEADER_BYTES + DIGEST_BYTES) as u64;
        let short = RecordError::Length { expected, found };
        let Some((head, sum)) = front.get(..HEADER_BYTES).and_then(<[u8]>::split_last_chunk) else {
            return Err(short);
        };
        if u64::from_le_bytes(*sum) != hash::xxh3(head, 0) {
            return Err(RecordError::Damaged);
        }
        let (format, rest) = rest.split_first_chunk().ok_or(RecordError::Damaged)?;
        let format = u16::from_le_bytes(*format);
        if format != FORMAT {
            return Err(RecordError::Format { found: format });
        }
        let (padding, rest) = take::<2>(rest)?;
        let (term, rest) = take(rest)?;
        let (epoch, rest) = take(rest)?;
        let (beat, rest) = take(rest)?;
        let (snapshot_bytes, rest) = take(rest)?;
        let (log_bytes, _) = take(rest)?;
        let header = Self {
            term: Term(u32::from_le_bytes(term)),
            epoch: Epoch::new(u32::from_le_bytes(epoch)).ok_or(RecordError::Malformed)?,
            beat: u64::from_le_bytes(beat),
            snapshot_bytes: u64::from_le_bytes(snapshot_bytes),
            log_bytes: u64::from_le_bytes(log_bytes),
        };
        if padding != [0; 2] {
            return Err(RecordError::Malformed);
        }
        for (bytes, max) in [
            (header.snapshot_bytes, SNAPSHOT_BYTES_MAX as u64),
            (header.log_bytes, LOG_BYTES_MAX),
        ] {
            if bytes > max {
                return Err(RecordError::TooLarge { bytes, max });
            }
        }
        let expected = expected + header.snapshot_bytes + header.log_bytes;
        if expected != found {
            return Err(RecordError::Length { expected, found });
        }
        Ok(header)
    }
}

fn take<const N: usize>(bytes: &[u8]) -> Result<([u8; N], &[u8]), RecordError> {
    let (first, rest) = bytes.split_first_chunk().ok_or(RecordError::Damaged)?;
    Ok((*first, rest))
}

impl Record {
    /// The first record of a cluster: term 0, nothing begun.
    pub fn first(snapshot: Arc<Snapshot>) -> Self {
        Self {
            term: Term(0),
            snapshot,
            log: Log::default(),
            beat: 0,
            desk: Desk::default(),
        }
    }

    /// The record as bytes.
    ///
    /// # Errors
    /// [`RecordError::TooLarge`] for a log of more than [`LOG_BYTES_MAX`].
    pub fn encode(&self) -> Result<Vec<u8>, RecordError> {
        let snapshot = self.snapshot.encode();
        // Plain data without maps or floats: postcard can't refuse it.
        let log = postcard::to_allocvec(&(&self.log, &self.desk)).unwrap_or_default();
        let header = Header {
            term: self.term,
            epoch: self.snapshot.epoch(),
            beat: self.beat,
            snapshot_bytes: snapshot.len() as u64,
            log_bytes: log.len() as u64,
        };
        if header.log_bytes > LOG_BYTES_MAX {
            let (bytes, max) = (header.log_bytes, LOG_BYTES_MAX);
            return Err(RecordError::TooLarge { bytes, max });
        }
        let mut bytes = header.encode();
        bytes.extend_from_slice(&snapshot);
        bytes.extend_from_slice(&log);
        let digest = Sha256::digest(&bytes);
        bytes.extend_from_slice(&digest);
        Ok(bytes)
    }

    /// The record that `bytes` are.
    ///
    /// # Errors
    /// [`RecordError`] for anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let header = Header::decode(bytes, bytes.len() as u64)?;
        let (body, digest) = bytes
            .split_last_chunk::<DIGEST_BYTES>()
            .ok_or(RecordError::Damaged)?;
        if <[u8; DIGEST_BYTES]>::from(Sha256::digest(body)) != *digest {
            return Err(RecordError::Damaged);
        }
        // Both lengths were checked against the whole.
        let content = body.get(HEADER_BYTES..).ok_or(RecordError::Damaged)?;
        let at = usize::try_from(header.snapshot_bytes).map_err(|_| RecordError::Damaged)?;
        let (snapshot, log) = content.split_at_checked(at).ok_or(RecordError::Damaged)?;
        let snapshot = Snapshot::decode(snapshot)?;
        if snapshot.epoch() != header.epoch {
            return Err(RecordError::Malformed);
        }
        let (log, desk) = postcard::from_bytes(log).map_err(|_| RecordError::Malformed)?;
        Ok(Self {
            term: header.term,
            snapshot: Arc::new(snapshot),
            log,
            beat: header.beat,
            desk,
        })
    }
}

/// The snapshot that `bytes` hold: those of a snapshot, or of a record.
///
/// # Errors
/// [`RecordError`].
pub fn snapshot_in(bytes: &[u8]) -> Result<Arc<Snapshot>, RecordError> {
    if bytes.starts_with(&RECORD_MAGIC) {
        return Ok(Record::decode(bytes)?.snapshot);
    }
    if bytes.starts_with(&SNAPSHOT_MAGIC) {
        return Ok(Arc::new(Snapshot::decode(bytes)?));
    }
    Err(RecordError::Unknown)
}

/// The snapshot that `bytes` lead to from the one at `hand`: a delta is applied to it; of a
/// snapshot or a record it doesn't matter what is at hand. Whether it may take that one's place,
/// a router says.
///
/// # Errors
/// [`RecordError`]. After any error with a delta, fetch the whole.
pub fn advance(hand: &Snapshot, bytes: &[u8]) -> Result<Arc<Snapshot>, RecordError> {
    if bytes.starts_with(&DELTA_MAGIC) {
        let delta = Delta::decode(bytes).map_err(SnapshotError::from)?;
        return Ok(Arc::new(hand.apply(&delta)?));
    }
    snapshot_in(bytes)
}
