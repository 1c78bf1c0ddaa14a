//! A history as JSON lines, one for each invoke and one for each completion.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Function, Op, Outcome, Value, ValueId};

/// Which end of an operation a line tells of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Event {
    Invoke,
    Complete,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Type {
    Invoke,
    Ok,
    Fail,
    Info,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum F {
    Read,
    Write,
    Delete,
}

/// A line. The order of the fields is the order in the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line<'a> {
    pub(super) process: u32,
    #[serde(rename = "type")]
    pub(super) kind: Type,
    pub(super) f: F,
    #[serde(borrow)]
    pub(super) key: Cow<'a, str>,
    pub(super) value: Text,
    pub(super) time_ns: u64,
    /// Only on the invoke of a put-if; there, null means "if nothing is there".
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) expect: Option<Text>,
}

/// A value as a string of its number: JavaScript would round the number itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text(pub(super) Value);

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(id) => serializer.collect_str(id),
            None => serializer.serialize_none(),
        }
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Some(text) = Option::<Cow<'de, str>>::deserialize(deserializer)? else {
            return Ok(Self(None));
        };
        let id = text.parse().ok().and_then(ValueId::new);
        match id {
            Some(id) => Ok(Self(Some(id))),
            None => Err(serde::de::Error::custom(format_args!(
                "the value `{text}` is no number from 1 to 2^64 - 1"
            ))),
        }
    }
}

/// Tells a field that is null from one that is not there.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Text>, D::Error> {
    Text::deserialize(deserializer).map(Some)
}

/// Writes the line for one end of an operation.
pub(super) fn write_event(
    out: &mut impl Write,
    event: Event,
    op: &Op,
    keys: &[String],
) -> io::Result<()> {
    let key = usize::try_from(op.key).ok().and_then(|key| keys.get(key));
    let Some(key) = key else {
        let text = format!("key {} has no name", op.key);
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    };
    let f = match op.function {
        Function::Read => F::Read,
        Function::Write | Function::WriteIf { .. } => F::Write,
        Function::Delete => F::Delete,
    };
    let answered = event == Event::Complete && op.outcome == Outcome::Ok;
    let line = Line {
        process: op.process,
        kind: match (event, op.outcome) {
            (Event::Invoke, _) => Type::Invoke,
            (Event::Complete, Outcome::Ok) => Type::Ok,
            (Event::Complete, Outcome::Fail) => Type::Fail,
            (Event::Complete, Outcome::Info) => Type::Info,
        },
        f,
        key: Cow::Borrowed(key),
        value: Text(op.value.filter(|_| f != F::Read || answered)),
        time_ns: match event {
            Event::Invoke => op.invoke_ns,
            Event::Complete => op.complete_ns,
        },
        expect: match (event, op.function) {
            (Event::Invoke, Function::WriteIf { expect }) => Some(Text(expect)),
            _ => None,
        },
    };
    serde_json::to_writer(&mut *out, &line)?;
    out.write_all(b"\n")
}

/// Writes a whole history in the order of time, in place of what was in the file.
pub(crate) fn save(path: &Path, ops: &[Op], keys: &[String]) -> io::Result<()> {
    let mut events: Vec<(u64, Event, &Op)> = Vec::with_capacity(ops.len() * 2);
    for op in ops {
        events.push((op.invoke_ns, Event::Invoke, op));
        events.push((op.complete_ns, Event::Complete, op));
    }
    // At one time, beginnings come before ends: intervals that touch overlap.
    events.sort_by_key(|(time_ns, event, _)| (*time_ns, *event));
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut out = BufWriter::new(File::create(&beside)?);
    for (_, event, op) in events {
        write_event(&mut out, event, op, keys)?;
    }
    out.into_inner()?.sync_all()?;
    fs::rename(&beside, path)
}
