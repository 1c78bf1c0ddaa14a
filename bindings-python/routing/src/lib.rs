//! What a key runs through on its way from Python to a shard: the keys' conversion, and the classes
//! that route. Compiled for speed.

pub mod convert;
pub mod error;
mod indexes;
mod keyspace;

pub use crate::indexes::indexes;
pub use crate::keyspace::{Keyspace, Routing, Shared};
