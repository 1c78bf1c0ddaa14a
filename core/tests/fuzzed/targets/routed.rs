//! A snapshot that was let in: its router compiles, and says of each key what the content says.

use std::sync::Arc;

use ringshift::{
    Draft, Entry, Fence, Keyspace, KeyspaceDraft, Phase, Router, Scope, ShardId, Slot, Snapshot,
    Target, Wave,
};

/// More slots than this take a fuzzer too long, compiled thousands of times.
const SLOTS_MAX: u64 = 1 << 14;

pub(crate) fn check(snapshot: &Snapshot) {
    let content = snapshot.content();
    let slots: u64 = content
        .keyspaces
        .iter()
        .map(|keyspace| u64::from(keyspace.slot_count()))
        .sum();
    if slots > SLOTS_MAX {
        return;
    }
    let router = Router::new(Arc::new(snapshot.clone()));
    for keyspace in &content.keyspaces {
        let routing = router.keyspace_at(keyspace.id).unwrap();
        let placed: u32 = keyspace.assignment.iter().map(|run| run.len).sum();
        assert_eq!(placed, keyspace.slot_count(), "a slot is nobody's");
        for key in keys(keyspace) {
            check_key(content, keyspace, &routing, &key);
        }
    }
}

/// A few keys anywhere, and those at the ends of all intervals.
fn keys(keyspace: &KeyspaceDraft) -> Vec<Vec<u8>> {
    let mut keys: Vec<Vec<u8>> = [&b""[..], b"a", b"ab", b"user:42", b"{tag}x", b"\xff"]
        .map(<[u8]>::to_vec)
        .to_vec();
    let matches = keyspace.directory.iter().map(|entry| &entry.matches);
    let moving = keyspace
        .waves
        .iter()
        .filter_map(|wave| wave.matches.as_ref());
    for scope in matches.chain(moving).map(ringshift::Match::scope).take(64) {
        let mut inside = scope.start.clone();
        inside.push(b'~');
        keys.extend([scope.start, inside, scope.end]);
    }
    keys
}

fn check_key(content: &Draft, keyspace: &KeyspaceDraft, routing: &Keyspace<'_>, key: &[u8]) {
    let Ok(route) = routing.route(key) else {
        assert!(routing.plan(key).is_err(), "a plan for what is no key");
        return;
    };
    let plan = routing.plan(key).unwrap();
    assert_eq!(keyspace.slot_of(key).unwrap(), plan.slot);
    assert_eq!(route.slot, plan.slot);
    assert_eq!(content.index_of(plan.authority), Some(route.shard));
    assert_ne!(plan.mirror, Some(plan.authority), "its own mirror");
    assert_eq!(route.moving, plan.mirror.is_some());
    let (authority, fence) = said(content, keyspace, plan.slot, key);
    assert_eq!((plan.authority, plan.fence), (authority, fence), "{key:?}");
    let why = routing.explain(key).unwrap();
    assert_eq!(
        (why.slot, why.domain, why.mirror.is_some()),
        (plan.slot, fence.domain, route.moving)
    );
    assert!(routing.holders(key).unwrap().contains(&plan.authority));
}

fn scope(wave: &Wave) -> Scope {
    wave.matches
        .as_ref()
        .map_or_else(Scope::default, ringshift::Match::scope)
}

/// Who orders the writes of a key, looked for in the content itself.
fn said(content: &Draft, keyspace: &KeyspaceDraft, slot: Slot, key: &[u8]) -> (ShardId, Fence) {
    let entries = keyspace
        .directory
        .iter()
        .filter(|entry| entry.matches.contains(key) && entry.has_slot(slot));
    let entry: Option<&Entry> = entries.max_by_key(|entry| entry.matches.scope());
    let carved = |wave: &&Wave| {
        let has = wave.matches.as_ref().is_none_or(|m| m.contains(key));
        let carved = !matches!(wave.phase, Phase::Prepare | Phase::Ended(_));
        carved && has && wave.contains(slot)
    };
    let waves = keyspace.waves.iter().filter(carved);
    let narrow = waves.clone().filter(|wave| wave.matches.is_some());
    let narrow = narrow.max_by_key(|wave| scope(wave));
    // A wave as wide as the override that it is carved from comes before it.
    let narrow = narrow.filter(|wave| entry.is_none_or(|e| scope(wave) >= e.matches.scope()));
    let whole = || {
        let mut waves = waves.clone();
        waves.find(|wave| entry.is_none() && wave.matches.is_none())
    };
    if let Some(wave) = narrow.or_else(whole) {
        let authority = match wave.phase {
            Phase::Reversed => wave.to,
            _ => wave.from,
        };
        let (domain, epoch) = (wave.domain, wave.epoch);
        return (authority, Fence { domain, epoch });
    }
    if let Some(entry) = entry {
        let Target::Shard(shard) = entry.target else {
            panic!("an override to a keyspace was let in: {entry:?}");
        };
        let (domain, epoch) = (entry.domain, entry.epoch);
        return (shard, Fence { domain, epoch });
    }
    let mut before = 0;
    let run = keyspace.assignment.iter().find(|run| {
        before += run.len;
        slot.0 < before
    });
    let index = run.unwrap().shard;
    let home = keyspace.homes[usize::from(index.0)];
    let fence = Fence {
        domain: home.domain,
        epoch: home.epoch,
    };
    (content.shards[usize::from(index.0)].id, fence)
}
