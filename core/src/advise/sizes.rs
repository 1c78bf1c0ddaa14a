//! What a store measured of its own rows.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::advise::loads::{KeyspaceLoad, Loads, ShardLoad, SlotLoad};
use crate::ids::{KeyspaceId, SLOT_BITS_STORED, ShardId, Slot};
use crate::snapshot::Snapshot;

/// The rows of one stored slot: a count that needs nothing but the store's own tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoredSize {
    /// The keyspace.
    pub keyspace: KeyspaceId,
    /// The 20 bits that are stored with each row.
    pub stored_slot: u32,
    /// Rows, tombstones too.
    pub rows: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
}

/// The sizes of `shard`, by what it measured.
///
/// All of its rows count as the shard's. As a slot's count only those of the shard that orders its
/// writes, so that copies on a wave's mirror aren't counted twice when shards are added up.
pub fn store_sizes(
    snapshot: &Snapshot,
    shard: ShardId,
    sizes: impl IntoIterator<Item = StoredSize>,
) -> Loads {
    let content = snapshot.content();
    let mut bytes = 0_u64;
    let mut slots: BTreeMap<(KeyspaceId, Slot), SlotLoad> = BTreeMap::new();
    for size in sizes {
        bytes = bytes.saturating_add(size.bytes);
        let Some(keyspace) = content.keyspace(size.keyspace) else {
            continue;
        };
        let slot = Slot(size.stored_slot >> SLOT_BITS_STORED.saturating_sub(keyspace.bits));
        let load = slots.entry((size.keyspace, slot)).or_insert(SlotLoad {
            slot,
            ..SlotLoad::default()
        });
        load.rows = load.rows.saturating_add(size.rows);
        load.bytes = load.bytes.saturating_add(size.bytes);
    }
    let mut keyspaces = Vec::new();
    for keyspace in &content.keyspaces {
        let table = keyspace.table();
        let authority = |slot: Slot| {
            let carved = |w: &&crate::wave::Wave| w.is_carved_whole() && w.contains(slot);
            let wave = keyspace.waves.iter().find(carved);
            let owner = || content.shard_at(*table.get(slot.0 as usize)?).map(|s| s.id);
            wave.map_or_else(owner, |wave| Some(wave.authority()))
        };
        let first = (keyspace.id, Slot(0));
        let own = slots.range(first..=(keyspace.id, Slot(u32::MAX)));
        keyspaces.push(KeyspaceLoad {
            keyspace: keyspace.name.clone(),
            slots: own
                .filter(|((_, slot), _)| authority(*slot) == Some(shard))
                .map(|(_, load)| *load)
                .collect(),
            ..KeyspaceLoad::default()
        });
    }
    let shards = [ShardLoad {
        shard,
        bytes: Some(bytes),
        ..ShardLoad::default()
    }];
    Loads {
        shards: shards.into(),
        keyspaces,
    }
}
