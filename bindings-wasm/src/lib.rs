//! The core for JavaScript. Types are converted here; nothing is decided here.
//!
//! What the exports take and give is documented where people call them: in `js/machine.ts`.

mod advance;
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
pub use migration::*;
pub use operation::*;
pub use router::*;
pub use store::*;
