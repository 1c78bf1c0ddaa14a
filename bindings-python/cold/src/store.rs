//! The shard's side: what a store asks the core, and a whole shard in memory.

use std::sync::Mutex;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use ringshift::recipes::sqlite;
use ringshift::store::{Change, Content, LOOK_OP, Look};
use ringshift::{
    Access, DomainId, Epoch, ErrorCode, Fence, InstallRow, Instant, KeyspaceId, RefreshStep, Slot,
    Term,
};

use crate::convert::{Arg, PyVersion, bytes_of, data, data_from, key, locked, moment};
use crate::error::{Error, argument};
use crate::step::{Attempt, Refusal, Reply, printed};

/// What goes with an attempt, as a dict: `op`, and `change` or `row`.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Given {
    op: [u8; 16],
    #[pyo3(default)]
    change: Option<GivenChange>,
    #[pyo3(default)]
    row: Option<GivenRow>,
}

#[derive(FromPyObject)]
struct GivenChange {
    #[pyo3(item("type"))]
    kind: String,
    #[pyo3(item, default)]
    value: Option<Vec<u8>>,
    #[pyo3(item, default)]
    expected: Option<PyVersion>,
}

/// The row with its value; or, for who decides without values, whether it has one.
#[derive(FromPyObject)]
enum GivenRow {
    #[pyo3(from_item_all)]
    Whole { value: Option<Vec<u8>>, op: [u8; 16] },
    #[pyo3(from_item_all)]
    Mark { deleted: bool },
}

impl Given {
    fn core(&self) -> Result<Content<'_>, Error> {
        match &self.row {
            Some(GivenRow::Whole { value, op }) => {
                return Ok(Content::Row { value: value.as_deref(), op: *op });
            }
            Some(GivenRow::Mark { deleted }) => {
                let value = (!deleted).then_some([].as_slice());
                return Ok(Content::Row { value, op: self.op });
            }
            None => {}
        }
        let Some(change) = &self.change else { return Ok(Content::None) };
        let value = change.value.as_deref().unwrap_or_default();
        let change = match change.kind.as_str() {
            "put" => Change::Put(value),
            "delete" => Change::Delete,
            "put-if" => Change::PutIf { expected: change.expected.map(|version| version.0), value },
            other => return Err(argument(format_args!("there is no change `{other}`"))),
        };
        Ok(Content::Own { change, op: self.op })
    }
}

pub(crate) fn content_of(given: Option<&Arg<Given>>) -> Result<Content<'_>, Error> {
    given.map_or(Ok(Content::None), |Arg(given)| given.core())
}

/// What a store is to do to the row: `"keep"`, `"put"` or `"remove"`.
#[pyclass(frozen, eq, get_all, from_py_object, module = "ringshift")]
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Effect {
    r#type: String,
    /// For a put, the version to keep with it.
    version: Option<PyVersion>,
    /// For a put, whether it is a tombstone.
    deleted: Option<bool>,
    /// For a remove, what to raise the slot's floor to.
    floor: Option<PyVersion>,
}

/// What to do about a request, and what to reply when it is done.
#[pyclass(frozen, eq, get_all, module = "ringshift")]
#[derive(PartialEq, Debug)]
pub(crate) struct Decision {
    reply: Reply,
    effect: Effect,
    /// Whether the row that is there goes with the reply.
    found: bool,
    /// The keyspace's slot bits, to be kept with the first row that is put.
    learned: Option<u8>,
    /// The revision of the shard's last change.
    revision: u64,
}

printed!(Effect, Decision);

/// Decides about an attempt, by the columns of `LOOK_READ` or `LOOK_WRITE`.
#[pyfunction]
#[pyo3(signature = (attempt, content, look))]
pub(crate) fn decide(
    attempt: Arg<Bound<'_, Attempt>>,
    content: Option<Arg<Given>>,
    look: Arg<Vec<Bound<'_, PyAny>>>,
) -> Result<Decision, Error> {
    let (attempt, look) = (&attempt.0.get().0, look.0);
    let number = |at: usize| look.get(at).and_then(|column| column.extract().ok());
    let op = look.get(LOOK_OP).and_then(|op| op.extract::<Option<&[u8]>>().ok()).flatten();
    let look = Look::of_columns(attempt.fence.domain, number, op)?;
    let decision = look.decide(attempt, content_of(content.as_ref())?);
    Ok(decision_out(&decision, &look))
}

/// What the core decided, for Python.
pub(crate) fn decision_out(decision: &ringshift::store::Decision, look: &Look) -> Decision {
    use ringshift::store::Effect as Core;
    let (kind, version, deleted, floor) = match decision.effect {
        Core::Keep => ("keep", None, None, None),
        Core::Put { version, deleted, .. } => ("put", Some(version), Some(deleted), None),
        Core::Remove { floor } => ("remove", None, None, Some(floor)),
    };
    let (version, floor) = (version.map(PyVersion), floor.map(PyVersion));
    Decision {
        reply: decision.reply.into(),
        effect: Effect { r#type: kind.to_owned(), version, deleted, floor },
        found: decision.found,
        learned: decision.learned,
        revision: look.revision.0,
    }
}

/// The statements of a shard in SQLite, by name.
#[pyfunction]
pub(crate) fn statements() -> std::collections::BTreeMap<&'static str, &'static str> {
    sqlite::STATEMENTS.iter().copied().collect()
}

/// What a SQLite file is made and opened with.
#[pyclass(frozen, get_all, module = "ringshift")]
pub(crate) struct SqliteRecipe {
    schema: &'static str,
    settings: &'static str,
    durable: &'static str,
    relaxed: &'static str,
    format: i64,
}

/// What a SQLite file is made and opened with.
#[pyfunction]
pub(crate) fn sqlite_recipe() -> SqliteRecipe {
    SqliteRecipe {
        schema: sqlite::SCHEMA,
        settings: sqlite::SETTINGS,
        durable: sqlite::DURABLE,
        relaxed: sqlite::RELAXED,
        format: sqlite::FORMAT,
    }
}

/// A number for a row's whole state, the same wherever it is stored.
#[pyfunction]
#[pyo3(signature = (key, version, value))]
pub(crate) fn row_digest(key: Arg<&[u8]>, version: PyVersion, value: Option<Arg<&[u8]>>) -> u64 {
    ringshift::row_digest(key.0, version.0, value.map(|value| value.0))
}

/// The bytes of a key: what stores keep.
#[pyfunction]
pub(crate) fn key_bytes<'py>(given: &Bound<'py, PyAny>) -> Result<Bound<'py, PyBytes>, Error> {
    Ok(PyBytes::new(given.py(), &key(given)?))
}

/// A shard in memory: the core's own guard, and a map of rows.
#[pyclass(frozen, module = "ringshift")]
#[derive(Default)]
pub(crate) struct MemoryShard(pub(crate) Mutex<ringshift::store::MemoryShard>);

/// A row's value: `None` for a tombstone.
type Row<'py> = Option<Bound<'py, PyBytes>>;
type Found<'py> = Option<(Row<'py>, Bound<'py, PyBytes>)>;

#[pymethods]
impl MemoryShard {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Carries out one request: the reply, and the row that goes with it, as (value, op).
    #[pyo3(signature = (attempt, key, content))]
    fn attempt<'py>(
        &self,
        py: Python<'py>,
        attempt: Arg<Bound<'py, Attempt>>,
        key: Arg<&[u8]>,
        content: Option<Arg<Given>>,
    ) -> Result<(Reply, Found<'py>), Error> {
        let content = content_of(content.as_ref())?;
        let response = locked(&self.0).attempt(&attempt.0.get().0, key.0, content);
        let found = response.found.map(|found| {
            let value = found.value.map(|value| PyBytes::new(py, &value));
            (value, PyBytes::new(py, &found.op))
        });
        Ok((response.reply.into(), found))
    }

    /// Carries out a coordinator's command; rows that it reads are left in `chunks`.
    fn command<'py>(
        &self,
        command: &Bound<'py, PyAny>,
        chunks: Arg<Bound<'py, Chunks>>,
    ) -> Result<Bound<'py, PyAny>, Error> {
        let (py, command) = (command.py(), data_from(command, ErrorCode::Argument)?);
        let answer = locked(&self.0).command(&command, &mut locked(&chunks.0.get().0));
        data(py, &answer)
    }

    /// Version and value of a key's row or tombstone.
    fn row<'py>(
        &self,
        py: Python<'py>,
        keyspace: Arg<u16>,
        key: Arg<&[u8]>,
    ) -> Option<(PyVersion, Row<'py>)> {
        let row = locked(&self.0)
            .row(KeyspaceId(keyspace.0), key.0)
            .map(|(version, value)| (PyVersion(version), value.map(<[u8]>::to_vec)));
        row.map(|(version, value)| (version, value.map(|value| PyBytes::new(py, &value))))
    }

    fn __len__(&self) -> usize {
        locked(&self.0).rows()
    }
}

/// The rows that a coordinator has read and may still apply.
#[pyclass(frozen, module = "ringshift")]
#[derive(Default)]
pub(crate) struct Chunks(pub(crate) Mutex<ringshift::store::Chunks>);

#[pymethods]
impl Chunks {
    #[new]
    fn new() -> Self {
        Self::default()
    }
}

/// What who needs a newer map is to do.
#[pyclass(frozen, eq, module = "ringshift")]
#[derive(PartialEq, Debug)]
pub(crate) enum GateStep {
    InHand {},
    Fetch {},
    Join {},
    Wait { until: Option<u64> },
}

printed!(GateStep);

/// One refresh for many operations.
#[pyclass(frozen, module = "ringshift")]
pub(crate) struct RefreshGate(Mutex<ringshift::RefreshGate>);

fn epoch_of(number: u32) -> Result<Epoch, Error> {
    Epoch::try_from(number).map_err(argument)
}

#[pymethods]
impl RefreshGate {
    #[new]
    fn new(have: Arg<u32>, gap_ms: Arg<u32>, seed: Arg<u64>) -> Result<Self, Error> {
        Ok(Self(ringshift::RefreshGate::new(epoch_of(have.0)?, gap_ms.0, seed.0).into()))
    }

    /// Asks for a map past that epoch.
    fn want(&self, now: Arg<u64>, newer_than: Arg<u32>) -> Result<GateStep, Error> {
        let newer_than = epoch_of(newer_than.0)?;
        Ok(match locked(&self.0).want(Instant::from_millis(now.0), newer_than) {
            RefreshStep::InHand => GateStep::InHand {},
            RefreshStep::Fetch => GateStep::Fetch {},
            RefreshStep::Join => GateStep::Join {},
            RefreshStep::Wait { until } => GateStep::Wait { until: moment(until) },
        })
    }

    /// The fetch brought a map of that epoch.
    fn fetched(&self, now: Arg<u64>, epoch: Arg<u32>) -> Result<(), Error> {
        locked(&self.0).fetched(Instant::from_millis(now.0), epoch_of(epoch.0)?);
        Ok(())
    }

    /// The fetch failed.
    fn failed(&self, now: Arg<u64>) {
        locked(&self.0).failed(Instant::from_millis(now.0));
    }

    /// How many fetches were begun.
    #[getter]
    fn begun(&self) -> u64 {
        locked(&self.0).begun()
    }
}

/// The fencing state of one shard. Rows are plain data; what refuses raises nothing but is
/// answered as a `Refusal`.
#[pyclass(frozen, module = "ringshift")]
#[derive(Default)]
pub(crate) struct Guard(Mutex<ringshift::Guard>);

impl Guard {
    fn answer<T: serde::Serialize>(
        py: Python<'_>,
        answer: Result<T, ringshift::Refusal>,
    ) -> Result<Bound<'_, PyAny>, Error> {
        match answer {
            Ok(answer) => data(py, &answer),
            Err(refusal) => Ok(Bound::new(py, Refusal(refusal))?.into_any()),
        }
    }
}

#[pymethods]
impl Guard {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Whether an operation is let through: the domain's row, or the refusal. `access`: `"read"`,
    /// `"write"`, `"apply"`; with a `term`, `"copy"`, `"purge"`, `"collect"`.
    #[pyo3(signature = (keyspace, slot, key, domain, epoch, access, term=None))]
    #[expect(clippy::too_many_arguments, reason = "the core's, one by one")]
    fn admit<'py>(
        &self,
        py: Python<'py>,
        keyspace: Arg<u16>,
        slot: Arg<u32>,
        key: &Bound<'py, PyAny>,
        domain: Arg<u32>,
        epoch: Arg<u32>,
        access: Arg<String>,
        term: Option<Arg<u32>>,
    ) -> Result<Bound<'py, PyAny>, Error> {
        let access = match (access.0.as_str(), term.map(|term| Term(term.0))) {
            ("read", None) => Access::Read,
            ("write", None) => Access::Write,
            ("apply", None) => Access::Apply,
            ("copy", Some(term)) => Access::Copy(term),
            ("purge", Some(term)) => Access::Purge(term),
            ("collect", Some(term)) => Access::Collect(term),
            (other, _) => return Err(argument(format_args!("there is no access `{other}` so"))),
        };
        let fence = Fence { domain: DomainId(domain.0), epoch: epoch_of(epoch.0)? };
        let (keyspace, slot, key) = (KeyspaceId(keyspace.0), Slot(slot.0), bytes_of(key)?);
        let guard = locked(&self.0);
        let answer = guard.admit(keyspace, slot, key.as_bytes(), fence, access);
        drop(guard);
        Self::answer(py, answer)
    }

    /// Installs rows in one step: `None`, or the refusal.
    fn install<'py>(
        &self,
        term: Arg<u32>,
        rows: &Bound<'py, PyAny>,
    ) -> Result<Bound<'py, PyAny>, Error> {
        let (py, rows) = (rows.py(), data_from::<Vec<InstallRow>>(rows, ErrorCode::Argument)?);
        let answer = locked(&self.0).install(Term(term.0), &rows);
        Self::answer(py, answer)
    }

    /// Closes a domain at exactly `epoch`: its row, or the refusal.
    fn close<'py>(
        &self,
        py: Python<'py>,
        term: Arg<u32>,
        domain: Arg<u32>,
        epoch: Arg<u32>,
    ) -> Result<Bound<'py, PyAny>, Error> {
        let (term, domain, epoch) = (Term(term.0), DomainId(domain.0), epoch_of(epoch.0)?);
        let answer = locked(&self.0).close(term, domain, epoch);
        Self::answer(py, answer)
    }

    /// Remembers a term: `None`, or the refusal.
    fn claim<'py>(&self, py: Python<'py>, term: Arg<u32>) -> Result<Bound<'py, PyAny>, Error> {
        let answer = locked(&self.0).claim(Term(term.0));
        Self::answer(py, answer)
    }

    /// All rows, by domain.
    fn rows<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>, Error> {
        let rows = locked(&self.0).rows().copied().collect::<Vec<_>>();
        data(py, &rows)
    }
}
