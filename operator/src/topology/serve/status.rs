//! `/status.json`: what the page draws.

use ringshift::{Router, ShardState, Snapshot};
use serde::Serialize;

use crate::topology::serve::source::{Source, SourceFigures};

/// Arcs of a ring that are worth drawing; a ring of more slots is drawn by every nth.
const ARCS_MAX: usize = 2_048;

#[derive(Serialize)]
struct Status {
    cluster: Option<String>,
    epoch: u32,
    digest: String,
    keyspaces: Vec<Space>,
    source: SourceFigures,
    trouble: Option<String>,
}

#[derive(Serialize)]
struct Space {
    name: String,
    slots: u32,
    pins: usize,
    shards: Vec<Share>,
    /// By index of shard: who has the slots, in turn, each for as many of [`ARCS_MAX`] as it has.
    ring: Vec<(u16, usize)>,
    waves: Vec<WaveLine>,
}

#[derive(Serialize)]
struct Share {
    name: String,
    slots: u32,
    mirrored: u32,
    draining: bool,
}

#[derive(Serialize)]
struct WaveLine {
    wave: u32,
    phase: &'static str,
    from: String,
    to: String,
    slots: u32,
    ramp_ppm: u32,
}

pub(super) fn json(source: &Source) -> Vec<u8> {
    let snapshot = source.newest();
    let status = Status {
        cluster: snapshot.as_ref().map(|it| it.cluster().to_owned()),
        epoch: snapshot.as_ref().map_or(0, |it| it.epoch().get()),
        digest: snapshot
            .as_ref()
            .map(|it| it.digest().to_string())
            .unwrap_or_default(),
        keyspaces: snapshot
            .map(Router::new)
            .as_ref()
            .map(spaces)
            .unwrap_or_default(),
        source: source.figures(),
        trouble: source.last_trouble(),
    };
    // Its keys are text, which is all that could fail.
    serde_json::to_vec(&status).unwrap_or_default()
}

fn spaces(router: &Router) -> Vec<Space> {
    let snapshot = router.snapshot();
    let keyspaces = snapshot.content().keyspaces.iter();
    keyspaces
        .filter_map(|content| {
            let keyspace = router.keyspace_at(content.id)?;
            let shards = keyspace.shards().map(|(shard, share)| Share {
                name: shard.name.clone(),
                slots: share.slots,
                mirrored: share.mirrored,
                draining: shard.state == ShardState::Draining,
            });
            Some(Space {
                name: content.name.clone(),
                slots: content.slot_count(),
                pins: content.directory.len(),
                shards: shards.collect(),
                ring: arcs(keyspace.owners().into_iter().map(|shard| shard.0).collect()),
                waves: keyspace
                    .waves()
                    .iter()
                    .map(|wave| line(snapshot, wave))
                    .collect(),
            })
        })
        .collect()
}

fn arcs(owners: Vec<u16>) -> Vec<(u16, usize)> {
    let every = owners.len().div_ceil(ARCS_MAX).max(1);
    let mut arcs: Vec<(u16, usize)> = Vec::new();
    for owner in owners.into_iter().step_by(every) {
        match arcs.last_mut() {
            Some(last) if last.0 == owner => last.1 += 1,
            _ => arcs.push((owner, 1)),
        }
    }
    arcs
}

fn line(snapshot: &Snapshot, wave: &ringshift::Wave) -> WaveLine {
    let name = |id| {
        let shard = snapshot.shard(id);
        shard.map_or_else(|| format!("#{id}"), |shard| shard.name.clone())
    };
    WaveLine {
        wave: wave.domain.0,
        phase: wave.phase.name(),
        from: name(wave.from),
        to: name(wave.to),
        slots: wave.slot_count(),
        ramp_ppm: wave.ramp_ppm,
    }
}
