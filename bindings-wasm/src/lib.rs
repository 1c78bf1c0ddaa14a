//! The core for JavaScript. Types are converted here; nothing is decided here.
//!
//! What the exports take and give is documented where people call them: in `js/machine.ts`.

mod convert;
mod error;
#[cfg(feature = "migrate")]
mod migration;
mod operation;
mod router;
mod store;

pub use convert::room;
pub use error::{Fault, error_codes};
#[cfg(feature = "migrate")]
pub use migration::{Chunks, Coordinator, Guard, Plan, Topology, home_installs};
pub use operation::{Operation, RefreshGate, Shadow, composite, row_digest, too_long};
pub use router::{Router, Snapshot};
pub use store::{MemoryShard, decide, recipe};
