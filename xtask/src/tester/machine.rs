//! Runs the calls of a program on the core: the reference that the bindings are compared with.

mod judging;
mod moving;
mod operating;
mod routing;
mod shards;
mod together;

use std::collections::BTreeMap;
use std::sync::Arc;

use ringshift::migration::{Answer, Command, Coordinator, Log, Pace, Throttle};
use ringshift::store::{Chunks, MemoryShard};
use ringshift::{Attempt, Guard, Operation, RefreshGate, Router, Shadow, Snapshot};
use serde_json::{Value, json};

use super::Failed;
use super::read::{number, text};

/// What the calls of a program make and use, by the names that the calls give.
pub(super) enum Object {
    Snapshot(Arc<Snapshot>),
    Router(Router),
    /// A name of a router, and of its keyspace.
    Keyspace(String, String),
    Operation(Box<Operation>),
    Shadow(Box<Shadow>),
    Gate(RefreshGate),
    Guard(Guard),
    Shard(Box<MemoryShard>),
    Chunks(Chunks),
    Plan(Log),
    Coordinator(Box<Coordinator>),
    Pace(Pace, Throttle),
    Together(Box<together::Together>),
}

/// What a call answered, as later calls take it: the very value, not its text.
pub(super) enum Raw {
    Attempt(Attempt),
    Command(Command),
    Answer(Answer),
}

/// An answer as it is written, which may be an error of the call.
pub(super) type Said = Result<Value, Refused>;

/// A call that was refused.
pub(super) enum Refused {
    /// With this slug.
    Slug(&'static str),
    /// It uses what no call before it has made: a part of a program that was cut down.
    Missing,
    /// It can't be understood: a mistake of the program's maker.
    Senseless(String),
}

impl From<String> for Refused {
    fn from(text: String) -> Self {
        Self::Senseless(text)
    }
}

impl From<&str> for Refused {
    fn from(text: &str) -> Self {
        Self::Senseless(text.to_owned())
    }
}

impl From<ringshift::ErrorCode> for Refused {
    fn from(code: ringshift::ErrorCode) -> Self {
        Self::Slug(code.as_str())
    }
}

/// All that the calls of one program have made.
pub(super) struct Machine<'p> {
    /// Bytes that calls name by number.
    pool: &'p [Vec<u8>],
    pub(super) objects: BTreeMap<String, Object>,
    pub(super) raw: BTreeMap<u64, Raw>,
}

impl<'p> Machine<'p> {
    pub(super) fn new(pool: &'p [Vec<u8>]) -> Self {
        Self {
            pool,
            objects: BTreeMap::new(),
            raw: BTreeMap::new(),
        }
    }

    /// What the core answers to the call.
    pub(super) fn call(&mut self, call: &Value) -> Result<Value, Failed> {
        let said = match text(call, "do")? {
            "snapshot" | "topology" | "owners" | "equals" | "encode" | "router" | "install"
            | "keyspace" | "route" | "shard_of" | "describe" | "explain" | "route_many"
            | "group" | "replicas" | "shards" => self.routing(call),
            "read" | "write" | "poll" | "reply" | "learn" | "timeout" | "shadow"
            | "shadow_poll" | "shadow_reply" | "shadow_timeout" | "digest" | "gate" | "want"
            | "fetched" | "failed" | "begun" => self.operating(call),
            "guard" | "admit" | "guard_install" | "guard_close" | "guard_claim" | "guard_rows"
            | "decide" | "shard" | "attempt" | "chunks" | "command" => self.shard_side(call),
            "judge" | "allowed" | "checklist" | "advise" | "advance" | "plan_data"
            | "plan_check" | "pace" | "pace_p99" | "pace_spend" => self.judging(call),
            name if name.starts_with("transaction") => self.together(call),
            "home_installs"
            | "plan"
            | "coordinator"
            | "act"
            | "answer"
            | "coordinator_timeout"
            | "roll_back"
            | "pause"
            | "resume"
            | "health"
            | "wall_clock"
            | "agree_to_finish"
            | "status" => self.moving(call),
            other => return Err(format!("no call is named `{other}`")),
        };
        match said {
            Ok(value) => Ok(plain(value)),
            Err(Refused::Slug(slug)) => Ok(json!({"error": slug})),
            Err(Refused::Missing) => Ok(json!("missing")),
            Err(Refused::Senseless(text)) => Err(format!("{text} in {call}")),
        }
    }

    fn make(&mut self, call: &Value, object: Object) -> Result<(), Refused> {
        self.objects.insert(text(call, "as")?.to_owned(), object);
        Ok(())
    }

    fn keep(&mut self, call: &Value, raw: Raw) -> Result<(), Refused> {
        self.raw.insert(number(call, "n")?, raw);
        Ok(())
    }

    fn snapshot(&self, call: &Value, field: &str) -> Result<Arc<Snapshot>, Refused> {
        match self.objects.get(text(call, field)?) {
            Some(Object::Snapshot(snapshot)) => Ok(Arc::clone(snapshot)),
            _ => Err(Refused::Missing),
        }
    }

    fn keyspace(&self, call: &Value, field: &str) -> Result<ringshift::Keyspace<'_>, Refused> {
        let Some(Object::Keyspace(router, name)) = self.objects.get(text(call, field)?) else {
            return Err(Refused::Missing);
        };
        match self.objects.get(router) {
            Some(Object::Router(router)) => router.keyspace(name).map_err(|e| e.code().into()),
            _ => Err(Refused::Missing),
        }
    }

    fn operation(&mut self, call: &Value) -> Result<&mut Operation, Refused> {
        match self.objects.get_mut(text(call, "on")?) {
            Some(Object::Operation(operation)) => Ok(operation),
            _ => Err(Refused::Missing),
        }
    }

    fn attempt_of(&self, call: &Value) -> Result<Attempt, Refused> {
        match self.raw.get(&number(call, "of")?) {
            Some(Raw::Attempt(attempt)) => Ok(*attempt),
            _ => Err(Refused::Missing),
        }
    }
}

/// Numbers that JavaScript's can't hold are written as text.
fn plain(value: Value) -> Value {
    const SAFE: u64 = (1 << 53) - 1;
    match value {
        Value::Number(number) if number.as_u64().is_some_and(|number| number > SAFE) => {
            Value::String(number.to_string())
        }
        Value::Array(list) => list.into_iter().map(plain).collect(),
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(name, value)| (name, plain(value)));
            Value::Object(fields.collect())
        }
        other => other,
    }
}
