//! Whether every key ended where the plan wanted it, by a reckoning of its own.

use std::sync::Arc;

use ringshift::migration::PlannedWave;
use ringshift::{DomainId, KeyspaceDraft, Router, ShardId, Slot, Snapshot};

use crate::cluster::{Failed, KEYSPACE};

/// Keys that are elsewhere than `planned` wanted them; none planned: than they were.
pub(crate) fn misplaced(
    before: &Arc<Snapshot>,
    after: &Arc<Snapshot>,
    planned: &[PlannedWave],
    keys: &[String],
) -> Result<u64, Failed> {
    let (old, new) = (Router::new(before.clone()), Router::new(after.clone()));
    let (old, new) = (old.keyspace(KEYSPACE)?, new.keyspace(KEYSPACE)?);
    let mut misplaced = 0;
    for key in keys {
        let key = key.as_bytes();
        let route = old.route(key)?;
        let was = before.shard_id(route.shard);
        let origin = override_of(before, key, route.slot);
        let wave = planned.iter().find(|wave| {
            let matches = wave.matches.as_ref();
            Some(wave.from) == was
                && wave.origin == origin
                && wave.slots.iter().any(|run| run.contains(route.slot))
                && matches.is_none_or(|matches| matches.contains(key))
        });
        let wanted = wave.map(|wave| wave.to).or(was);
        let is: Option<ShardId> = after.shard_id(new.route(key)?.shard);
        misplaced += u64::from(is != wanted);
    }
    Ok(misplaced)
}

/// The innermost override that has the key.
fn override_of(snapshot: &Snapshot, key: &[u8], slot: Slot) -> Option<DomainId> {
    let entries = snapshot
        .content()
        .keyspaces
        .iter()
        .flat_map(|k| &k.directory);
    let holds = entries.filter(|entry| {
        entry.matches.contains(key) && entry.slots.iter().any(|run| run.contains(slot))
    });
    let inner = holds.reduce(|a, b| {
        if a.matches.scope().encloses(&b.matches.scope()) {
            b
        } else {
            a
        }
    });
    inner.map(|entry| entry.domain)
}

/// Whether `after` says of shards, slots and overrides what `before` said.
pub(crate) fn is_restored(before: &Snapshot, after: &Snapshot) -> bool {
    let (old, new) = (before.content(), after.content());
    old.shards == new.shards
        && old.keyspaces.len() == new.keyspaces.len()
        && old
            .keyspaces
            .iter()
            .zip(&new.keyspaces)
            .all(|(old, new)| is_keyspace_restored(old, new))
}

fn is_keyspace_restored(old: &KeyspaceDraft, new: &KeyspaceDraft) -> bool {
    let overrides = |keyspace: &KeyspaceDraft| {
        let entries = keyspace.directory.iter();
        let said = entries.map(|e| format!("{:?} {:?} {:?}", e.matches, e.slots, e.target));
        let mut said: Vec<_> = said.collect();
        said.sort_unstable();
        said
    };
    new.waves.is_empty()
        && old.bits == new.bits
        && old.assignment == new.assignment
        && overrides(old) == overrides(new)
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "a test may fail loudly")]
mod tests {
    use ringshift::Topology;
    use ringshift::migration::{Changes, Plan, plan};

    use super::*;

    fn snapshot(shards: u32, pin: u32) -> Arc<Snapshot> {
        let shards: Vec<_> = (1..=shards)
            .map(|id| format!(r#"{{"id":{id},"name":"s{id}"}}"#))
            .collect();
        let text = format!(
            r#"{{"cluster":"demo","keyspaces":{{"records":{{"pins":[{{"prefix":"t03/","shard":{pin}}}]}}}},
                "shards":[{}]}}"#,
            shards.join(",")
        );
        let topology: Topology = serde_json::from_str(&text).expect("a topology");
        Arc::new(topology.snapshot().expect("a snapshot"))
    }

    fn planned(before: &Snapshot, wish: &str) -> Plan {
        let wish: Changes = serde_json::from_str(wish).expect("a wish");
        plan(before, &wish, 0).expect("a plan")
    }

    fn keys() -> Vec<String> {
        (0..64)
            .map(|key| crate::wish::of_tenant(key, "k"))
            .collect()
    }

    #[test]
    fn keys_are_where_they_were_until_something_was_planned() {
        let (before, keys) = (snapshot(2, 1), keys());
        let wrong = |planned: &[PlannedWave]| {
            misplaced(&before, &before, planned, &keys).expect("keys have routes")
        };
        assert_eq!(wrong(&[]), 0);
        let adds = planned(&before, r#"{"add":[{"id":3,"name":"s3"}]}"#);
        assert!(wrong(&adds.log.planned) > 0);
        let moves = r#"{"move_prefix":[{"keyspace":"records","prefix":"t03/","to":2}]}"#;
        let moves = planned(&before, moves);
        // The tenant's keys, all of them, and none beside.
        assert_eq!(wrong(&moves.log.planned), 4);
    }

    #[test]
    fn a_tenant_that_went_over_is_seen() {
        let (before, after, keys) = (snapshot(2, 1), snapshot(2, 2), keys());
        let moves = r#"{"move_prefix":[{"keyspace":"records","prefix":"t03/","to":2}]}"#;
        let moves = planned(&before, moves).log.planned;
        let wrong = misplaced(&before, &after, &moves, &keys).expect("keys have routes");
        assert_eq!(wrong, 0);
        assert!(misplaced(&before, &after, &[], &keys).expect("keys have routes") > 0);
        assert!(is_restored(&before, &before) && !is_restored(&before, &after));
        assert!(!is_restored(&before, &snapshot(3, 1)));
    }
}
