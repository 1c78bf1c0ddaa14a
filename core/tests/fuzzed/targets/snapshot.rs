//! Bytes that say they are a snapshot: what is read is what was written, and can be routed by.

use ringshift::Snapshot;
use ringshift::record::{Record, snapshot_in};
use sha2::{Digest as _, Sha256};

use super::routed;

const HEADER: usize = 10;
const DIGEST: usize = 32;

pub(crate) fn run(bytes: &[u8]) {
    decoded(bytes);
    // A fuzzer guesses no digest: what it has changed gets the right frame.
    decoded(&framed(content(bytes)));
    record(bytes);
}

/// What stands between header and digest; all of it, where there is no header.
fn content(bytes: &[u8]) -> &[u8] {
    if bytes.starts_with(b"RSHT") && bytes.len() >= HEADER + DIGEST {
        &bytes[HEADER..bytes.len() - DIGEST]
    } else {
        bytes
    }
}

/// The bytes that say that `content` is a snapshot's, with the right length and digest.
pub(crate) fn framed(content: &[u8]) -> Vec<u8> {
    let mut bytes = b"RSHT\x01\0".to_vec();
    bytes.extend(u32::try_from(content.len()).unwrap().to_le_bytes());
    bytes.extend(content);
    let digest = Sha256::digest(&bytes);
    bytes.extend(digest);
    bytes
}

fn decoded(bytes: &[u8]) {
    let Ok(snapshot) = Snapshot::decode(bytes) else {
        assert!(snapshot_in(bytes).is_err());
        return;
    };
    assert_eq!(snapshot.encode(), bytes, "two forms of one snapshot");
    let built = Snapshot::build(snapshot.content().clone()).unwrap();
    assert_eq!(built.encode(), bytes, "what is read breaks a rule");
    assert_eq!(*snapshot_in(bytes).unwrap(), snapshot);
    routed::check(&snapshot);
}

/// A record around a snapshot: what is read of it can be written, and read again.
fn record(bytes: &[u8]) {
    if let Ok(record) = Record::decode(bytes) {
        let again = record.encode().unwrap();
        assert_eq!(Record::decode(&again).unwrap(), record);
        assert_eq!(*snapshot_in(&again).unwrap(), *record.snapshot);
    }
}
