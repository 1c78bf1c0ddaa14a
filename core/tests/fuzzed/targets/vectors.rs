//! What the published test vectors have to offer.

use serde_json::Value;

pub(crate) fn hex(value: &Value) -> Vec<u8> {
    let pairs = value.as_str().unwrap().as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

pub(crate) fn cases(file: &str, section: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(file).unwrap();
    file[section]["cases"].as_array().unwrap().clone()
}

/// The bytes of every snapshot, and of what is none.
pub(crate) fn snapshots() -> Vec<Vec<u8>> {
    let file = include_str!("../../vectors/snapshot.json");
    let both = ["snapshots", "refused"].map(|section| cases(file, section));
    let bytes = both.iter().flatten().map(|case| &case["bytes"]);
    bytes.filter(|bytes| bytes.is_string()).map(hex).collect()
}
