//! The races that break home-made migrations, each as one schedule picked by hand: the core's own
//! operation, guard and coordinator over two shards in memory.
//!
//! The numbers are those of the protocol's list. `tests/model` checks every interleaving of a
//! smaller world; here a schedule has a name, and a line that says which protection it holds.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected must fail"
)]

mod barriers;
mod client;
mod coordinators;
mod edits;
mod fences;
mod leases;
mod reads;
mod restored;
#[path = "../model/shard.rs"]
mod shard;
mod waves;
mod world;
mod writes;
