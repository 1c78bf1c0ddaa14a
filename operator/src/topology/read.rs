//! A snapshot from whatever a file holds.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use ringshift::limits::SNAPSHOT_BYTES_MAX;
use ringshift::record::{LOG_BYTES_MAX, RecordError, snapshot_in};
use ringshift::{Snapshot, Topology};

use crate::topology::TopologyError;

/// The snapshot that `bytes` hold: those of a topology record, those of a snapshot, or a topology
/// for people in JSON, which makes its first snapshot.
///
/// # Errors
/// Everything that is wrong with them.
pub fn snapshot_from(bytes: &[u8]) -> Result<Snapshot, TopologyError> {
    match snapshot_in(bytes) {
        Ok(snapshot) => return Ok(Snapshot::clone(&snapshot)),
        Err(RecordError::Unknown) => {}
        Err(error) => return Err(error.into()),
    }
    let text = bytes.trim_ascii_start();
    if text.is_empty() || !text.starts_with(b"{") {
        return Err(TopologyError::Unknown);
    }
    let topology: Topology = serde_json::from_slice(bytes).map_err(TopologyError::Json)?;
    topology.snapshot().map_err(TopologyError::Rule)
}

/// The snapshot that the file at `path` holds; see [`snapshot_from`].
///
/// # Errors
/// Those of [`snapshot_from`]; [`TopologyError::Missing`] and [`TopologyError::Io`] when it can't
/// be read, [`TopologyError::TooLarge`] when it is larger than any topology.
pub fn read_snapshot(path: &Path) -> Result<Snapshot, TopologyError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => TopologyError::Missing(path.to_owned()),
        _ => TopologyError::Io {
            what: "read",
            path: path.to_owned(),
            error,
        },
    };
    let max = SNAPSHOT_BYTES_MAX as u64 + LOG_BYTES_MAX + 1024;
    let mut bytes = Vec::new();
    let read = File::open(path)
        .and_then(|file| file.take(max + 1).read_to_end(&mut bytes))
        .map_err(failed)?;
    if read as u64 > max {
        let bytes = read as u64;
        return Err(TopologyError::TooLarge { bytes, max });
    }
    snapshot_from(&bytes)
}
