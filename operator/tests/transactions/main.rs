//! Transactions over real stores, by clients of the same machine that other languages drive.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]

mod bank;
mod cluster;
mod kill;
mod migration;
mod together;
