//! The core for JavaScript. Types are converted here; nothing is decided here.
//!
//! What the exports take and give is documented where people call them: in `js/machine.ts`.
//!
//! Four modules are built of it, by its features, so that a page loads what it uses: `client` is
//! what reads and writes keys, `transactions` what changes several together, `local` is what a
//! shard's store decides and what a topology's JSON makes, and `migrate` is all, with what plans and
//! coordinates.

#[cfg(feature = "client")]
mod advance;
#[cfg(feature = "migrate")]
mod advise;
#[cfg(feature = "local")]
mod batch;
mod convert;
mod error;
#[cfg(feature = "migrate")]
mod gates;
#[cfg(all(target_family = "wasm", not(feature = "local")))]
mod heap;
#[cfg(feature = "migrate")]
mod migration;
#[cfg(feature = "client")]
mod operation;
#[cfg(feature = "migrate")]
mod pulse;
#[cfg(feature = "migrate")]
mod report;
#[cfg(feature = "client")]
mod router;
mod snapshot;
#[cfg(feature = "migrate")]
mod sql;
#[cfg(feature = "local")]
mod store;
#[cfg(feature = "transactions")]
mod transaction;

#[cfg(feature = "migrate")]
pub use advise::*;
#[cfg(feature = "local")]
pub use batch::*;
#[cfg(feature = "client")]
pub use convert::room;
pub use error::{Fault, error_codes};
#[cfg(feature = "migrate")]
pub use gates::*;
#[cfg(feature = "migrate")]
pub use migration::*;
#[cfg(feature = "client")]
pub use operation::*;
#[cfg(feature = "migrate")]
pub use pulse::*;
#[cfg(feature = "migrate")]
pub use report::*;
#[cfg(feature = "client")]
pub use router::*;
pub use snapshot::Snapshot;
#[cfg(feature = "migrate")]
pub use sql::*;
#[cfg(feature = "local")]
pub use store::*;
#[cfg(feature = "transactions")]
pub use transaction::*;
