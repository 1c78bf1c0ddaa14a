//! What moved between two snapshots, against what had to.

use std::sync::Arc;

use ringshift::{KeyspaceDraft, Router, ShardId, Snapshot, modulo_moved_share};

use crate::cluster::{Failed, KEYSPACE};
use crate::report::Moved;

/// What moved, by the keys and slots of the first and the last snapshot.
pub(crate) fn moved(
    before: &Arc<Snapshot>,
    after: &Arc<Snapshot>,
    keys: &[String],
) -> Result<Moved, Failed> {
    let (old, new) = (Router::new(before.clone()), Router::new(after.clone()));
    let (old_keys, new_keys) = (old.keyspace(KEYSPACE)?, new.keyspace(KEYSPACE)?);
    let mut keys_moved = 0_u32;
    for key in keys {
        let there = before.shard_id(old_keys.route(key.as_bytes())?.shard);
        let here = after.shard_id(new_keys.route(key.as_bytes())?.shard);
        keys_moved += u32::from(there != here);
    }
    let owners = |snapshot: &Snapshot| -> Vec<Option<ShardId>> {
        let tables = snapshot
            .content()
            .keyspaces
            .iter()
            .flat_map(KeyspaceDraft::table);
        tables.map(|owner| snapshot.shard_id(owner)).collect()
    };
    let (old_owners, new_owners) = (owners(before), owners(after));
    // Where slots were split, each part was its whole's.
    let parts = (new_owners.len() / old_owners.len().max(1)).max(1);
    let slots = old_owners
        .iter()
        .flat_map(|owner| std::iter::repeat_n(owner, parts))
        .zip(&new_owners)
        .filter(|(old, new)| old != new)
        .count();
    let count = |snapshot: &Snapshot| u32::try_from(snapshot.content().shards.len());
    let (had, has) = (count(before)?, count(after)?);
    let modulo = modulo_moved_share(had, has).map_or(0.0, |(moved, of)| share(moved, of));
    Ok(Moved {
        slots_total: old_owners.len() as u64,
        slots: slots as u64,
        keys: keys_moved.into(),
        keys_share: share(keys_moved.into(), keys.len() as u64),
        keys_share_ideal: share(had.abs_diff(has).into(), had.max(has).into()),
        keys_share_modulo: modulo,
    })
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}
