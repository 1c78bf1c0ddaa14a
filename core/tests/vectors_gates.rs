//! Replays `vectors/gates.json`, whose sections say how to read them.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a file that can't be read fails the test, which should say where"
)]

use ringshift::migration::{
    Calendar, Checklist, Gates, Health, Item, OwnFacts, Pace, Settings, Throttle, WallClock,
};
use ringshift::{Instant, ShardId};
use serde::Deserialize;
use serde_json::{Value, json};

fn cases(section: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("vectors/gates.json")).unwrap();
    let cases = file[section]["cases"].as_array().unwrap().clone();
    assert!(!cases.is_empty());
    cases
}

#[test]
fn verdicts() {
    for case in cases("verdicts") {
        let gates = Gates::deserialize(&case["gates"]).unwrap();
        let health: Option<Health> = Option::deserialize(&case["health"]).unwrap();
        let own = OwnFacts::deserialize(&case["own"]).unwrap();
        let shards: Vec<ShardId> = Vec::deserialize(&case["shards"]).unwrap();
        let verdicts = gates.judge(health.as_ref(), own, &shards);
        let said = verdicts.iter().map(|verdict| {
            json!({"gate": verdict.gate, "state": verdict.state, "found": verdict.found,
                   "limit": verdict.limit, "holds": gates.holds(verdict)})
        });
        let said: Vec<_> = said.collect();
        assert_eq!(json!(said), case["verdicts"], "{case}");
    }
}

#[test]
fn hours() {
    let now = Instant::from_millis(77);
    for case in cases("hours") {
        let calendar = Calendar::deserialize(&case["calendar"]).unwrap();
        let clock = case["unix_ms"].as_i64().map(|unix_ms| WallClock {
            at: now,
            unix_ms,
            utc_offset_min: case["utc_offset_min"].as_i64().unwrap() as i16,
        });
        let clock = clock.as_ref();
        let said = json!({
            "open": calendar.is_open(clock, now), "opens_in_ms": calendar.opens_in_ms(clock, now),
            "rows_per_s_max": calendar.rows_per_s_max(clock, now),
        });
        assert_eq!(said, case["allowed"], "{case}");
    }
    for case in cases("no_calendars") {
        assert!(Calendar::deserialize(&case["calendar"]).is_err(), "{case}");
    }
}

#[test]
fn paces() {
    for case in cases("paces") {
        let throttle = Throttle::deserialize(&case["throttle"]).unwrap();
        let mut pace = Pace::default();
        for event in case["events"].as_array().unwrap() {
            let number = |of: &Value| of.as_u64().unwrap();
            if let Some(said) = event.get("p99") {
                let now = Instant::from_millis(number(&said[0]));
                let (p99, limit) = (number(&said[1]), number(&said[2]));
                pace.handle_p99(now, &throttle, p99, limit, said[3].as_u64());
            } else {
                let said = &event["spend"];
                let rate = said[1].as_u64().map(|rate| rate as u32);
                pace.spend(
                    Instant::from_millis(number(&said[0])),
                    rate,
                    number(&said[2]) as u32,
                );
            }
            let rates = [None, Some(700)].map(|cap| pace.rate(&throttle, cap));
            assert_eq!(json!(rates), json!([event["rate"], event["under"]]));
            assert_eq!(pace.ready_at().as_millis(), number(&event["ready_at"]));
        }
    }
}

#[test]
fn checklists() {
    for case in cases("checklists") {
        let list = Checklist::deserialize(&case["ticks"]).unwrap();
        let settings = Settings::deserialize(&case["settings"]).unwrap();
        let items = Item::ALL.iter();
        let said = items.map(|&item| json!({"item": item, "state": list.state(item, &settings)}));
        assert_eq!(
            json!(said.collect::<Vec<_>>()),
            case["items"],
            "{}",
            case["ticks"]
        );
    }
}
