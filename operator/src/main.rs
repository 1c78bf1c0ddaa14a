//! The binary `ringshift`.

fn main() {}
