//! Replays `vectors/operation.json`, whose section says how to read it.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a file that can't be read fails the test, which should say where"
)]

mod words;

use ringshift::{AttemptId, Operation, Step};
use serde_json::Value;
use words::{bytes, list, moment, number, policy, reply, routers, said, says, small};

fn replay(case: &Value) {
    let key = bytes(&case["key"]);
    let routers = routers(case);
    let plan = |place: usize| {
        let keyspace = routers[place].keyspace("orders").unwrap();
        keyspace.plan(&key).unwrap()
    };
    let (policy, events) = (policy(case), list(&case["events"]));
    let start = moment(&events[0]);
    let mut op = match case["kind"].as_str().unwrap() {
        "read" => Operation::read(plan(0), policy, start),
        _ => Operation::write(plan(0), policy, start),
    };
    for (place, event) in events.iter().enumerate() {
        let now = moment(event);
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
        says(case, event, || said(op.poll()));
    }
    assert!(matches!(op.poll(), Step::Done(_)), "{}", case["name"]);
}

#[test]
fn traces() {
    words::traces(include_str!("vectors/operation.json"), replay);
}
