//! A model check: the core's own operation, guard, record and coordinator, every interleaving.
//!
//! A world is a few shards, clients and keys, a coordinator or two, and what may go wrong how often;
//! messages are late and reordered in all of them. `gate.rs` has those that are searched at each
//! run of the gate, `large.rs` the others, each by `cargo xtask model NAME`. What holds in every
//! state is in `world/judge.rs`, what a world leaves out in `docs/PROOF.md`.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected must fail"
)]

mod gate;
mod kept;
mod large;
mod setup;
mod shard;
mod told;
mod world;

use std::time::Instant;

use stateright::{Checker, HasDiscoveries, Model};

use world::World;

/// Searches all of `world`, and says how much that was. A property that fails ends it, with the way
/// there.
fn check(name: &str, world: World) {
    let begun = Instant::now();
    let checker = world
        .checker()
        .threads(1)
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_dfs()
        .join();
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{name}: {} states, {} distinct, depth {}, {seconds:.1} s",
        checker.state_count(),
        checker.unique_state_count(),
        checker.max_depth()
    );
    for (property, path) in checker.discoveries() {
        let failed = checker.model().properties();
        let failed = failed.iter().find(|p| p.name == property).unwrap();
        if failed.expectation != stateright::Expectation::Sometimes {
            panic!("{name}: `{property}` fails\n{}", told::story(path));
        }
    }
    checker.assert_properties();
}
