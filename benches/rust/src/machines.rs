//! What is done once a change, not once a key: building, planning, compiling, coding.

use std::hint::black_box;
use std::sync::Arc;

use pingora_ketama::{Continuum, Version};
use ringshift::migration::{Changes, plan};
use ringshift::{
    Delta, Epoch, Home, Phase, RingShard, Router, ShardIndex, Snapshot, Weight, balanced,
    ring_table,
};

use crate::allocator::counted;
use crate::figures::Figures;
use crate::measure::{Candidate, Timing, measure};
use crate::peers::{KETAMA_V2, POINTS, buckets};
use crate::workload::{Cluster, Failure, edited, with_waves};

/// Slots of one wave, for plans.
const WAVE_SLOTS: u32 = 4_096;

/// Measures all of them.
pub(crate) fn run(figures: &mut Figures, rounds: usize) -> Result<(), Failure> {
    println!("\nOnce a change");
    ring_build(figures, rounds);
    for shards in [64, 5_000] {
        add_one_shard(figures, shards, rounds)?;
    }
    for bits in [16, 20] {
        for shards in [64, 1_000] {
            codec(figures, bits, shards, rounds)?;
        }
    }
    Ok(())
}

/// Adds the timings under their own names, and prints them.
pub(crate) fn note(figures: &mut Figures, timings: &[Timing]) {
    for timing in timings {
        figures.time(&timing.name, timing);
        println!(
            "  {:<36} {:>12.1} us  ({:.1} to {:.1})",
            timing.name,
            timing.median() / 1e3,
            timing.min() / 1e3,
            timing.max() / 1e3
        );
    }
}

/// A ring of 1,000 shards with 160 points each, from names to something that answers.
fn ring_build(figures: &mut Figures, rounds: usize) {
    let shards = 1_000;
    let cluster = Cluster {
        balanced: false,
        ..Cluster::of(shards, 16)
    };
    let names: Vec<String> = (0..shards).map(|place| cluster.shard(place).name).collect();
    let ring: Vec<RingShard<'_>> = (0_u16..)
        .zip(&names)
        .map(|(at, name)| RingShard {
            name,
            id: ringshift::ShardId(u32::from(at) + 1),
            index: ShardIndex(at),
            weight: Weight::ONE,
        })
        .collect();
    let buckets = buckets(shards);
    let ketama = |version: Version| black_box(Continuum::new_with_version(&buckets, version));
    let timings = measure(
        &mut [
            Candidate::once("ring_build/1000x160", || {
                ring_table(&ring, POINTS, 0, 16).map_or(0, |table| table.len() as u64)
            }),
            Candidate::once("topology_to_router/1000x160", || {
                let snapshot = cluster.snapshot().ok().map(Arc::new);
                let router = snapshot.map(Router::new);
                router.map_or(0, |router| {
                    black_box(router).snapshot().epoch().get().into()
                })
            }),
            Candidate::once("pingora-ketama-v1/build/1000x160", || {
                ketama(Version::V1).node_idx(b"k") as u64
            }),
            Candidate::once("pingora-ketama-v2/build/1000x160", || {
                ketama(KETAMA_V2).node_idx(b"k") as u64
            }),
        ],
        rounds,
    );
    note(figures, &timings);
    if let [own, whole, v1, v2] = timings.as_slice() {
        let peer = if v1.median() < v2.median() { v1 } else { v2 };
        for timing in [own, whole] {
            let field = "times_faster_than_pingora_ketama";
            figures.number(&timing.name, field, peer.over(timing));
        }
    }
}

/// `snapshot` after one more equal shard has taken its share.
fn with_one_more(cluster: Cluster, snapshot: &Snapshot) -> Result<Snapshot, Failure> {
    edited(snapshot, |draft| {
        let shard = cluster.shard(cluster.shards).shard()?;
        draft.shards.push(shard);
        let weights: Vec<Weight> = draft.shards.iter().map(|shard| shard.weight).collect();
        let home = Home {
            domain: draft.take_domain(),
            epoch: Epoch::FIRST,
        };
        let keyspace = draft.keyspaces.first_mut().ok_or("no keyspace")?;
        keyspace.homes.push(home);
        let table = balanced(&keyspace.table(), &weights)?;
        keyspace.set_table(&table);
        Ok(())
    })
}

/// The plan that lets one more shard in, and the router of the state that it leads to.
fn add_one_shard(figures: &mut Figures, shards: u32, rounds: usize) -> Result<(), Failure> {
    let cluster = Cluster::of(shards, 16);
    let before = cluster.snapshot()?;
    let after = Arc::new(with_one_more(cluster, &before)?);
    let changes = Changes {
        add: vec![cluster.shard(shards).shard()?],
        ..Changes::default()
    };
    let planned = || plan(&before, &changes, WAVE_SLOTS).map_or(0, |plan| plan.waves.len() as u64);
    let compiled = || {
        let router = black_box(Router::new(after.clone()));
        u64::from(router.snapshot().epoch().get())
    };
    let timings = measure(
        &mut [
            Candidate::once(format!("add_one_shard/{shards}"), || planned() + compiled()),
            Candidate::once(format!("add_one_shard-plan/{shards}"), planned),
            Candidate::once(format!("add_one_shard-compile/{shards}"), compiled),
        ],
        rounds,
    );
    note(figures, &timings);
    let plan = plan(&before, &changes, WAVE_SLOTS)?;
    let name = format!("moved/balanced/{shards}");
    for moves in &plan.figures {
        let share = |slots: u32| f64::from(slots) / f64::from(moves.slots);
        figures.note(&name, "slots_moved", moves.slots_moved);
        figures.note(&name, "slots_least", moves.slots_least);
        figures.number(&name, "share_moved", share(moves.slots_moved));
        figures.number(&name, "share_ideal", 1.0 / f64::from(shards + 1));
        figures.number(&name, "share_modulo", share(moves.slots_modulo));
    }
    Ok(())
}

/// Bytes to a router and back, and the way from one snapshot to the next.
fn codec(figures: &mut Figures, bits: u8, shards: u32, rounds: usize) -> Result<(), Failure> {
    let cluster = Cluster::of(shards, bits);
    let first = cluster.snapshot()?;
    let bytes = first.encode();
    let decoded = Arc::new(Snapshot::decode(&bytes)?);
    let grown = with_one_more(cluster, &first)?;
    let moving = with_waves(&first, Phase::Prepare)?;
    let advanced = edited(&moving, |draft| {
        let epoch = draft.epoch;
        let keyspace = draft.keyspaces.first_mut().ok_or("no keyspace")?;
        let wave = keyspace.waves.first_mut().ok_or("no wave")?;
        wave.phase = Phase::DoubleWrite;
        wave.epoch = epoch;
        Ok(())
    })?;
    let phase = moving.delta(&advanced)?.encode();
    let moves = first.delta(&grown)?.encode();
    let made = |from: &Snapshot, to: &Snapshot| {
        from.delta(to)
            .map_or(0, |delta| delta.encode().len() as u64)
    };
    let applied = |from: &Snapshot, bytes: &[u8]| {
        let delta = Delta::decode(bytes).ok();
        let snapshot = delta.and_then(|delta| from.apply(&delta).ok());
        snapshot.map_or(0, |snapshot| u64::from(snapshot.epoch().get()))
    };
    let named = |what: &str| format!("{what}/{bits}/{shards}");
    let timings = measure(
        &mut [
            Candidate::once(named("encode"), || first.encode().len() as u64),
            Candidate::once(named("decode"), || {
                Snapshot::decode(&bytes).map_or(0, |snapshot| snapshot.epoch().get().into())
            }),
            Candidate::once(named("compile"), || {
                let router = black_box(Router::new(decoded.clone()));
                u64::from(router.snapshot().epoch().get())
            }),
            Candidate::once(named("delta"), || made(&moving, &advanced)),
            Candidate::once(named("apply"), || applied(&moving, &phase)),
            Candidate::once(named("delta-moves"), || made(&first, &grown)),
            Candidate::once(named("apply-moves"), || applied(&first, &moves)),
        ],
        rounds,
    );
    note(figures, &timings);
    figures.note(&named("encode"), "bytes", bytes.len());
    figures.note(&named("delta"), "bytes", phase.len());
    figures.note(&named("delta-moves"), "bytes", moves.len());
    let (router, _, held) = counted(|| Router::new(decoded.clone()));
    drop(router);
    let slots = 1_usize << bits;
    figures.note(&named("memory"), "bytes", held);
    figures.note(&named("memory"), "slots", slots);
    let beside = held.saturating_sub(4 * slots);
    figures.note(&named("memory"), "bytes_beside_4_a_slot", beside);
    println!("  {:<36} {held:>12} bytes", named("memory"));
    Ok(())
}
