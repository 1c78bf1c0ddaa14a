//! Route keys to shards, and keep doing so correctly while data moves under you.
#![no_std]

extern crate alloc;

mod error;
mod ids;
mod time;

pub use error::ErrorCode;
pub use ids::*;
pub use time::Instant;
