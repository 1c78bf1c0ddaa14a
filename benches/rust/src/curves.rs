//! How costs grow: with shards, with slots, with overrides.

use std::hint::black_box;
use std::sync::Arc;

use ringshift::{Router, Snapshot};

use crate::allocator::counted;
use crate::figures::Figures;
use crate::lookup::{Lookup, Mode};
use crate::machines::note;
use crate::measure::{Candidate, measure};
use crate::ours::shard;
use crate::workload::{Cluster, Failure, KEYSPACE, with_overrides};

/// Measures a route in a stream, a compilation and a decoding along each axis.
pub(crate) fn run(figures: &mut Figures, keys: &[&[u8]], rounds: usize) -> Result<(), Failure> {
    println!("\nCost curves");
    let mut points = Vec::new();
    for shards in [1, 8, 64, 512, 4_096, 16_384] {
        let snapshot = Cluster::of(shards, 16).snapshot()?;
        points.push((format!("shards/{shards}"), snapshot));
    }
    for bits in [4, 8, 12, 16, 18, 20] {
        let snapshot = Cluster::of(8, bits).snapshot()?;
        points.push((format!("slots/{}", 1_u32 << bits), snapshot));
    }
    for overrides in [0, 100, 1_000, 10_000, 100_000] {
        let snapshot = with_overrides(&Cluster::of(64, 16).snapshot()?, overrides)?;
        points.push((format!("overrides/{overrides}"), snapshot));
    }
    let mut routers = Vec::new();
    for (name, snapshot) in points {
        let bytes = snapshot.encode();
        let snapshot = Arc::new(snapshot);
        let (router, _, held) = counted(|| Router::new(snapshot.clone()));
        figures.note(&format!("curve/memory/{name}"), "bytes", held);
        figures.note(&format!("curve/encode/{name}"), "bytes", bytes.len());
        routers.push((name, router, bytes));
    }
    let mut lookups: Vec<(String, Lookup<'_, '_>)> = Vec::new();
    for (name, router, _) in &routers {
        let keyspace = router.keyspace(KEYSPACE)?;
        let lookup = Lookup::of("route", move |key| shard(&keyspace, key));
        lookups.push((format!("curve/route/{name}"), lookup));
    }
    let mut candidates = Vec::new();
    for (name, lookup) in &lookups {
        let pass = move || lookup.pass(Mode::Stream, keys);
        candidates.push(Candidate::many(name.as_str(), keys.len(), pass));
    }
    for timing in measure(&mut candidates, rounds) {
        figures.time(&timing.name, &timing);
        println!("  {:<36} {:>12.2} ns", timing.name, timing.median());
    }
    let mut candidates = Vec::new();
    for (name, router, bytes) in &routers {
        candidates.push(Candidate::once(format!("curve/compile/{name}"), || {
            let router = black_box(Router::new(router.snapshot().clone()));
            u64::from(router.snapshot().epoch().get())
        }));
        candidates.push(Candidate::once(format!("curve/decode/{name}"), || {
            Snapshot::decode(bytes).map_or(0, |snapshot| snapshot.epoch().get().into())
        }));
    }
    note(figures, &measure(&mut candidates, rounds));
    Ok(())
}
