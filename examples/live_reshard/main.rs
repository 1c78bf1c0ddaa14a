//! A live reshard.
fn main() {}
