//! Reads a history back, also one that a killed process left behind, and goes on with it.

use std::collections::HashMap;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::file::{Event, F, Line, Type, write_event};
use super::record::Journal;
use super::{Function, KeyId, Op, Outcome, Recorders};

/// How every line begins; what stands before the last one in a line was torn by a kill.
const BEGIN: &str = "{\"process\":";

/// A history from a file.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) ops: Vec<Op>,
    /// The last time in it: a run that goes on must count its time from here.
    pub(crate) last_ns: u64,
    /// The first process number that is free.
    pub(crate) next_process: u32,
    /// The largest value written: a run that goes on must draw its values above it.
    pub(crate) value_max: u64,
    /// Operations without a completion; among `ops`, with an unknown outcome.
    pub(crate) unfinished: usize,
    /// Lines that were cut off in the middle, and dropped.
    pub(crate) torn: usize,
}

/// Why a history could not be read.
#[derive(Debug)]
pub(crate) enum HistoryError {
    Io(io::Error),
    NotALine {
        line: usize,
        cause: String,
    },
    UnknownKey {
        line: usize,
        key: String,
    },
    /// A completion without its invoke, or for another operation.
    NotInvoked {
        line: usize,
        process: u32,
    },
    /// A second invoke of a process before its first one completed.
    StillOpen {
        line: usize,
        process: u32,
    },
}

/// Reads a history; `keys` are the names by [`KeyId`].
pub(crate) fn load(path: &Path, keys: &[String]) -> Result<Loaded, HistoryError> {
    parse(&fs::read(path)?, keys)
}

/// Starts a journal in an empty file.
pub(crate) fn create(path: &Path, keys: Arc<[String]>) -> io::Result<Recorders> {
    File::create(path)?;
    let file = Arc::new(OpenOptions::new().append(true).open(path)?);
    Ok(Recorders::starting_at(0, Some(Journal { file, keys })))
}

/// Goes on with a journal that a killed process left: cuts a torn last line off and completes what
/// was open as `info`.
pub(crate) fn resume(
    path: &Path,
    keys: Arc<[String]>,
) -> Result<(Recorders, Loaded), HistoryError> {
    let bytes = fs::read(path)?;
    let loaded = parse(&bytes, &keys)?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n');
    let whole = whole.map_or(0, |at| at + 1);
    let file = OpenOptions::new().append(true).open(path)?;
    file.set_len(u64::try_from(whole).unwrap_or(u64::MAX))?;
    let first_unfinished = loaded.ops.len() - loaded.unfinished;
    let mut lines = Vec::new();
    for op in loaded.ops.iter().skip(first_unfinished) {
        write_event(&mut lines, Event::Complete, op, &keys)?;
    }
    io::Write::write_all(&mut &file, &lines)?;
    let file = Arc::new(file);
    let recorders = Recorders::starting_at(loaded.next_process, Some(Journal { file, keys }));
    Ok((recorders, loaded))
}

fn parse(bytes: &[u8], keys: &[String]) -> Result<Loaded, HistoryError> {
    let ids: HashMap<&str, KeyId> = keys.iter().map(String::as_str).zip(0..).collect();
    let mut loaded = Loaded::default();
    let mut open: HashMap<u32, Op> = HashMap::new();
    let mut rest = bytes;
    for number in 1_usize.. {
        let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
            loaded.torn += usize::from(!rest.is_empty());
            break;
        };
        let (line, after) = rest.split_at(end);
        rest = after.strip_prefix(b"\n").unwrap_or_default();
        let (line, torn) = parse_line(line).map_err(|cause| HistoryError::NotALine {
            line: number,
            cause,
        })?;
        loaded.torn += usize::from(torn);
        loaded.take(number, &line, &ids, &mut open)?;
    }
    let mut unfinished: Vec<Op> = open.into_values().collect();
    unfinished.sort_by_key(|op| (op.invoke_ns, op.process));
    loaded.unfinished = unfinished.len();
    for mut op in unfinished {
        op.complete_ns = loaded.last_ns;
        loaded.ops.push(op);
    }
    Ok(loaded)
}

/// Also says whether something torn stood before the line.
fn parse_line(bytes: &[u8]) -> Result<(Line<'_>, bool), String> {
    let text = str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let whole = serde_json::from_str(text).map_err(|error| error.to_string());
    let Err(cause) = whole else {
        return whole.map(|line| (line, false));
    };
    match text.rfind(BEGIN).and_then(|at| text.get(at..)) {
        Some(tail) if tail.len() < text.len() => match serde_json::from_str(tail) {
            Ok(line) => Ok((line, true)),
            Err(_) => Err(cause),
        },
        _ => Err(cause),
    }
}

impl Loaded {
    fn take(
        &mut self,
        number: usize,
        line: &Line<'_>,
        ids: &HashMap<&str, KeyId>,
        open: &mut HashMap<u32, Op>,
    ) -> Result<(), HistoryError> {
        let process = line.process;
        let key = ids.get(&*line.key).copied();
        let key = key.ok_or_else(|| HistoryError::UnknownKey {
            line: number,
            key: line.key.to_string(),
        })?;
        self.last_ns = self.last_ns.max(line.time_ns);
        self.next_process = self.next_process.max(process.saturating_add(1));
        let outcome = match line.kind {
            Type::Ok => Outcome::Ok,
            Type::Fail => Outcome::Fail,
            Type::Info => Outcome::Info,
            Type::Invoke => {
                let function = match (line.f, line.expect) {
                    (F::Read, _) => Function::Read,
                    (F::Delete, _) => Function::Delete,
                    (F::Write, None) => Function::Write,
                    (F::Write, Some(expect)) => Function::WriteIf { expect: expect.0 },
                };
                let op = Op {
                    process,
                    key,
                    function,
                    value: line.value.0,
                    invoke_ns: line.time_ns,
                    complete_ns: u64::MAX,
                    outcome: Outcome::Info,
                };
                if line.f == F::Write {
                    let value = line.value.0.map_or(0, super::ValueId::get);
                    self.value_max = self.value_max.max(value);
                }
                return match open.insert(process, op) {
                    Some(_) => Err(HistoryError::StillOpen {
                        line: number,
                        process,
                    }),
                    None => Ok(()),
                };
            }
        };
        let not_invoked = HistoryError::NotInvoked {
            line: number,
            process,
        };
        let Some(mut op) = open.remove(&process).filter(|op| op.key == key) else {
            return Err(not_invoked);
        };
        op.outcome = outcome;
        op.complete_ns = line.time_ns;
        if op.function == Function::Read {
            op.value = line.value.0;
        }
        self.ops.push(op);
        Ok(())
    }
}

impl From<io::Error> for HistoryError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl std::error::Error for HistoryError {}

impl fmt::Display for HistoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "can't read or write the history: {error}"),
            Self::NotALine { line, cause } => write!(f, "history line {line}: {cause}"),
            Self::UnknownKey { line, key } => write!(
                f,
                "history line {line}: the key `{key}` is not in the data set; \
                 give the same input as in the run before"
            ),
            Self::NotInvoked { line, process } => write!(
                f,
                "history line {line}: process {process} completes what it never began"
            ),
            Self::StillOpen { line, process } => write!(
                f,
                "history line {line}: process {process} begins again before it completed"
            ),
        }
    }
}
