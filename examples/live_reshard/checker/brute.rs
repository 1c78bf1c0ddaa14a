//! The definition itself, for histories of a few operations: try every order.

use crate::history::{Function, Op, Outcome, Value};

/// Whether some order of the operations fits a register that first held `initial`.
pub(super) fn is_linearizable(ops: &[Op], initial: Value) -> bool {
    let left: Vec<Op> = ops
        .iter()
        .filter(|op| match op.outcome {
            Outcome::Ok => true,
            Outcome::Fail => false,
            Outcome::Info => op.function != Function::Read,
        })
        .copied()
        .collect();
    goes_on(&left, initial)
}

fn goes_on(left: &[Op], value: Value) -> bool {
    if left.iter().all(|op| op.outcome == Outcome::Info) {
        return true;
    }
    left.iter().enumerate().any(|(at, op)| {
        if left.iter().any(|other| other.precedes(op)) {
            return false;
        }
        let after = match op.function {
            Function::Read if op.value == value => value,
            Function::WriteIf { expect } if expect == value => op.value,
            Function::Read | Function::WriteIf { .. } => return false,
            Function::Write => op.value,
            Function::Delete => None,
        };
        let mut rest = left.to_vec();
        rest.remove(at);
        goes_on(&rest, after)
    })
}
