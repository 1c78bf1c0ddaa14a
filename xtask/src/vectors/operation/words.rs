//! Steps and replies as the vectors write them.

use ringshift::{
    Attempt, AttemptKind, Failure, OperationError, Outcome, Payload, Refusal, Reply, Step,
};
use serde_json::{Value, json};

use crate::vectors::clusters::version as v;

pub(crate) fn step(step: Step) -> Value {
    match step {
        Step::Send(attempt) => json!({"send": send(&attempt)}),
        Step::Refresh { newer_than } => json!({"refresh": {"newer_than": newer_than}}),
        Step::Wait { until } => json!({"wait": {"until": until.as_millis()}}),
        Step::Done(outcome) => json!({"done": done(outcome)}),
    }
}

fn send(attempt: &Attempt) -> Value {
    let kind = match attempt.kind {
        AttemptKind::Read => json!("read"),
        AttemptKind::Write => json!("write"),
        AttemptKind::Confirm => json!("confirm"),
        AttemptKind::Apply { version, payload } => {
            let payload = match payload {
                Payload::Own => json!("own"),
                Payload::FoundBy(id) => json!({"found_by": id}),
            };
            json!({"apply": {"version": v(version), "payload": payload}})
        }
    };
    json!({
        "id": attempt.id, "shard": attempt.shard, "keyspace": attempt.keyspace,
        "slot": attempt.slot, "stored_slot": attempt.stored_slot,
        "domain": attempt.fence.domain, "epoch": attempt.fence.epoch,
        "kind": kind, "blocking": attempt.blocking,
    })
}

fn done(outcome: Outcome) -> Value {
    match outcome {
        Outcome::Value { from, version } => json!({"value": {"from": from, "version": v(version)}}),
        Outcome::Missing => json!("missing"),
        Outcome::Written { version, lagging } => {
            json!({"written": {"version": v(version), "lagging": lagging}})
        }
        Outcome::Conflict { found } => json!({"conflict": {"found": found.map(v)}}),
        Outcome::Failed(error) => json!({"failed": failed(error)}),
    }
}

fn failed(error: OperationError) -> Value {
    let mut fields = match error {
        OperationError::Indeterminate { version } => json!({"version": version.map(v)}),
        OperationError::Deadline { last } => json!({"last": last.map(refusal)}),
        OperationError::WrongRole { shard, current } => json!({"shard": shard, "current": current}),
        _ => json!({}),
    };
    if let Some(fields) = fields.as_object_mut() {
        fields.insert("code".to_owned(), json!(error.code().as_str()));
    }
    fields
}

pub(crate) fn reply(reply: Reply) -> Value {
    match reply {
        Reply::Found { version } => json!({"found": {"version": v(version)}}),
        Reply::Deleted { version } => json!({"deleted": {"version": v(version)}}),
        Reply::Missing => json!("missing"),
        Reply::Written { version } => json!({"written": {"version": v(version)}}),
        Reply::Superseded => json!("superseded"),
        Reply::Conflict { found } => json!({"conflict": {"found": found.map(v)}}),
        Reply::Refused(why) => json!({"refused": refusal(why)}),
        Reply::Failed(failure) => json!({"failed": match failure {
            Failure::NotSent => "not_sent",
            Failure::MaybeApplied => "maybe_applied",
            Failure::Rejected => "rejected",
        }}),
    }
}

pub(crate) fn refusal(refusal: Refusal) -> Value {
    match refusal {
        Refusal::StaleEpoch { current, drained } => {
            json!({"stale_epoch": {"current": current, "drained": drained}})
        }
        Refusal::NotReady { current } => json!({"not_ready": {"current": current}}),
        Refusal::NotOwner => json!("not_owner"),
        Refusal::WrongRole { current } => json!({"wrong_role": {"current": current}}),
        Refusal::LeaseOver { current } => json!({"lease_over": {"current": current}}),
        Refusal::StaleTerm { seen } => json!({"stale_term": {"seen": seen}}),
    }
}
