//! Carrying a migration out: the coordinator, as a machine of the same kind as an operation.

pub mod command;
pub mod log;
pub mod moves;
