//! Replays `vectors/operation.json`, whose section says how to read it.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a file that can't be read fails the test, which should say where"
)]

use ringshift::{
    AttemptId, AttemptKind, Epoch, Failure, Instant, Operation, OperationError, Outcome, Payload,
    Policy, Refusal, Reply, Router, Snapshot, Step, Term, Version,
};
use serde_json::{Value, json};

fn bytes(value: &Value) -> Vec<u8> {
    let pairs = value.as_str().unwrap().as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn number(value: &Value) -> u64 {
    match value {
        Value::String(digits) => digits.parse().unwrap(),
        other => other.as_u64().unwrap(),
    }
}

fn small(value: &Value) -> u32 {
    number(value) as u32
}

fn epoch(value: &Value) -> Epoch {
    Epoch::new(small(value)).unwrap()
}

fn version(value: &Value) -> Version {
    Version::from_i64(value.as_str().unwrap().parse().unwrap()).unwrap()
}

/// A variant's name, and its fields.
fn variant(value: &Value) -> (&str, &Value) {
    match value {
        Value::Object(one) => one
            .iter()
            .map(|(name, of)| (name.as_str(), of))
            .next()
            .unwrap(),
        name => (name.as_str().unwrap(), &Value::Null),
    }
}

fn reply(value: &Value) -> Reply {
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
        "failed" => Reply::Failed(match of.as_str().unwrap() {
            "not_sent" => Failure::NotSent,
            "maybe_applied" => Failure::MaybeApplied,
            "rejected" => Failure::Rejected,
            other => panic!("a failure `{other}`"),
        }),
        other => panic!("a reply `{other}`"),
    }
}

fn refusal(value: &Value) -> Refusal {
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

fn said(step: Step) -> Value {
    let v = |version: Version| version.to_i64().to_string();
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
            json!({"code": code, "version": version.map(|v| v.to_i64().to_string())})
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

fn replay(case: &Value) {
    let key = bytes(&case["key"]);
    let snapshots: Vec<Snapshot> = case["snapshots"]
        .as_array()
        .unwrap()
        .iter()
        .map(|hex| Snapshot::decode(&bytes(hex)).unwrap())
        .collect();
    let plan = |place: usize| {
        let router = Router::new(snapshots[place].clone().into());
        router.keyspace("orders").unwrap().plan(&key).unwrap()
    };
    let policy = Policy {
        deadline_ms: small(&case["policy"]["deadline_ms"]),
        attempt_ms: small(&case["policy"]["attempt_ms"]),
        attempts_max: small(&case["policy"]["attempts_max"]) as u16,
        confirm: case["policy"]["confirm"].as_bool().unwrap(),
        seed: number(&case["policy"]["seed"]),
    };
    let events = case["events"].as_array().unwrap();
    let start = Instant::from_millis(number(&events[0]["at"]));
    let mut op = match case["kind"].as_str().unwrap() {
        "read" => Operation::read(plan(0), policy, start),
        _ => Operation::write(plan(0), policy, start),
    };
    for (place, event) in events.iter().enumerate() {
        let now = Instant::from_millis(number(&event["at"]));
        if let Some(told) = event.get("reply") {
            let id = AttemptId(small(&event["id"]));
            let unknown = event.get("unknown").is_some();
            assert_eq!(
                op.handle_reply(now, id, reply(told)).is_err(),
                unknown,
                "{event}"
            );
        } else if let Some(snapshot) = event.get("snapshot") {
            op.handle_snapshot(now, plan(number(snapshot) as usize));
        } else if event.get("timeout").is_some() {
            op.handle_timeout(now);
        } else {
            assert!(place == 0 && event.get("begin").is_some(), "{event}");
        }
        for expected in event["then"].as_array().unwrap() {
            assert_eq!(
                &said(op.poll()),
                expected,
                "after {event} of {}",
                case["name"]
            );
        }
        // Wait and done are the last of their steps, and say the same again.
        let last = event["then"].as_array().unwrap().last().unwrap();
        assert_eq!(&said(op.poll()), last);
    }
    assert!(matches!(op.poll(), Step::Done(_)), "{}", case["name"]);
}

#[test]
fn traces() {
    let file: Value = serde_json::from_str(include_str!("vectors/operation.json")).unwrap();
    let cases = file["traces"]["cases"].as_array().unwrap();
    assert!(cases.len() > 20);
    cases.iter().for_each(replay);
}
