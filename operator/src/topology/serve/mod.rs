//! Hands snapshots out over HTTP: the whole of one, or what has changed since the one that a client
//! has, at once or when there is news.
//!
//! - [`Source`]: the snapshots, and what is answered about them.
//! - [`attend`]: one connection, whatever carries it.
//! - [`Server`]: a listener and a runtime around these.
//! - [`Follow`]: a file's snapshots, put into a source as they come.

mod follow;
mod http;
mod server;
mod source;
mod status;

pub use follow::Follow;
pub use http::{DELTA_NAME, WAIT_MAX, attend};
pub use server::{CONNECTIONS_MAX, Server};
pub use source::{KEPT, KEPT_BYTES_MAX, Source, SourceAnswer, SourceFigures, tag_of};
