//! What is looked at now and then. By hand, since a serializer would be as large as all of these.

use ringshift::{Explanation, Phase, Shard, ShardShare, ShardState};
use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/js/shapes.js")]
extern "C" {
    fn shard(
        id: u32,
        name: &str,
        weight: f64,
        endpoint: &str,
        zone: &str,
        tags: Vec<String>,
        draining: bool,
        unfenced: bool,
    ) -> JsValue;
    fn share(slots: u32, mirrored: u32, phase: Option<&str>) -> JsValue;
    fn explained(
        keyspace: &str,
        epoch: u32,
        routing_part: &[u8],
        hash: &str,
        slots: u32,
        slot: u32,
        pinned: bool,
        domain: u32,
        domain_epoch: u32,
        phase: Option<&str>,
        ramp_ppm: Option<u32>,
        inside: bool,
        authority: &str,
        mirror: Option<&str>,
        reads: Vec<String>,
        strict: bool,
    ) -> JsValue;
}

pub(crate) fn shard_out(of: &Shard) -> JsValue {
    shard(
        of.id.0,
        &of.name,
        of.weight.to_f64(),
        &of.endpoint,
        &of.zone,
        of.tags.clone(),
        of.state == ShardState::Draining,
        of.unfenced,
    )
}

pub(crate) fn share_out(of: &ShardShare) -> JsValue {
    share(of.slots, of.mirrored, of.phase.map(Phase::name))
}

pub(crate) fn explanation_out(found: Explanation) -> JsValue {
    let (ramp_ppm, inside) = found.ramp.unzip();
    explained(
        &found.keyspace,
        found.epoch.get(),
        &found.routing_part,
        &found.hash,
        found.slots,
        found.slot.0,
        found.pinned,
        found.domain.0,
        found.domain_epoch.get(),
        found.phase.as_deref(),
        ramp_ppm,
        inside == Some(true),
        &found.authority,
        found.mirror.as_deref(),
        found.reads,
        found.strict,
    )
}
