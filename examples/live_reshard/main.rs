//! A live reshard.
#![expect(
    dead_code,
    reason = "the live loop that uses these parts is not written yet"
)]

mod checker;
mod history;
mod zipf;

fn main() {}
