//! Route keys to shards, and keep doing so correctly while data moves under you.
#![no_std]

extern crate alloc;

mod balance;
mod directory;
mod error;
pub mod hash;
mod ids;
mod key;
mod replicas;
mod ring;
mod time;
mod weight;

pub use balance::{all_placed, balanced, balanced_new, modulo_moved_share, moved};
pub use directory::{DirectoryError, ExactTable, OVERRIDES_MAX};
pub use error::ErrorCode;
pub use ids::*;
pub use key::{Composite, KEY_BYTES_MAX, KeyError, KeyRule, time_bucket};
pub use replicas::replicas;
pub use ring::{
    PlacementError, RING_POINTS_MAX, RING_SLOTS_PER_SHARD_WARN, RingShard, VNODES_DEFAULT,
    ring_points, ring_table,
};
pub use time::Instant;
pub use weight::{WEIGHT_THOUSANDTHS_MAX, Weight, WeightError};
