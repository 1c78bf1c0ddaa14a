//! Batches, their replies and how transactions end, as the vectors write them.

use ringshift::{
    Batch, BatchReply, Expected, Failure, PinError, Step, TransactionError, TransactionOutcome,
    TransactionStep,
};
use serde_json::{Value, json};

use crate::vectors::clusters::version as v;
use crate::vectors::operation::words;

pub(crate) fn step(step: TransactionStep) -> Value {
    match step {
        TransactionStep::Send(batch) => json!({"send": send(&batch)}),
        TransactionStep::Work { found_by } => json!({"work": {"found_by": found_by}}),
        TransactionStep::Refresh { newer_than } => words::step(Step::Refresh { newer_than }),
        TransactionStep::Wait { until } => words::step(Step::Wait { until }),
        TransactionStep::Done(outcome) => json!({"done": done(outcome)}),
    }
}

fn send(batch: &Batch) -> Value {
    let parts = batch.parts.iter().map(|part| {
        let expected = match part.expected {
            Expected::Any => json!("any"),
            Expected::Row(version) => json!({"row": version.map(v)}),
        };
        json!({
            "key": part.key, "expected": expected,
            "attempt": words::step(Step::Send(part.attempt)).get("send"),
        })
    });
    json!({
        "id": batch.id, "shard": batch.shard, "blocking": batch.blocking,
        "changes": batch.changes(), "begins": batch.begins(), "parts": parts.collect::<Vec<_>>(),
    })
}

fn done(outcome: TransactionOutcome) -> Value {
    let code = outcome.code();
    let error = match outcome {
        TransactionOutcome::Done { versions, lagging } => {
            let versions: Vec<_> = versions.into_iter().map(|version| version.map(v)).collect();
            return json!({"committed": {"versions": versions, "lagging": lagging}});
        }
        TransactionOutcome::RolledBack => return json!("rolled_back"),
        TransactionOutcome::Failed(error) => error,
    };
    let (mut key, mut there, mut listed) = (None, None, Vec::new());
    match error {
        TransactionError::Conflict { key: at, found } => (key, there) = (Some(at), found.map(v)),
        TransactionError::Pin(PinError::CrossShard { shards }) => listed = shards,
        _ => {}
    }
    json!({"failed": {
        "code": code.map(ringshift::ErrorCode::as_str), "key": key, "found": there, "shards": listed,
    }})
}

pub(crate) fn reply(reply: &BatchReply) -> Value {
    match reply {
        BatchReply::Done(replies) => {
            json!({"done": replies.iter().map(|&reply| words::reply(reply)).collect::<Vec<_>>()})
        }
        BatchReply::Conflict { part, found } => {
            json!({"conflict": {"part": part, "found": found.map(v)}})
        }
        BatchReply::Refused(why) => json!({"refused": words::refusal(*why)}),
        BatchReply::Failed(failure) => json!({"failed": match failure {
            Failure::NotSent => "not_sent",
            Failure::MaybeApplied => "maybe_applied",
            Failure::Rejected => "rejected",
        }}),
    }
}
