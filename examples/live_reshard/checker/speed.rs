//! Large histories that the checker must judge clean; it prints how fast:
//! `cargo test --release --example live_reshard -- --nocapture speed`.

use std::time::Instant;

use fastrand::Rng;

use super::check;
use super::tests::{op, v};
use crate::history::{Function, Op, Outcome};
use crate::zipf::Zipf;

/// What clients in a closed loop would record against real registers.
fn simulate(clients: u32, ops_per_client: u32, keys: u32, unknown_percent: u32) -> Vec<Op> {
    let zipf = Zipf::new(keys, 1).expect("there are keys");
    let mut rng = Rng::with_seed(42);
    let mut turns = Vec::new();
    for process in 0..clients {
        let mut now = 1_000;
        for _ in 0..ops_per_client {
            let invoke_ns = now;
            let point = invoke_ns + rng.u64(1..20_000);
            let complete_ns = point + rng.u64(1..20_000);
            now = complete_ns + rng.u64(1..500);
            turns.push((point, invoke_ns, complete_ns, process));
        }
    }
    turns.sort_unstable();
    let mut registers = vec![v(1); keys as usize];
    let mut ops = Vec::new();
    for ((_, invoke_ns, complete_ns, process), id) in turns.into_iter().zip(2_u64..) {
        let key = zipf.pick(&mut rng);
        let register = &mut registers[key as usize];
        let (function, value) = match rng.u32(0..100) {
            0..50 => (Function::Read, *register),
            50..80 => (Function::Write, v(id)),
            80..90 => (Function::WriteIf { expect: *register }, v(id)),
            _ => (Function::Delete, None),
        };
        let unknown = rng.u32(0..100) < unknown_percent;
        if function != Function::Read && !(unknown && rng.bool()) {
            *register = value;
        }
        ops.push(Op {
            process,
            key,
            outcome: if unknown { Outcome::Info } else { Outcome::Ok },
            ..op(function, value, invoke_ns, complete_ns)
        });
    }
    ops
}

#[test]
fn speed() {
    for (clients, ops_per_client, keys, unknown_percent) in [
        (16, 62_500, 25_000, 0),
        (16, 62_500, 25_000, 5),
        (16, 8_000, 1, 0),
        (16, 8_000, 1, 5),
        (64, 2_000, 1, 1),
    ] {
        let ops = simulate(clients, ops_per_client, keys, unknown_percent);
        let begin = Instant::now();
        let verdict = check(&ops, |_| v(1));
        println!(
            "{} operations of {clients} clients on {keys} keys, {unknown_percent} % unknown: {:?}",
            ops.len(),
            begin.elapsed()
        );
        assert!(verdict.is_clean(), "{verdict}");
    }
}
