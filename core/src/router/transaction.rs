//! Keys that a transaction is to change together.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::pin::{PinError, Pinned, TRANSACTION_KEYS_MAX, groups};
use crate::router::Keyspace;

impl Keyspace<'_> {
    /// Everything that a transaction on `keys` needs: each key's plan, and the one shard that
    /// orders the writes of all of them.
    ///
    /// Keys stay together for good when they share a routing part: the hash tag, or the first parts
    /// of a composite key. Others are on one shard by chance, until something moves.
    ///
    /// # Errors
    /// [`PinError`]: no key, too many, one twice, one that isn't a key of this keyspace, one at a shard
    /// that checks no fence, or keys on several shards, which are listed.
    ///
    /// ```
    /// # use ringshift::*;
    /// # let text = r#"{"cluster":"demo","keyspaces":{"orders":{"key":"hash-tag"}},
    /// #   "shards":[{"id":1,"name":"a"},{"id":2,"name":"b"}]}"#;
    /// # let topology: Topology = serde_json::from_str(text)?;
    /// let router = Router::new(topology.snapshot()?.into());
    /// let orders = router.keyspace("orders")?;
    /// let pinned = orders.transaction(&["{user:42}/profile", "{user:42}/cart"])?;
    /// assert_eq!(pinned.shard, pinned.plans[1].authority);
    ///
    /// let apart = orders.transaction(&["a", "b", "c", "d", "e", "f"]).unwrap_err();
    /// assert_eq!(apart.code().as_str(), "cross_shard");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn transaction<K: AsRef<[u8]>>(&self, keys: &[K]) -> Result<Pinned, PinError> {
        if keys.len() > TRANSACTION_KEYS_MAX {
            return Err(PinError::TooMany(keys.len()));
        }
        let mut known = BTreeMap::new();
        let mut plans = Vec::with_capacity(keys.len());
        for (at, key) in keys.iter().map(AsRef::as_ref).enumerate() {
            if let Some(first) = known.insert(key, at) {
                return Err(PinError::Twice { first, again: at });
            }
            let plan = self.plan(key);
            let plan = plan.map_err(|error| PinError::Key { at, error })?;
            if plan.leased.is_some() {
                return Err(PinError::Unfenced { at });
            }
            plans.push(plan);
        }
        let shards = groups(plans.iter().map(|plan| plan.authority));
        match shards.as_slice() {
            [] => Err(PinError::Empty),
            [(shard, _)] => Ok(Pinned {
                snapshot: self.snapshot().epoch(),
                keyspace: self.id(),
                shard: *shard,
                plans,
            }),
            _ => Err(PinError::CrossShard { shards }),
        }
    }
}
