//! Replays `vectors/operation.json`, whose section says how to read it.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a file that can't be read fails the test, which should say where"
)]

mod words;

use ringshift::{AttemptId, Instant, Operation, Policy, Router, Snapshot, Step};
use serde_json::Value;
use words::{bytes, number, reply, said, small};

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
