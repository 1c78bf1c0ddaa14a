//! A live reshard.
#![allow(
    dead_code,
    unused_imports,
    reason = "the live loop that uses these parts is not written yet"
)]

mod checker;
mod dataset;
mod history;
mod latency;
mod options;
mod report;
mod zipf;

fn main() {}
