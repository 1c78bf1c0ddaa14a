//! All lookups, in every mode, over 8, 64 and 1,000 shards.

use crate::figures::Figures;
use crate::lookup::{Lookup, Mode};
use crate::measure::{Candidate, Timing, measure};
use crate::ours::{FLOOR, LIMIT, Routers};
use crate::peers::{self, RINGS_AS_INSTALLED};
use crate::workload::Failure;

/// How many shards there are in turn.
pub(crate) const SIZES: [u32; 3] = [8, 64, 1_000];
/// What is compared with the others.
pub(crate) const OURS: &[&str] = &[
    "route",
    "route-overrides",
    "route-wave",
    "route_many",
    "plan",
    "plan-wave",
];

/// Measures them.
pub(crate) fn run<'k>(
    figures: &mut Figures,
    in_order: &[&'k [u8]],
    cold: &[&'k [u8]],
    rounds: usize,
) -> Result<(), Failure> {
    for shards in SIZES {
        let routers = Routers::of(shards)?;
        let mut all = routers.lookups()?;
        all.extend(peers::all(shards));
        for mode in Mode::ALL {
            let keys = if mode == Mode::Cold { cold } else { in_order };
            let timings = timed(&all, mode, keys, rounds);
            note(figures, &timings, mode, shards);
        }
    }
    Ok(())
}

fn timed<'k>(all: &[Lookup<'_, 'k>], mode: Mode, keys: &[&'k [u8]], rounds: usize) -> Vec<Timing> {
    let mut candidates: Vec<Candidate<'_>> = Vec::new();
    for lookup in all.iter().filter(|lookup| lookup.has(mode)) {
        let keys = keys.get(..lookup.keys_max).unwrap_or(keys);
        let pass = move || lookup.pass(mode, keys);
        candidates.push(Candidate::many(lookup.name, keys.len(), pass));
    }
    measure(&mut candidates, rounds)
}

/// The fastest of those that `is_one`.
fn fastest(timings: &[Timing], is_one: impl Fn(&str) -> bool) -> Option<&Timing> {
    let all = timings.iter().filter(|timing| is_one(&timing.name));
    all.min_by(|a, b| a.median().total_cmp(&b.median()))
}

fn note(figures: &mut Figures, timings: &[Timing], mode: Mode, shards: u32) {
    let named = |name: &str| timings.iter().find(|timing| timing.name == name);
    let ring = fastest(timings, |name| RINGS_AS_INSTALLED.contains(&name));
    let is_peer = |name: &str| !OURS.contains(&name) && name != FLOOR && name != LIMIT;
    let peer = fastest(timings, is_peer);
    println!("\n{shards} shards, {}: ns a key", mode.name());
    for timing in timings {
        let name = format!("{}/{}/{shards}", timing.name, mode.name());
        figures.time(&name, timing);
        if let Some(limit) = named(LIMIT) {
            figures.number(&name, "ratio_to_limit", timing.over(limit));
        }
        if let Some(floor) = named(FLOOR) {
            figures.number(&name, "ratio_to_floor", timing.over(floor));
        }
        println!(
            "  {:<28} {:>10.2}  ({:.2} to {:.2})",
            timing.name,
            timing.median(),
            timing.min(),
            timing.max()
        );
        if !OURS.contains(&timing.name.as_str()) {
            continue;
        }
        if let Some(ring) = ring {
            figures.number(&name, "times_faster_than_best_ring", ring.over(timing));
            figures.note(&name, "best_ring", ring.name.as_str());
        }
        if let Some(peer) = peer {
            figures.number(&name, "times_faster_than_best_peer", peer.over(timing));
            figures.note(&name, "best_peer", peer.name.as_str());
        }
        if let Some(route) = named("route").filter(|route| route.name != timing.name) {
            figures.number(&name, "ratio_to_route", timing.over(route));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_is_compared_with_the_fastest_ring_and_the_fastest_peer() {
        let timing = |name: &str, ns: f64| Timing {
            name: name.to_owned(),
            calls: 1,
            rounds: vec![ns; 3],
        };
        let timings = [
            timing("floor", 2.0),
            timing("limit", 4.0),
            timing("route", 5.0),
            timing("hashring", 50.0),
            timing("pingora-ketama-v1", 30.0),
            timing("maglev-xxh3", 6.0),
        ];
        let mut figures = Figures::default();
        note(&mut figures, &timings, Mode::Stream, 8);
        let field = |field| figures.get("route/stream/8", field);
        assert_eq!(field("ratio_to_limit"), Some(1.25));
        assert_eq!(field("times_faster_than_best_ring"), Some(6.0));
        assert_eq!(field("times_faster_than_best_peer"), Some(1.2));
        let ring = figures.text("route/stream/8", "best_ring");
        assert_eq!(ring, Some("pingora-ketama-v1"));
        let peer = figures.text("route/stream/8", "best_peer");
        assert_eq!(peer, Some("maglev-xxh3"));
        assert_eq!(
            figures.get("hashring/stream/8", "ratio_to_floor"),
            Some(25.0)
        );
    }
}
