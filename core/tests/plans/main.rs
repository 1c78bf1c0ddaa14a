//! Plans: what they promise, and whether that is what then happens.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected must fail"
)]

mod driven;
mod forged;
mod keys;
mod strategies;
mod wishes;
mod world;
