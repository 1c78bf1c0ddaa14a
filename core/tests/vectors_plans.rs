//! Replays `vectors/plans.json`, whose sections say how to read them.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a file that can't be read fails the test, which should say where"
)]

use ringshift::Snapshot;
use ringshift::migration::{
    Changes, Circumstances, Plan, PlanOptions, advise_strategy, plan, plan_with,
};
use serde::Deserialize;
use serde_json::{Value, json};

fn cases(section: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("vectors/plans.json")).unwrap();
    let cases = file[section]["cases"].as_array().unwrap().clone();
    assert!(!cases.is_empty());
    cases
}

fn snapshot(case: &Value) -> Snapshot {
    let pairs = case["snapshot"].as_str().unwrap().as_bytes().chunks(2);
    let bytes: Vec<u8> = pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    Snapshot::decode(&bytes).unwrap()
}

/// The plan, or the slug of the refusal.
fn made(case: &Value) -> Result<Plan, &'static str> {
    let changes = Changes::deserialize(&case["changes"]).map_err(|_| "plan")?;
    let (snapshot, most) = (
        snapshot(case),
        case["wave_slots_max"].as_u64().unwrap() as u32,
    );
    let made = if case["options"].is_null() {
        plan(&snapshot, &changes, most)
    } else {
        let mut options = PlanOptions::deserialize(&case["options"]).unwrap();
        options.wave_slots_max = most;
        plan_with(&snapshot, &changes, &options)
    };
    made.map_err(|error| error.code().as_str())
}

#[test]
fn wishes_give_exactly_these_plans() {
    for case in cases("plans") {
        let plan = made(&case).unwrap();
        assert_eq!(json!(plan), case["plan"], "{}", case["why"]);
        assert_eq!(plan.to_string(), case["text"].as_str().unwrap());
        assert_eq!(Plan::deserialize(&case["plan"]).unwrap(), plan);
        plan.check(&snapshot(&case)).unwrap();
    }
}

#[test]
fn wishes_that_cannot_be_planned_are_refused() {
    for case in cases("refused") {
        let slug = made(&case).unwrap_err();
        assert_eq!(slug, case["error"].as_str().unwrap(), "{}", case["why"]);
    }
}

#[test]
fn a_plan_fits_its_own_snapshot_only() {
    for case in cases("checks") {
        let checked = Plan::deserialize(&case["plan"])
            .unwrap()
            .check(&snapshot(&case));
        let slug = checked.err().map(|error| error.code().as_str());
        assert_eq!(slug, case["error"].as_str(), "{}", case["why"]);
    }
}

#[test]
fn circumstances_choose_the_strategy() {
    for case in cases("advice") {
        let facts = Circumstances::deserialize(&case["circumstances"]).unwrap();
        assert_eq!(json!(advise_strategy(&facts)), case["advice"]);
    }
}
