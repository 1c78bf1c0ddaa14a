//! Replays `vectors/transactions.json`, whose section says how to read it.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a file that can't be read fails the test, which should say where"
)]

mod words;

use ringshift::{
    Batch, BatchReply, ErrorCode, Expected, PinError, Step, Transaction, TransactionError,
    TransactionOutcome, TransactionStep, Use,
};
use serde_json::{Value, json};
use words::{
    bytes, failure, list, moment, number, policy, refusal, reply, routers, said, says, small,
    variant, version, written,
};

fn batch_reply(value: &Value) -> BatchReply {
    let (name, of) = variant(value);
    match name {
        "done" => BatchReply::Done(list(of).iter().map(reply).collect()),
        "conflict" => BatchReply::Conflict {
            part: small(&of["part"]) as usize,
            found: Some(&of["found"])
                .filter(|found| !found.is_null())
                .map(version),
        },
        "refused" => BatchReply::Refused(refusal(of)),
        "failed" => BatchReply::Failed(failure(of)),
        other => panic!("a reply `{other}`"),
    }
}

fn step(step: TransactionStep) -> Value {
    match step {
        TransactionStep::Send(batch) => json!({"send": sent(&batch)}),
        TransactionStep::Work { found_by } => json!({"work": {"found_by": found_by.0}}),
        TransactionStep::Refresh { newer_than } => said(Step::Refresh { newer_than }),
        TransactionStep::Wait { until } => said(Step::Wait { until }),
        TransactionStep::Done(outcome) => json!({"done": ended(outcome)}),
    }
}

fn sent(batch: &Batch) -> Value {
    let parts = batch.parts.iter().map(|part| {
        let expected = match part.expected {
            Expected::Any => json!("any"),
            Expected::Row(version) => json!({"row": version.map(written)}),
        };
        let attempt = &said(Step::Send(part.attempt))["send"];
        json!({"key": part.key, "expected": expected, "attempt": attempt})
    });
    json!({
        "id": batch.id.0, "shard": batch.shard.0, "blocking": batch.blocking,
        "changes": batch.changes(), "begins": batch.begins(), "parts": parts.collect::<Vec<_>>(),
    })
}

fn ended(outcome: TransactionOutcome) -> Value {
    let code = outcome.code().map(ErrorCode::as_str);
    let error = match outcome {
        TransactionOutcome::Done { versions, lagging } => {
            let versions: Vec<_> = versions.into_iter().map(|v| v.map(written)).collect();
            return json!({"committed": {"versions": versions, "lagging": lagging}});
        }
        TransactionOutcome::RolledBack => return json!("rolled_back"),
        TransactionOutcome::Failed(error) => error,
    };
    let (mut key, mut there, mut shards) = (None, None, Vec::new());
    match error {
        TransactionError::Conflict { key: at, found } => {
            (key, there) = (Some(at), found.map(written));
        }
        TransactionError::Pin(PinError::CrossShard { shards: listed }) => {
            shards = listed
                .into_iter()
                .map(|(shard, keys)| (shard.0, keys))
                .collect();
        }
        _ => {}
    }
    json!({"failed": {"code": code, "key": key, "found": there, "shards": shards}})
}

fn replay(case: &Value) {
    let keys: Vec<_> = list(&case["keys"]).iter().map(bytes).collect();
    let routers = routers(case);
    let pinned = |place: usize| {
        let keyspace = routers[place].keyspace("orders").unwrap();
        keyspace.transaction(&keys)
    };
    let (policy, events) = (policy(case), list(&case["events"]));
    let start = moment(&events[0]);
    let again = case["again"].as_bool().unwrap();
    let mut machine = match pinned(0) {
        Ok(pinned) => Transaction::new(pinned, policy, again, start),
        Err(error) => {
            let outcome = TransactionOutcome::Failed(error.into());
            assert_eq!(events.len(), 1);
            assert_eq!(
                json!([step(TransactionStep::Done(outcome))]),
                events[0]["then"]
            );
            return;
        }
    };
    for (place, event) in events.iter().enumerate() {
        let now = moment(event);
        if let Some(told) = event.get("reply") {
            let id = ringshift::AttemptId(small(&event["id"]));
            let taken = machine.handle_reply(now, id, batch_reply(told));
            assert_eq!(taken.is_err(), event.get("unknown").is_some(), "{event}");
        } else if let Some(uses) = event.get("commit") {
            let used = |one: &Value| Use {
                read: one[0].as_bool().unwrap(),
                write: one[1].as_bool().unwrap(),
            };
            machine.commit(now, list(uses).iter().map(used).collect());
        } else if event.get("roll_back").is_some() {
            machine.roll_back();
        } else if let Some(snapshot) = event.get("snapshot") {
            machine.handle_snapshot(now, pinned(number(snapshot) as usize));
        } else if event.get("timeout").is_some() {
            machine.handle_timeout(now);
        } else {
            assert!(place == 0 && event.get("begin").is_some(), "{event}");
        }
        says(case, event, || step(machine.poll()));
    }
    assert!(matches!(machine.poll(), TransactionStep::Done(_)));
}

#[test]
fn traces() {
    words::traces(include_str!("vectors/transactions.json"), replay);
}
