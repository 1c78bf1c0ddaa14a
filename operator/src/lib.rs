//! Real input and output around the core: stores that keep rows behind the core's guard, and the
//! place where snapshots live.
//!
//! Nothing here decides anything about routing or fencing. A store loads rows and guard rows,
//! asks the core, and does what it says in one atomic step.

pub mod adopt;
pub mod agent;
pub mod client;
pub mod plan;
mod reporter;
pub mod runner;
pub mod store;
pub mod topology;
pub mod verify;

pub use reporter::{Reporter, write_report};
