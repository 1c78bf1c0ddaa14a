//! The simulation: whole worlds on virtual time, each from one seed.
//!
//! A world drives the core's own machines and nothing else: operations under the core's own driver,
//! shards in memory with their guards, agents or coordinators, the topology's record. Only what is
//! between them is made up here: a network, disks, clocks, crashes, people with wishes. It has many
//! keys, two to five shards, two to five clients and several migrations after each other; the model
//! check beside it has all interleavings of a world that is far smaller.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected must fail"
)]

mod calls;
mod checks;
mod client;
mod counts;
mod dice;
mod draw;
mod faults;
mod history;
mod leader;
mod message;
mod network;
mod run;
mod shard;
mod story;
mod topology;
mod wishes;
mod world;

use run::{one, worlds};

/// A number that the environment gives.
fn given(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("`{name}` is `{text}`, which is no number")))
}

/// `cargo xtask sim` says how many, and from which seed on.
#[test]
fn worlds_by_chance() {
    if let Some(seed) = given("RINGSHIFT_SIM_SEED") {
        return one(seed);
    }
    let many = given("RINGSHIFT_SIM_WORLDS").unwrap_or(2_000);
    worlds(given("RINGSHIFT_SIM_FROM").unwrap_or(1), many);
}

/// Few enough for a run that isn't optimised: `cargo xtask break` asks these whether they miss a
/// protection that was taken out.
#[test]
fn a_few_worlds() {
    worlds(1, 200);
}

/// One seed decides everything: what is found can be looked at again.
#[test]
fn a_seed_replays_exactly() {
    for seed in 1..=20 {
        assert_eq!(run::digest(seed), run::digest(seed), "seed {seed}");
    }
    assert_ne!(run::digest(1), run::digest(2));
}
