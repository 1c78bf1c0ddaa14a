//! Snapshots, and the first one of a topology.

use std::sync::Arc;

use ringshift::record;
use wasm_bindgen::prelude::*;

#[cfg(feature = "client")]
use crate::convert::shard_out;
use crate::error::Answer;

/// A routing state.
#[wasm_bindgen]
pub struct Snapshot(pub(crate) Arc<ringshift::Snapshot>);

#[wasm_bindgen]
impl Snapshot {
    /// From the bytes of a snapshot or of a topology record.
    pub fn decode(bytes: &[u8]) -> Answer<Snapshot> {
        Ok(Self(record::snapshot_in(bytes)?))
    }

    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        self.0.encode()
    }
}

#[cfg(feature = "local")]
#[wasm_bindgen]
impl Snapshot {
    /// From a topology's JSON.
    #[wasm_bindgen(js_name = fromTopology)]
    pub fn from_topology(json: &str) -> Answer<Snapshot> {
        let topology: ringshift::Topology = serde_json::from_str(json)
            .map_err(|error| crate::error::Fault::json(ringshift::ErrorCode::Topology, &error))?;
        Ok(Self(topology.snapshot()?.into()))
    }
}

#[cfg(feature = "client")]
#[wasm_bindgen]
impl Snapshot {
    /// Its epoch.
    pub fn epoch(&self) -> u32 {
        self.0.epoch().get()
    }

    /// The cluster's name.
    pub fn cluster(&self) -> String {
        self.0.cluster().to_string()
    }

    /// Its digest, in hex.
    pub fn digest(&self) -> String {
        self.0.digest().to_string()
    }

    /// The shards, by index.
    pub fn shards(&self) -> Vec<JsValue> {
        self.0.content().shards.iter().map(shard_out).collect()
    }

    /// The keyspaces' names.
    pub fn keyspaces(&self) -> Vec<String> {
        let keyspaces = self.0.content().keyspaces.iter();
        keyspaces.map(|keyspace| keyspace.name.clone()).collect()
    }

    /// The shard index of each slot.
    pub fn owners(&self, keyspace: &str) -> Answer<Vec<u16>> {
        let router = ringshift::Router::new(Arc::clone(&self.0));
        let owners = router.keyspace(keyspace)?.owners();
        Ok(owners.into_iter().map(|shard| shard.0).collect())
    }
}
