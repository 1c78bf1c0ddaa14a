//! The router on the hot path. A key comes through [`crate::convert::with_key`].

use std::sync::Arc;

use ringshift::{Keyspace, KeyspaceId, ShardIndex, UnknownKeyspace};
use wasm_bindgen::prelude::*;

use crate::convert::{explanation_out, no_room, share_out, with_batch, with_key};
use crate::error::{Answer, Fault};
use crate::snapshot::Snapshot;

/// No shard has this index: the key can't be routed, and `explain` says why.
const NO_SHARD: u32 = u32::MAX;

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
        let found = self.of_key(keyspace, bytes, |keyspace, key| keyspace.explain(key))?;
        Ok(explanation_out(found))
    }

    /// The shard indices of the key's copies.
    pub fn replicas(&self, keyspace: u16, bytes: usize, n: usize) -> Answer<Vec<u16>> {
        let found = self.of_key(keyspace, bytes, |keyspace, key| keyspace.replicas(key, n))?;
        Ok(found.into_iter().map(|shard| shard.0).collect())
    }

    /// Each shard's share, for a fan-out.
    pub fn shares(&self, keyspace: u16) -> Answer<Vec<JsValue>> {
        let keyspace = self.keyspace(keyspace)?;
        let shares = keyspace.shards();
        Ok(shares.map(|(_, share)| share_out(&share)).collect())
    }
}
