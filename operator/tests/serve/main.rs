//! The snapshot source: what it answers, over HTTP, and to ten thousand at once.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails should say where"
)]

mod clients;
mod crowd;
mod exchange;

use std::sync::Arc;

use ringshift::{Epoch, Phase, ShardIndex, Side, Slot, Snapshot, Topology, Wave};

/// Four shards, and a wave of all slots of the first, in prepare.
pub(crate) fn first(cluster: &str) -> Arc<Snapshot> {
    let text = format!(
        r#"{{"cluster":"{cluster}","keyspaces":{{"orders":{{"bits":10}}}},"shards":[
            {{"id":1,"name":"a","endpoint":"postgres://10.0.0.1/orders"}},
            {{"id":2,"name":"b","endpoint":"postgres://10.0.0.2/orders"}},
            {{"id":3,"name":"c"}},{{"id":4,"name":"d"}}]}}"#
    );
    let topology: Topology = serde_json::from_str(&text).unwrap();
    let mut draft = topology.snapshot().unwrap().next_draft().unwrap();
    let (domain, epoch) = (draft.take_domain(), draft.epoch);
    let keyspace = &mut draft.keyspaces[0];
    let table = keyspace.table();
    let slots = (0..).map(Slot).zip(table);
    let slots = slots.filter(|(_, owner)| *owner == ShardIndex(0));
    keyspace.waves.push(Wave {
        domain,
        epoch,
        drained: Epoch::ZERO,
        authority_epoch: epoch,
        first: Side::To,
        from: draft.shards[0].id,
        to: draft.shards[1].id,
        phase: Phase::Prepare,
        ramp_ppm: 0,
        shadow_ppm: 0,
        strict: false,
        lease_ms: 0,
        slots: ringshift::slot_runs(slots.map(|(slot, _)| slot)),
        matches: None,
        origin: None,
        pins: false,
        switching: false,
    });
    Snapshot::build(draft).unwrap().into()
}

/// Its wave, one phase on.
pub(crate) fn advanced(snapshot: &Snapshot) -> Arc<Snapshot> {
    let mut draft = snapshot.next_draft().unwrap();
    let epoch = draft.epoch;
    let wave = &mut draft.keyspaces[0].waves[0];
    wave.phase = match wave.phase {
        Phase::Prepare | Phase::Reversed => Phase::DoubleWrite,
        Phase::DoubleWrite | Phase::ShadowRead => Phase::ReadNew,
        Phase::ReadNew => Phase::Reversed,
        Phase::Ended(_) => panic!("it has ended"),
    };
    wave.epoch = epoch;
    wave.authority_epoch = epoch;
    draft.keyspaces[0].homes[0].epoch = epoch;
    Snapshot::build(draft).unwrap().into()
}

/// The same epoch as the next one, with other content.
pub(crate) fn forked(snapshot: &Snapshot) -> Arc<Snapshot> {
    let mut draft = snapshot.next_draft().unwrap();
    draft.next_domain.0 += 77;
    Snapshot::build(draft).unwrap().into()
}
