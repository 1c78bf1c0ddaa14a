//! A whole operation on a stable key, played without a store.

use std::hint::black_box;
use std::sync::Arc;

use ringshift::{Instant, Operation, Outcome, Plan, Policy, Reply, Router, Step, Version};

use crate::allocator::counted;
use crate::figures::Figures;
use crate::measure::{Candidate, measure};
use crate::workload::{Cluster, Failure, KEYSPACE};

/// A read, from its first poll to its outcome.
#[inline]
pub(crate) fn read(plan: Plan) -> u64 {
    play(
        Operation::read(plan, Policy::default(), Instant::ZERO),
        Reply::Missing,
    )
}

/// A write.
#[inline]
pub(crate) fn write(plan: Plan) -> u64 {
    let version = Version::new(plan.fence.epoch, 0);
    let operation = Operation::write(plan, Policy::default(), Instant::ZERO);
    play(operation, Reply::Written { version })
}

/// Sends what is to be sent, and answers it at once; 1 when the operation ends as it should.
fn play(mut operation: Operation, reply: Reply) -> u64 {
    let operation = black_box(&mut operation);
    let Step::Send(attempt) = operation.poll() else {
        return 0;
    };
    let accepted = operation.handle_reply(Instant::ZERO, black_box(attempt).id, reply);
    let done = matches!(
        operation.poll(),
        Step::Done(Outcome::Missing | Outcome::Written { lagging: None, .. })
    );
    u64::from(done && accepted.is_ok())
}

/// Measures them over the first `count` keys.
pub(crate) fn run(figures: &mut Figures, keys: &[&[u8]], rounds: usize) -> Result<(), Failure> {
    let router = Router::new(Arc::new(Cluster::of(64, 16).snapshot()?));
    let keyspace = router.keyspace(KEYSPACE)?;
    let keys = keys.get(..100_000).unwrap_or(keys);
    let plans: Vec<Plan> = keys
        .iter()
        .map(|key| keyspace.plan(key))
        .collect::<Result<_, _>>()?;
    let over_keys = |operation: fn(Plan) -> u64| {
        move || {
            let ended = keys.iter().filter_map(|key| keyspace.plan(key).ok());
            ended.map(operation).sum::<u64>()
        }
    };
    let over_plans = |operation: fn(Plan) -> u64| {
        let plans = &plans;
        move || plans.iter().copied().map(operation).sum::<u64>()
    };
    let calls = keys.len();
    let timings = measure(
        &mut [
            Candidate::many("operation/read", calls, over_keys(read)),
            Candidate::many("operation/write", calls, over_keys(write)),
            Candidate::many("operation/read-from-plan", calls, over_plans(read)),
            Candidate::many("operation/write-from-plan", calls, over_plans(write)),
        ],
        rounds,
    );
    println!("\nOne operation on a stable key, without I/O");
    for timing in &timings {
        figures.time(&timing.name, timing);
        println!("  {:<28} {:>8.1} ns", timing.name, timing.median());
    }
    for (name, operation) in [("read", over_keys(read)), ("write", over_keys(write))] {
        let (ended, allocations, _) = counted(operation);
        let name = format!("operation/{name}");
        figures.note(&name, "allocations", allocations);
        figures.note(&name, "ended", ended);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_end_as_they_should() -> Result<(), Failure> {
        let router = Router::new(Arc::new(Cluster::of(8, 8).snapshot()?));
        let plan = router.keyspace(KEYSPACE)?.plan(b"user:42")?;
        assert_eq!((read(plan), write(plan)), (1, 1));
        Ok(())
    }
}
