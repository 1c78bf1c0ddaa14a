//! `coordinator.json`: whole migrations, command by command.

mod stories;
mod world;

use serde_json::{Map, Value, json};

use super::Section;
use stories::Story;

/// The largest number that every reader of JSON takes as it is.
const SAFE: u64 = (1 << 53) - 1;
/// Events in a trace at most.
const EVENTS_MAX: usize = 1_500;

pub(super) fn sections() -> Result<Vec<Section>, String> {
    let stories = stories::all();
    let (mut cases, mut failed) = (Vec::new(), Vec::new());
    for story in &stories {
        match world::trace(story) {
            Ok(case) => cases.push(case),
            Err(why) => failed.push(format!("{}: {why}", story.name)),
        }
    }
    if !failed.is_empty() {
        return Err(failed.join("\n"));
    }
    Ok(vec![Section {
        name: "traces",
        about: "One coordinator each, of `term`, with `settings`, made at the first event's moment with the plan of `changes` by `snapshot` (bytes in hex; without `changes`, it goes on with what it finds). `events` are handed in one by one; after each, polled once, it must say exactly `then`. An event has its moment `at` in milliseconds, and one of `begin`; `answer` with the `id` of its command; `timeout`; `health`; `wall_clock`: what the clock on the wall shows, in milliseconds and in minutes ahead of UTC; and what somebody asks for: `roll_back` or `pause` with a reason, `resume`, `agree_to_finish`. Where an event has a `status`, that is what the coordinator says of itself then. `ends` is what is known at the end. Bytes are written as {$hex}, as in the snapshots of commands and answers, and numbers past 2^53 - 1 as {$int}. A log is written as {$changed}: the fields that differ from the last log of the trace; the first differs from nothing.",
        cases,
    }])
}

/// Writes logs as what has changed since the last, and the bytes of snapshots in hex.
#[derive(Default)]
struct Shorter {
    log: Map<String, Value>,
}

impl Shorter {
    fn shorten(&mut self, value: Value) -> Value {
        match value {
            Value::Array(list) => list.into_iter().map(|one| self.shorten(one)).collect(),
            Value::Object(fields) => {
                let fields = fields.into_iter().map(|(name, of)| {
                    let of = match (name.as_str(), of) {
                        ("log", Value::Object(log)) => self.changed(log),
                        ("snapshot", Value::Array(bytes)) => {
                            let bytes = bytes.iter().filter_map(Value::as_u64);
                            let bytes = bytes.filter_map(|byte| u8::try_from(byte).ok());
                            json!({"$hex": super::hex(&bytes.collect::<Vec<_>>())})
                        }
                        (_, of) => self.shorten(of),
                    };
                    (name, of)
                });
                Value::Object(fields.collect())
            }
            Value::Number(wide) if wide.as_u64().is_some_and(|wide| wide > SAFE) => {
                json!({"$int": wide.to_string()})
            }
            other => other,
        }
    }

    fn changed(&mut self, log: Map<String, Value>) -> Value {
        let last = std::mem::replace(&mut self.log, log.clone());
        let news = log.into_iter();
        let news = news.filter(|(name, of)| last.get(name) != Some(of));
        json!({"$changed": news.collect::<Map<_, _>>()})
    }
}
