//! From the snapshot at hand to the next one.

use ringshift::record;
use wasm_bindgen::prelude::*;

use crate::error::Answer;
use crate::router::Snapshot;

#[wasm_bindgen]
impl Snapshot {
    /// What `bytes` make of it: those of a delta from it, of a snapshot, or of a topology record.
    pub fn advance(&self, bytes: &[u8]) -> Answer<Snapshot> {
        Ok(Snapshot(record::advance(&self.0, bytes)?))
    }
}
