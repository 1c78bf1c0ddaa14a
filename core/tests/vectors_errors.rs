//! Compares `vectors/errors.json` with the core's list: a slug never changes, and none is left out.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a file that can't be read fails the test, which should say where"
)]

use ringshift::ErrorCode;
use serde_json::Value;

#[test]
fn codes() {
    let file: Value = serde_json::from_str(include_str!("vectors/errors.json")).unwrap();
    let cases = file["codes"]["cases"].as_array().unwrap();
    let listed: Vec<(&str, bool)> = cases
        .iter()
        .map(|case| {
            (
                case["code"].as_str().unwrap(),
                case["driver"].as_bool().unwrap(),
            )
        })
        .collect();
    let ours: Vec<(&str, bool)> = ErrorCode::ALL
        .iter()
        .map(|code| (code.as_str(), code.is_a_driver_s()))
        .collect();
    assert_eq!(listed, ours);
}
