//! `errors.json`: the slugs that every language has.

use ringshift::ErrorCode;
use serde_json::json;

use super::Section;

#[expect(clippy::unnecessary_wraps, reason = "one of several makers")]
pub(super) fn sections() -> Result<Vec<Section>, String> {
    Ok(vec![Section {
        name: "codes",
        about: "The slug of every kind of error, in the order of the core's list, and whether only bindings and drivers say it.",
        cases: ErrorCode::ALL
            .iter()
            .map(|code| json!({"code": code.as_str(), "driver": code.is_a_driver_s()}))
            .collect(),
    }])
}
