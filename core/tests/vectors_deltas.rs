//! Replays `vectors/deltas.json`, whose sections say how to read them.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a file that can't be read fails the test, which should say where"
)]

use ringshift::Snapshot;
use ringshift::record::advance;
use serde_json::Value;

fn cases(section: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("vectors/deltas.json")).unwrap();
    let cases = file[section]["cases"].as_array().unwrap().clone();
    assert!(!cases.is_empty());
    cases
}

fn bytes(value: &Value) -> Vec<u8> {
    let pairs = value.as_str().unwrap().as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn deltas_lead_to_exactly_these_bytes() {
    for case in cases("deltas") {
        let [base, delta, result] = ["base", "delta", "result"].map(|part| bytes(&case[part]));
        let (base, after) = (
            Snapshot::decode(&base).unwrap(),
            Snapshot::decode(&result).unwrap(),
        );
        assert_eq!(
            advance(&base, &delta).unwrap().encode(),
            result,
            "{}",
            case["why"]
        );
        assert_eq!(advance(&base, &result).unwrap().encode(), result);
        assert_eq!(
            base.delta(&after).unwrap().encode(),
            delta,
            "{}",
            case["why"]
        );
    }
}

#[test]
fn what_leads_nowhere_is_refused() {
    for case in cases("refused") {
        let base = Snapshot::decode(&bytes(&case["base"])).unwrap();
        let error = advance(&base, &bytes(&case["delta"])).unwrap_err();
        assert_eq!(error.code().as_str(), case["error"], "{}", case["why"]);
        assert_eq!(base.encode(), bytes(&case["base"]));
    }
}
