//! Replays `vectors/snapshot.json`, whose sections say how to read them.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a file that can't be read fails the test, which should say where"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use ringshift::{Draft, Installed, ReadPlace, Router, Snapshot};
use serde_json::{Value, json};

fn cases(section: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("vectors/snapshot.json")).unwrap();
    let cases = file[section]["cases"].as_array().unwrap().clone();
    assert!(!cases.is_empty());
    cases
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    let pairs = text(value).as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn snapshots() -> BTreeMap<String, Arc<Snapshot>> {
    let named = |case: &Value| {
        let snapshot = Snapshot::decode(&bytes(&case["bytes"])).unwrap();
        (text(&case["name"]).to_owned(), Arc::new(snapshot))
    };
    cases("snapshots").iter().map(named).collect()
}

#[test]
fn drafts_and_bytes_say_the_same() {
    for case in cases("snapshots") {
        let draft: Draft = serde_json::from_value(case["draft"].clone()).unwrap();
        let encoded = bytes(&case["bytes"]);
        let built = Snapshot::build(draft.clone()).unwrap();
        assert_eq!(built.encode(), encoded, "{}", case["name"]);
        assert_eq!(built.digest().to_string(), text(&case["digest"]));
        let decoded = Snapshot::decode(&encoded).unwrap();
        assert_eq!(decoded.content(), &draft);
        assert_eq!(decoded.digest(), built.digest());
        assert_eq!(serde_json::to_value(&draft).unwrap(), case["draft"]);
    }
}

#[test]
fn what_is_no_snapshot_is_refused() {
    for case in cases("refused") {
        let error = Snapshot::decode(&bytes(&case["bytes"])).unwrap_err();
        assert_eq!(
            error.code().as_str(),
            text(&case["error"]),
            "{}",
            case["why"]
        );
    }
}

#[test]
fn successors() {
    let snapshots = snapshots();
    for case in cases("successors") {
        let [ours, theirs] = ["ours", "theirs"].map(|side| &snapshots[text(&case[side])]);
        let mut router = Router::new(ours.clone());
        let (answer, in_force) = match router.install(theirs.clone()) {
            Ok(Installed::Replaced) => ("replaced", theirs),
            Ok(Installed::Same) => ("same", ours),
            Err(error) => (error.code().as_str(), ours),
        };
        assert_eq!(answer, text(&case["answer"]), "{case}");
        assert_eq!(router.snapshot(), in_force);
    }
}

#[test]
fn plans() {
    let snapshots = snapshots();
    for case in cases("plans") {
        let router = Router::new(snapshots[text(&case["snapshot"])].clone());
        let keyspace = router.keyspace(text(&case["keyspace"])).unwrap();
        let key = bytes(&case["key"]);
        let (plan, route) = (keyspace.plan(&key).unwrap(), keyspace.route(&key).unwrap());
        let reads = match plan.read {
            ReadPlace::One(shard) => vec![shard],
            ReadPlace::Fallback { first, second } => vec![first, second],
        };
        let found = json!({
            "snapshot": case["snapshot"], "keyspace": case["keyspace"], "key": case["key"],
            "shard": route.shard, "moving": route.moving,
            "slot": plan.slot, "stored_slot": plan.stored_slot,
            "domain": plan.fence.domain, "epoch": plan.fence.epoch,
            "authority": plan.authority, "mirror": plan.mirror, "reads": reads,
            "strict": plan.strict, "shadow": plan.shadow,
        });
        assert_eq!(found, case);
        assert_eq!(route.slot, plan.slot);
    }
}

#[test]
fn explanations() {
    let snapshots = snapshots();
    for case in cases("explanations") {
        let router = Router::new(snapshots[text(&case["snapshot"])].clone());
        let keyspace = router.keyspace(text(&case["keyspace"])).unwrap();
        let explanation = keyspace.explain(&bytes(&case["key"])).unwrap();
        assert_eq!(
            explanation.routing_part,
            bytes(&case["explanation"]["routing_part"])
        );
        let mut said = serde_json::to_value(explanation).unwrap();
        said["routing_part"] = case["explanation"]["routing_part"].clone();
        assert_eq!(said, case["explanation"], "{case}");
    }
}
