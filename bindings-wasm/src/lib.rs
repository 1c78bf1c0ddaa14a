//! The core for JavaScript. Types are converted here; nothing is decided here.
//!
//! What the exports take and give is documented where people call them: in `js/machine.ts`.

#![expect(
    unreachable_pub,
    reason = "what wasm-bindgen exports is public, and nothing else is"
)]

mod convert;
mod error;
#[cfg(feature = "migrate")]
mod migration;
mod operation;
mod router;
mod store;
