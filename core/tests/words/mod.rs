//! The words of `vectors/operation.json` and `vectors/transactions.json`, and how their traces are
//! told.

use ringshift::{
    AttemptKind, Epoch, Failure, Instant, OperationError, Outcome, Payload, Policy, Refusal, Reply,
    Router, Snapshot, Step, Term, Version,
};
use serde_json::{Value, json};

/// Hands each trace of a file to `replay`.
pub(crate) fn traces(file: &str, replay: fn(&Value)) {
    let file: Value = serde_json::from_str(file).unwrap();
    let cases = list(&file["traces"]["cases"]);
    assert!(cases.len() > 20);
    cases.iter().for_each(replay);
}

pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

/// The snapshots of a trace, routed by.
pub(crate) fn routers(case: &Value) -> Vec<Router> {
    let snapshots = list(&case["snapshots"]).iter();
    snapshots
        .map(|hex| Router::new(Snapshot::decode(&bytes(hex)).unwrap().into()))
        .collect()
}

pub(crate) fn policy(case: &Value) -> Policy {
    let policy = &case["policy"];
    Policy {
        deadline_ms: small(&policy["deadline_ms"]),
        attempt_ms: small(&policy["attempt_ms"]),
        attempts_max: small(&policy["attempts_max"]) as u16,
        confirm: policy["confirm"].as_bool().unwrap(),
        seed: number(&policy["seed"]),
    }
}

/// The moment of an event.
pub(crate) fn moment(event: &Value) -> Instant {
    Instant::from_millis(number(&event["at"]))
}

/// What a machine says after `event`, step by step. The last step is said again when asked again.
pub(crate) fn says(case: &Value, event: &Value, mut poll: impl FnMut() -> Value) {
    let then = list(&event["then"]);
    for expected in then {
        assert_eq!(&poll(), expected, "after {event} of {}", case["name"]);
    }
    assert_eq!(&poll(), then.last().unwrap());
}

pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    let pairs = value.as_str().unwrap().as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

pub(crate) fn number(value: &Value) -> u64 {
    match value {
        Value::String(digits) => digits.parse().unwrap(),
        other => other.as_u64().unwrap(),
    }
}

pub(crate) fn small(value: &Value) -> u32 {
    number(value) as u32
}

fn epoch(value: &Value) -> Epoch {
    Epoch::new(small(value)).unwrap()
}

pub(crate) fn version(value: &Value) -> Version {
    Version::from_i64(value.as_str().unwrap().parse().unwrap()).unwrap()
}

/// A variant's name, and its fields.
pub(crate) fn variant(value: &Value) -> (&str, &Value) {
    match value {
        Value::Object(one) => one
            .iter()
            .map(|(name, of)| (name.as_str(), of))
            .next()
            .unwrap(),
        name => (name.as_str().unwrap(), &Value::Null),
    }
}

pub(crate) fn reply(value: &Value) -> Reply {
    let (name, of) = variant(value);
    match name {
        "found" => Reply::Found {
            version: version(&of["version"]),
        },
        "deleted" => Reply::Deleted {
            version: version(&of["version"]),
        },
        "missing" => Reply::Missing,
        "written" => Reply::Written {
            version: version(&of["version"]),
        },
        "superseded" => Reply::Superseded,
        "conflict" => Reply::Conflict {
            found: Some(&of["found"])
                .filter(|found| !found.is_null())
                .map(version),
        },
        "refused" => Reply::Refused(refusal(of)),
        "failed" => Reply::Failed(failure(of)),
        other => panic!("a reply `{other}`"),
    }
}

pub(crate) fn failure(value: &Value) -> Failure {
    match value.as_str().unwrap() {
        "not_sent" => Failure::NotSent,
        "maybe_applied" => Failure::MaybeApplied,
        "rejected" => Failure::Rejected,
        other => panic!("a failure `{other}`"),
    }
}

pub(crate) fn refusal(value: &Value) -> Refusal {
    let (name, of) = variant(value);
    let current = || epoch(&of["current"]);
    match name {
        "stale_epoch" => Refusal::StaleEpoch {
            current: current(),
            drained: epoch(&of["drained"]),
        },
        "not_ready" => Refusal::NotReady { current: current() },
        "not_owner" => Refusal::NotOwner,
        "wrong_role" => Refusal::WrongRole { current: current() },
        "lease_over" => Refusal::LeaseOver { current: current() },
        "stale_term" => Refusal::StaleTerm {
            seen: Term(small(&of["seen"])),
        },
        other => panic!("a refusal `{other}`"),
    }
}

/// A version as the vectors write it.
pub(crate) fn written(version: Version) -> String {
    version.to_i64().to_string()
}

pub(crate) fn said(step: Step) -> Value {
    let v = written;
    match step {
        Step::Send(attempt) => {
            let kind = match attempt.kind {
                AttemptKind::Read => json!("read"),
                AttemptKind::Write => json!("write"),
                AttemptKind::Confirm => json!("confirm"),
                AttemptKind::Apply { version, payload } => json!({"apply": {
                    "version": v(version),
                    "payload": match payload {
                        Payload::Own => json!("own"),
                        Payload::FoundBy(id) => json!({"found_by": id.0}),
                    },
                }}),
            };
            json!({"send": {
                "id": attempt.id.0, "shard": attempt.shard.0, "keyspace": attempt.keyspace.0,
                "slot": attempt.slot.0, "stored_slot": attempt.stored_slot,
                "domain": attempt.fence.domain.0, "epoch": attempt.fence.epoch.get(),
                "kind": kind, "blocking": attempt.blocking,
            }})
        }
        Step::Refresh { newer_than } => json!({"refresh": {"newer_than": newer_than.get()}}),
        Step::Wait { until } => json!({"wait": {"until": until.as_millis()}}),
        Step::Done(outcome) => json!({"done": match outcome {
            Outcome::Value { from, version } => {
                json!({"value": {"from": from.0, "version": v(version)}})
            }
            Outcome::Missing => json!("missing"),
            Outcome::Written { version, lagging } => {
                json!({"written": {"version": v(version), "lagging": lagging.map(|shard| shard.0)}})
            }
            Outcome::Conflict { found } => json!({"conflict": {"found": found.map(v)}}),
            Outcome::Failed(error) => json!({"failed": failed(error)}),
        }}),
    }
}

fn failed(error: OperationError) -> Value {
    let code = error.code().as_str();
    match error {
        OperationError::Indeterminate { version } => {
            json!({"code": code, "version": version.map(written)})
        }
        OperationError::Deadline { last } => json!({"code": code, "last": last.map(refused)}),
        OperationError::WrongRole { shard, current } => {
            json!({"code": code, "shard": shard.0, "current": current.get()})
        }
        _ => json!({"code": code}),
    }
}

fn refused(refusal: Refusal) -> Value {
    match refusal {
        Refusal::StaleEpoch { current, drained } => {
            json!({"stale_epoch": {"current": current.get(), "drained": drained.get()}})
        }
        Refusal::NotReady { current } => json!({"not_ready": {"current": current.get()}}),
        Refusal::NotOwner => json!("not_owner"),
        Refusal::WrongRole { current } => json!({"wrong_role": {"current": current.get()}}),
        Refusal::LeaseOver { current } => json!({"lease_over": {"current": current.get()}}),
        Refusal::StaleTerm { seen } => json!({"stale_term": {"seen": seen.0}}),
    }
}
