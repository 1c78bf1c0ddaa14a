//! Route keys to shards, and keep doing so correctly while data moves under you.
#![no_std]

extern crate alloc;

mod balance;
mod digest;
mod directory;
pub mod driver;
mod error;
mod guard;
pub mod hash;
mod ids;
mod key;
pub mod migration;
mod op;
mod phase;
mod policy;
pub mod recipes;
mod replicas;
mod ring;
mod route;
mod router;
mod shadow;
mod snapshot;
mod step;
mod time;
mod wave;
mod weight;

pub use balance::*;
pub use digest::*;
pub use directory::*;
pub use error::ErrorCode;
pub use guard::*;
pub use ids::*;
pub use key::*;
pub use op::Operation;
pub use phase::*;
pub use policy::{BackoffClass, Policy, RefreshGate, RefreshStep, backoff_ms};
pub use replicas::replicas;
pub use ring::*;
pub use route::*;
pub use router::{Groups, Installed, Keyspace, Router, UnknownKeyspace};
pub use shadow::{Compared, Shadow, ShadowStep};
pub use snapshot::*;
pub use step::*;
pub use time::Instant;
pub use wave::*;
pub use weight::*;
