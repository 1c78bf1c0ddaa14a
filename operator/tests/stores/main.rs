//! What a store owes, asked of every store; and that all stores answer alike.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails should say where"
)]

mod alike;
mod commands;
mod copying;
mod files;
mod shard;
mod sql;
mod threads;
mod turns;
mod writes;
