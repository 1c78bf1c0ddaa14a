//! Which shards may hold rows of a key, for those who look for rows that are where they shouldn't.

use alloc::vec;
use alloc::vec::Vec;

use crate::ids::ShardId;
use crate::key::KeyError;
use crate::router::Keyspace;

impl Keyspace<'_> {
    /// The shards that may hold rows of `key`: the one that orders its writes first, then both
    /// sides of a wave that has it. A wave that is being prepared or has ended counts as well: its
    /// `to` may not be emptied yet, its loser not purged.
    ///
    /// ```
    /// # use ringshift::*;
    /// let text = r#"{"cluster":"demo","keyspaces":{"k":{"pins":[{"key":"hot","shard":2}]}},
    ///                "shards":[{"id":1,"name":"a"},{"id":2,"name":"b"}]}"#;
    /// let snapshot = serde_json::from_str::<Topology>(text)?.snapshot()?;
    /// let router = Router::new(snapshot.into());
    /// assert_eq!(router.keyspace("k")?.holders(b"hot")?, [ShardId(2)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`KeyError`], as for [`route`](Self::route).
    pub fn holders(&self, key: &[u8]) -> Result<Vec<ShardId>, KeyError> {
        let plan = self.plan(key)?;
        let mut holders = vec![plan.authority];
        let pinned = self.pinned(key).is_some();
        for wave in self.waves().iter().filter(|wave| wave.contains(plan.slot)) {
            let member = match &wave.matches {
                Some(matches) => matches.contains(key),
                // What an override holds doesn't move with its slot.
                None => !pinned,
            };
            for shard in [wave.from, wave.to] {
                if member && !holders.contains(&shard) {
                    holders.push(shard);
                }
            }
        }
        Ok(holders)
    }
}
