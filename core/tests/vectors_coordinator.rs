//! Replays `vectors/coordinator.json`, whose section says how to read it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a file that can't be read fails the test, which should say where"
)]

use std::sync::Arc;

use ringshift::migration::{Answer, Changes, CommandId, Coordinator, Log, Settings, plan};
use ringshift::{Instant, Snapshot, Term};
use serde::Deserialize;
use serde_json::{Map, Value, json};

fn bytes(value: &Value) -> Vec<u8> {
    let pairs = value.as_str().unwrap().as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// Logs as they are, of what has changed in them; bytes as lists, wide numbers as numbers.
#[derive(Default)]
struct Whole(Map<String, Value>);

impl Whole {
    fn made(&mut self, value: &Value) -> Value {
        match value {
            Value::Array(list) => list.iter().map(|one| self.made(one)).collect(),
            Value::Object(fields) => {
                if let Some(hex) = fields.get("$hex") {
                    return json!(bytes(hex));
                }
                if let Some(Value::String(digits)) = fields.get("$int") {
                    return json!(digits.parse::<u64>().unwrap());
                }
                if let Some(Value::Object(news)) = fields.get("$changed") {
                    self.0.extend(news.clone());
                    return json!(self.0);
                }
                let fields = fields.iter();
                let made = fields.map(|(name, of)| (name.clone(), self.made(of)));
                Value::Object(made.collect())
            }
            other => other.clone(),
        }
    }
}

fn answer(value: &Value) -> Answer {
    let Some(of) = value.get("loaded") else {
        return Answer::deserialize(value).unwrap();
    };
    let snapshot: Vec<u8> = Vec::deserialize(&of["snapshot"]).unwrap();
    Answer::Loaded {
        snapshot: Arc::new(Snapshot::decode(&snapshot).unwrap()),
        log: Log::deserialize(&of["log"]).unwrap(),
        marks: Vec::deserialize(&of["marks"]).unwrap(),
    }
}

fn replay(case: &Value) {
    let settings = Arc::new(Settings::deserialize(&case["settings"]).unwrap());
    let events = case["events"].as_array().unwrap();
    let at = |event: &Value| Instant::from_millis(event["at"].as_u64().unwrap());
    let wanted = Option::<Changes>::deserialize(&case["changes"]).unwrap();
    let wanted = wanted.map(|changes| {
        let snapshot = Snapshot::decode(&bytes(&case["snapshot"])).unwrap();
        let most = case["wave_slots_max"].as_u64().unwrap() as u32;
        plan(&snapshot, &changes, most).unwrap().log
    });
    let term = Term(case["term"].as_u64().unwrap() as u32);
    let mut coordinator = Coordinator::new(term, settings, wanted, at(&events[0]));
    let mut whole = Whole::default();
    for event in events {
        let now = at(event);
        let text = |name: &str| event[name].as_str().unwrap();
        let kinds = event.as_object().unwrap().keys();
        let kind = kinds
            .map(String::as_str)
            .find(|kind| !["at", "id", "then", "status"].contains(kind));
        match kind.unwrap() {
            "begin" => {}
            "answer" => {
                let said = answer(&whole.made(&event["answer"]));
                let id = CommandId(event["id"].as_u64().unwrap() as u32);
                coordinator.handle_answer(now, id, said);
            }
            "timeout" => coordinator.handle_timeout(now),
            "health" => {
                let health = Deserialize::deserialize(&event["health"]).unwrap();
                coordinator.handle_health(now, health);
            }
            "wall_clock" => {
                let (unix_ms, offset) = Deserialize::deserialize(&event["wall_clock"]).unwrap();
                coordinator.handle_wall_clock(now, unix_ms, offset);
            }
            "roll_back" => coordinator.roll_back(text("roll_back")),
            "pause" => coordinator.pause(text("pause")),
            "resume" => coordinator.resume(),
            "agree_to_finish" => coordinator.agree_to_finish(),
            other => unreachable(other),
        }
        let then = whole.made(&event["then"]);
        let name = &case["name"];
        assert_eq!(json!(coordinator.poll()), then, "after {event} of {name}");
        assert_eq!(json!(coordinator.poll()), then, "it says the same again");
        if let Some(status) = event.get("status") {
            assert_eq!(&json!(coordinator.status()), status, "{event}");
        }
    }
    let decisions: Vec<_> = coordinator.decisions().collect();
    let ends = json!({
        "epoch": coordinator.snapshot().map(|snapshot| snapshot.epoch()),
        "decisions": decisions, "mismatches": coordinator.mismatches(),
        "status": coordinator.status(), "log": coordinator.log(),
    });
    assert_eq!(ends, whole.made(&case["ends"]));
}

#[track_caller]
fn unreachable(kind: &str) {
    assert_eq!(kind, "", "an event of no kind that is known");
}

#[test]
fn traces() {
    let file: Value = serde_json::from_str(include_str!("vectors/coordinator.json")).unwrap();
    let cases = file["traces"]["cases"].as_array().unwrap();
    assert!(cases.len() > 15);
    cases.iter().for_each(replay);
}
