//! Routes keys to shards, and keeps doing so correctly while data moves under you.
//!
//! This crate decides; it does no I/O. It is told facts (a key, a snapshot of the routing state,
//! what a shard answered, what time it is) and answers with decisions (which shard, what to send
//! next, when to wait). It opens no socket, reads no clock, starts no thread and (but for the shard
//! in memory of [`store`]) holds no value, so the same code runs in a server, in a browser, in a simulator and in a model checker. It is
//! `no_std`, with `alloc`.
//!
//! Three parts agree on one protocol, each of which can be used as it is:
//!
//! - A [`Router`] says where a key is; an [`Operation`] carries one read or write through, also
//!   while its key moves.
//! - A [`Guard`] at each shard refuses whoever has the wrong map.
//! - A [`Coordinator`](migration::Coordinator) moves slots from shard to shard, phase by phase.
//!
//! # Where is a key?
//!
//! ```
//! use ringshift::{Router, Topology};
//!
//! let topology: Topology = serde_json::from_str(
//!     r#"{
//!         "cluster": "demo",
//!         "keyspaces": { "orders": {} },
//!         "shards": [
//!             { "id": 1, "name": "pg-1" },
//!             { "id": 2, "name": "pg-2", "weight": 0.5 }
//!         ]
//!     }"#,
//! )?;
//! let snapshot = topology.snapshot()?;
//! assert_eq!(snapshot.epoch().get(), 1);
//!
//! let router = Router::new(snapshot.into());
//! let orders = router.keyspace("orders")?; // look it up once, not for each key
//! let route = orders.route(b"user:42")?; // one hash, one load
//! let shard = router.snapshot().shard_id(route.shard);
//!
//! let why = orders.explain(b"user:42")?;
//! assert_eq!((why.slot, why.slots), (route.slot, 65_536));
//! assert_eq!(shard, router.snapshot().content().shards.iter()
//!     .find(|shard| shard.name == why.authority).map(|shard| shard.id));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A write, step by step
//!
//! An operation is polled until it waits or is done. What it says is carried out by a driver, which
//! tells it what came of that. [`driver::drive`] is such a driver for any runtime; here we play it
//! ourselves, with a shard that is in the middle of a change.
//!
//! ```
//! use ringshift::*;
//! # let text = r#"{"cluster":"demo","keyspaces":{"orders":{}},"shards":[{"id":1,"name":"a"}]}"#;
//! # let topology: Topology = serde_json::from_str(text)?;
//! # let router = Router::new(topology.snapshot()?.into());
//! let plan = router.keyspace("orders")?.plan(b"user:42")?;
//! let now = Instant::ZERO;
//! let mut write = Operation::write(plan, Policy::default(), now);
//!
//! // It says what to send, where, and what the shard's guard is to check.
//! let Step::Send(first) = write.poll() else { unreachable!() };
//! assert_eq!((first.shard, first.kind), (ShardId(1), AttemptKind::Write));
//!
//! // The guard of the shard holds writes back: a barrier. The operation keeps its map and waits.
//! let refusal = Refusal::NotReady { current: first.fence.epoch };
//! write.handle_reply(now, first.id, Reply::Refused(refusal))?;
//! let Step::Wait { until } = write.poll() else { unreachable!() };
//!
//! // Time has passed; it tries again, and the shard gives the write its version.
//! write.handle_timeout(until);
//! let Step::Send(second) = write.poll() else { unreachable!() };
//! let version = Version::new(first.fence.epoch, 0);
//! write.handle_reply(until, second.id, Reply::Written { version })?;
//! assert_eq!(write.poll(), Step::Done(Outcome::Written { version, lagging: None }));
//!
//! // A late answer to the first attempt changes nothing, and says so.
//! assert!(write.handle_reply(until, first.id, Reply::Missing).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where to look
//!
//! | For | Look at |
//! |---|---|
//! | a topology, and what is wrong with it | [`Topology`], [`Snapshot`], [`TopologyError`], [`SnapshotError`] |
//! | where a key is, and why | [`Router`], [`Keyspace`], [`Route`], [`Plan`], [`Explanation`] |
//! | composite keys, hash tags | [`Composite`], [`KeyRule`], [`time_bucket`] |
//! | one read or write | [`Operation`], [`Step`], [`Attempt`], [`Reply`], [`Outcome`], [`Policy`] |
//! | several keys of one shard at once | [`Keyspace::transaction`], [`Pinned`], [`Transaction`], [`Batch`] |
//! | one refresh for many operations | [`RefreshGate`] |
//! | comparing a read on both shards | [`Shadow`], [`compare`] |
//! | the shard's side | [`Guard`], [`admit`], [`takes_effect`], [`close`], [`Version::next`] |
//! | loads, and what to do about them | [`advise`] |
//! | planning and moving | [`migration`] |
//! | what a store runs, and decides | [`recipes`], [`store`] |
//! | the file that a topology store keeps | [`record`] |
//! | a driver | [`driver`] |
//! | placement by itself | [`ring_table`], [`balanced`], [`replicas()`], [`hash`] |
//! | errors | [`ErrorCode`]: match on slugs, not on messages |
//!
//! The long texts are in [`docs`]: what the protocol promises, how the code is built, why, and what
//! a store owes.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod advise;
mod balance;
mod budget;
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
mod order;
mod phase;
mod pin;
mod policy;
pub mod recipes;
pub mod record;
mod replicas;
mod ring;
mod route;
mod router;
mod scope;
mod shadow;
mod slotting;
mod snapshot;
mod step;
pub mod store;
mod time;
mod transaction;
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
pub use pin::{PinError, Pinned, TRANSACTION_KEYS_MAX};
pub use policy::{BackoffClass, Policy, RefreshGate, RefreshStep, backoff_ms};
pub use replicas::replicas;
pub use ring::*;
pub use route::*;
pub use router::{Groups, Installed, Keyspace, Router, UnknownKeyspace};
pub use scope::*;
pub use shadow::{Compared, Shadow, ShadowStep};
pub use slotting::{
    ForeignHash, Ketama, KetamaServer, Modulo, REDIS_BITS, REDIS_SLOTS, Slotting, ketama_digests,
};
pub use snapshot::*;
pub use step::*;
pub use time::Instant;
pub use transaction::*;
pub use wave::*;
pub use weight::*;

/// The long texts, as they stand in the repository's `core/docs`.
pub mod docs {
    macro_rules! texts {
        ($($name:ident = $path:literal;)*) => {
            $(
                // The texts link to each other's files. The first definition of a link wins, so
                // that here they lead to these modules.
                #[doc = "[ARCHITECTURE.md]: crate::docs::architecture"]
                #[doc = "[DESIGN.md]: crate::docs::design"]
                #[doc = "[GATES.md]: crate::docs::gates"]
                #[doc = "[PROOF.md]: crate::docs::proof"]
                #[doc = "[PROTOCOL.md]: crate::docs::protocol"]
                #[doc = "[STORAGE.md]: crate::docs::storage"]
                #[doc = ""]
                #[doc = include_str!($path)]
                pub mod $name {}
            )*
        };
    }

    texts! {
        architecture = "../docs/ARCHITECTURE.md";
        protocol = "../docs/PROTOCOL.md";
        design = "../docs/DESIGN.md";
        storage = "../docs/STORAGE.md";
        strategies = "../docs/STRATEGIES.md";
        gates = "../docs/GATES.md";
        proof = "../docs/PROOF.md";
    }
}

/// Makes doc tests of the README's Rust.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
