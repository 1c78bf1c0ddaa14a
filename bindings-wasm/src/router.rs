//! Snapshots, and the router on the hot path. A key comes through [`crate::convert::with_key`].

use std::sync::Arc;

use ringshift::{
    Keyspace, KeyspaceId, ShardIndex, ShardTopology, Topology, UnknownKeyspace, record,
};
use wasm_bindgen::prelude::*;

use crate::convert::{no_room, plain, with_batch, with_key};
use crate::error::{Answer, Fault};
use ringshift::ErrorCode;

/// No shard has this index: the key can't be routed, and `explain` says why.
const NO_SHARD: u32 = u32::MAX;

/// A routing state.
#[wasm_bindgen]
pub struct Snapshot(pub(crate) Arc<ringshift::Snapshot>);

#[wasm_bindgen]
impl Snapshot {
    /// From a topology's JSON.
    #[wasm_bindgen(js_name = fromTopology)]
    pub fn from_topology(json: &str) -> Answer<Snapshot> {
        let topology: Topology =
            serde_json::from_str(json).map_err(|error| Fault::json(ErrorCode::Topology, &error))?;
        Ok(Self(topology.snapshot()?.into()))
    }

    /// From the bytes of a snapshot or of a topology record.
    pub fn decode(bytes: &[u8]) -> Answer<Snapshot> {
        Ok(Self(record::snapshot_in(bytes)?))
    }

    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        self.0.encode()
    }

    /// Its epoch.
    pub fn epoch(&self) -> u32 {
        self.0.epoch().get()
    }

    /// The cluster's name.
    pub fn cluster(&self) -> String {
        self.0.cluster().to_owned()
    }

    /// Its digest, in hex.
    pub fn digest(&self) -> String {
        self.0.digest().to_string()
    }

    /// The shards, by index.
    pub fn shards(&self) -> Answer {
        let shards = self.0.content().shards.iter().map(ShardTopology::from);
        plain(&shards.collect::<Vec<_>>())
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

/// A router.
#[wasm_bindgen]
pub struct Router(ringshift::Router);

impl Router {
    pub(crate) fn keyspace(&self, id: u16) -> Answer<Keyspace<'_>> {
        let found = self.0.keyspace_at(KeyspaceId(id));
        found.ok_or_else(|| Fault::argument(format!("the snapshot has no keyspace {id} any more")))
    }

    /// What `answer` says of the key in the scratch buffer.
    pub(crate) fn of_key<T>(
        &self,
        id: u16,
        bytes: usize,
        answer: impl FnOnce(Keyspace<'_>, &[u8]) -> Result<T, ringshift::KeyError>,
    ) -> Answer<T> {
        let keyspace = self.keyspace(id)?;
        with_key(bytes, |key| Ok(answer(keyspace, key)?)).ok_or_else(|| no_room(bytes))?
    }
}

#[wasm_bindgen]
impl Router {
    /// Compiles a snapshot.
    #[wasm_bindgen(constructor)]
    pub fn new(snapshot: &Snapshot) -> Router {
        Self(ringshift::Router::new(Arc::clone(&snapshot.0)))
    }

    /// Puts a newer one in force: whether it wasn't already.
    pub fn install(&mut self, snapshot: &Snapshot) -> Answer<bool> {
        let installed = self.0.install(Arc::clone(&snapshot.0))?;
        Ok(installed == ringshift::Installed::Replaced)
    }

    /// The one in force.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(Arc::clone(self.0.snapshot()))
    }

    /// Its epoch.
    pub fn epoch(&self) -> u32 {
        self.0.snapshot().epoch().get()
    }

    /// The shards' names, by index.
    pub fn names(&self) -> Vec<String> {
        let shards = self.0.snapshot().content().shards.iter();
        shards.map(|shard| shard.name.clone()).collect()
    }

    /// The number of the keyspace of that name.
    #[wasm_bindgen(js_name = keyspace)]
    pub fn keyspace_id(&self, name: &str) -> Answer<u16> {
        let found: Result<_, UnknownKeyspace> = self.0.keyspace(name);
        Ok(found?.id().0)
    }

    /// The shard index of the key in the scratch buffer; above all indices where there is none.
    pub fn route(&self, keyspace: u16, bytes: usize) -> u32 {
        let Some(keyspace) = self.0.keyspace_at(KeyspaceId(keyspace)) else {
            return NO_SHARD;
        };
        // A number as early as may be: what is larger goes through memory.
        let shard = |key: &[u8]| match keyspace.route(key) {
            Ok(route) => route.shard.0.into(),
            Err(_) => NO_SHARD,
        };
        with_key(bytes, shard).unwrap_or(NO_SHARD)
    }

    /// The shard indices of `count` keys in the scratch buffer; `utf16`: their ends are counted in
    /// UTF-16 units.
    #[wasm_bindgen(js_name = routeMany)]
    pub fn route_many(&self, keyspace: u16, bytes: usize, count: usize, utf16: bool) -> Answer<()> {
        let keyspace = self.keyspace(keyspace)?;
        with_batch(bytes, count, utf16, |keys, out: &mut [ShardIndex]| {
            keyspace.route_many(keys, out)
        })
    }

    /// Each step from the key to its shards.
    pub fn explain(&self, keyspace: u16, bytes: usize) -> Answer {
        plain(&self.of_key(keyspace, bytes, |keyspace, key| keyspace.explain(key))?)
    }

    /// The shard indices of the key's copies.
    pub fn replicas(&self, keyspace: u16, bytes: usize, n: usize) -> Answer<Vec<u16>> {
        let found = self.of_key(keyspace, bytes, |keyspace, key| keyspace.replicas(key, n))?;
        Ok(found.into_iter().map(|shard| shard.0).collect())
    }

    /// Each shard's share, for a fan-out.
    pub fn shares(&self, keyspace: u16) -> Answer {
        let keyspace = self.keyspace(keyspace)?;
        plain(
            &keyspace
                .shards()
                .map(|(_, share)| share)
                .collect::<Vec<_>>(),
        )
    }
}
