//! Lists of keys: where each of them is, and which of them go together.

use alloc::vec;
use alloc::vec::Vec;
use core::hint::black_box;

use crate::ids::ShardIndex;
use crate::key::KeyError;
use crate::router::compile::Table;
use crate::router::{Groups, Keyspace};

/// How many keys are asked for ahead of the one that is routed. A processor waits for about so
/// many at once.
const AHEAD: usize = 32;

impl Keyspace<'_> {
    /// [`route`](Self::route) of each key, into `out`. Stops at the shorter of the two.
    ///
    /// Faster than one by one where the keys lie far apart in memory: their bytes are asked for
    /// together. `keys` is read up to 32 keys ahead.
    ///
    /// # Errors
    /// The first [`KeyError`]; what came before it is in `out`.
    pub fn route_many<'k>(
        &self,
        keys: impl IntoIterator<Item = &'k [u8]>,
        out: &mut [ShardIndex],
    ) -> Result<usize, KeyError> {
        let mut keys = keys.into_iter();
        let mut ahead: [&[u8]; AHEAD] = [&[]; AHEAD];
        let mut routed = 0;
        for out in out.chunks_mut(AHEAD) {
            let (mut filled, mut touched, mut longest) = (0, 0, 0);
            for (place, key) in ahead.iter_mut().take(out.len()).zip(&mut keys) {
                touched |= key.first().copied().unwrap_or(0);
                touched |= key.last().copied().unwrap_or(0);
                longest = longest.max(key.len());
                *place = key;
                filled += 1;
            }
            // Or the loads that nobody asks about would be left out.
            black_box(touched);
            let ahead = ahead.iter().take(filled);
            if self.table.is_at_once(longest) {
                for (key, out) in ahead.zip(out) {
                    *out = Table::shard(self.table.at_once(key).1);
                }
            } else {
                for (key, out) in ahead.zip(out) {
                    *out = self.route(key)?.shard;
                }
            }
            routed += filled;
            if filled < AHEAD {
                break;
            }
        }
        Ok(routed)
    }

    /// The keys' places, sorted by the shard that orders their writes.
    ///
    /// # Errors
    /// The first [`KeyError`].
    pub fn group_by_shard<'k>(
        &self,
        keys: impl IntoIterator<Item = &'k [u8]>,
    ) -> Result<Groups, KeyError> {
        let mut by_index: Vec<Vec<usize>> = vec![Vec::new(); self.snapshot.content().shards.len()];
        for (place, key) in keys.into_iter().enumerate() {
            let shard = self.route(key)?.shard;
            if let Some(group) = by_index.get_mut(usize::from(shard.0)) {
                group.push(place);
            }
        }
        let by_shard = (0_u16..)
            .map(ShardIndex)
            .zip(by_index)
            .filter(|(_, group)| !group.is_empty())
            .collect();
        Ok(Groups { by_shard })
    }
}
