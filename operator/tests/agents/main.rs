//! Agents over real files: one dies, another goes on; a shard's server dies, the others go on.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod cluster;
mod leaders;
mod load;
mod remote;
mod served;
