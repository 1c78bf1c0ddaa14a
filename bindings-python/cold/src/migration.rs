//! Planning and carrying out a migration: commands and answers are plain data.

use std::sync::{Arc, Mutex};

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use ringshift::migration::{self, Changes, CommandId, PlanOptions, Settings};
use ringshift::record::Record;
use ringshift::{ErrorCode, Instant, ShardId, Term};

use crate::convert::{Arg, data, data_from, locked, python, text_or_data_from};
use crate::error::{Error, argument};
use crate::router::Snapshot;

/// What a migration will do. Prints as a table; hand it to a `Coordinator`.
#[pyclass(frozen, module = "ringshift.migrate")]
pub(crate) struct Plan(migration::Plan);

#[pymethods]
impl Plan {
    /// What moves, keyspace by keyspace.
    #[getter]
    fn figures<'py>(&self, py: Python<'py>) -> Result<Vec<Bound<'py, PyAny>>, Error> {
        let class = python(py, "plan_figures")?;
        let figures = self.0.figures.iter();
        figures.map(|figures| Ok(class.call1((data(py, figures)?,))?)).collect()
    }

    /// The waves, in their order: who gives which slots to whom.
    #[getter]
    fn waves<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>, Error> {
        data(py, &self.0.log.planned)
    }

    /// Everything that it says: figures, waves, times, what can be undone, which strategy fits.
    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>, Error> {
        data(py, &self.0)
    }

    /// A plan that was kept: a dict as `data` gave it, or its JSON.
    #[staticmethod]
    fn from_data(kept: &Bound<'_, PyAny>) -> Result<Self, Error> {
        Ok(Self(text_or_data_from(kept, ErrorCode::Plan)?))
    }

    /// Refuses a snapshot that it wasn't made from. A coordinator asks that before it begins.
    fn check(&self, snapshot: Arg<Bound<'_, Snapshot>>) -> Result<(), Error> {
        Ok(self.0.check(&snapshot.0.get().0)?)
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __rich__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        python(slf.py(), "plan_rich")?.call1((slf,))
    }
}

/// Plans changes (a dict or JSON: `add`, `remove`, `reweight`, `move_slots`, `move_prefix` and
/// others) from a snapshot, with at most `wave_slots_max` slots a wave (0: no limit). With
/// `options` (`strategy`, `sizes`, `rate` and others), a strategy's settings go with the plan;
/// without, the coordinator's own hold.
#[pyfunction]
#[pyo3(signature = (snapshot, changes, wave_slots_max=None, options=None))]
pub(crate) fn plan(
    snapshot: Arg<Bound<'_, Snapshot>>,
    changes: &Bound<'_, PyAny>,
    wave_slots_max: Option<Arg<u32>>,
    options: Option<&Bound<'_, PyAny>>,
) -> Result<Plan, Error> {
    let changes: Changes = text_or_data_from(changes, ErrorCode::Plan)?;
    let snapshot = &snapshot.0.get().0;
    let most = wave_slots_max.map_or(0, |max| max.0);
    let Some(options) = options else {
        return Ok(Plan(migration::plan(snapshot, &changes, most)?));
    };
    let mut options: PlanOptions = text_or_data_from(options, ErrorCode::Argument)?;
    options.wave_slots_max = options.wave_slots_max.max(most);
    Ok(Plan(migration::plan_with(snapshot, &changes, &options)?))
}

/// The guard rows of a new cluster's shard: what a `Guard` or a store installs.
#[pyfunction]
pub(crate) fn home_installs<'py>(
    py: Python<'py>,
    snapshot: Arg<Bound<'py, Snapshot>>,
    shard: Arg<u32>,
) -> Result<Bound<'py, PyAny>, Error> {
    data(py, &migration::home_installs(&snapshot.0.get().0, ShardId(shard.0)))
}

/// Carries a migration out: `poll`, do what it says, `handle_answer`.
#[pyclass(frozen, module = "ringshift.migrate")]
pub(crate) struct Coordinator(pub(crate) Mutex<migration::Coordinator>);

#[pymethods]
impl Coordinator {
    #[new]
    #[pyo3(signature = (term, settings, wanted, now))]
    fn new(
        term: Arg<u32>,
        settings: Option<&Bound<'_, PyAny>>,
        wanted: Option<Arg<Bound<'_, Plan>>>,
        now: Arg<u64>,
    ) -> Result<Self, Error> {
        let settings = match settings {
            Some(settings) => data_from(settings, ErrorCode::Argument)?,
            None => Settings::default(),
        };
        let wanted = wanted.map(|plan| plan.0.get().0.log.clone());
        let now = Instant::from_millis(now.0);
        let machine = migration::Coordinator::new(Term(term.0), Arc::new(settings), wanted, now);
        Ok(Self(machine.into()))
    }

    /// What to do next: `{"do": ...}`, `{"wait": {"until": ...}}` or `{"over": ...}`.
    fn poll<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>, Error> {
        let action = locked(&self.0).poll();
        data(py, &action)
    }

    /// What came of command `id`.
    fn handle_answer(
        &self,
        now: Arg<u64>,
        id: Arg<u32>,
        answer: &Bound<'_, PyAny>,
    ) -> Result<(), Error> {
        let answer = data_from(answer, ErrorCode::Argument)?;
        locked(&self.0).handle_answer(Instant::from_millis(now.0), CommandId(id.0), answer);
        Ok(())
    }

    /// Time has passed.
    fn handle_timeout(&self, now: Arg<u64>) {
        locked(&self.0).handle_timeout(Instant::from_millis(now.0));
    }

    /// How the application and its stores are: a dict; what is left out isn't known.
    fn handle_health(&self, now: Arg<u64>, health: &Bound<'_, PyAny>) -> Result<(), Error> {
        let health = data_from(health, ErrorCode::Argument)?;
        locked(&self.0).handle_health(Instant::from_millis(now.0), health);
        Ok(())
    }

    /// What was seen of the stores: `StoreWatch.health`, say. It counts where `handle_health` says
    /// nothing, and a store that is sick by either is.
    fn handle_seen(&self, now: Arg<u64>, seen: &Bound<'_, PyAny>) -> Result<(), Error> {
        let seen = data_from(seen, ErrorCode::Argument)?;
        locked(&self.0).handle_seen(Instant::from_millis(now.0), seen);
        Ok(())
    }

    /// The move that is being carried out, with the number of a ramp.
    #[getter]
    fn goal<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>, Error> {
        let goal = locked(&self.0).goal();
        data(py, &goal)
    }

    /// What the clock on the wall shows, in milliseconds since 1970-01-01 UTC, and how many minutes
    /// local time is ahead of UTC.
    #[pyo3(signature = (now, unix_ms, utc_offset_min=None))]
    fn handle_wall_clock(
        &self,
        now: Arg<u64>,
        unix_ms: Arg<i64>,
        utc_offset_min: Option<Arg<i16>>,
    ) {
        let offset = utc_offset_min.map_or(0, |offset| offset.0);
        locked(&self.0).handle_wall_clock(Instant::from_millis(now.0), unix_ms.0, offset);
    }

    /// Agrees to the point of no return, where `gates.finish` asks for that.
    fn agree_to_finish(&self) {
        locked(&self.0).agree_to_finish();
    }

    /// Where the migration stands, and what holds it.
    #[getter]
    fn status<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>, Error> {
        let status = locked(&self.0).status();
        data(py, &status)
    }

    /// What the gates have made it decide, the oldest first; the last 256.
    #[getter]
    fn decisions<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>, Error> {
        let decisions: Vec<_> = locked(&self.0).decisions().cloned().collect();
        data(py, &decisions)
    }

    /// Takes everything back to where it began.
    #[pyo3(signature = (reason=None))]
    fn roll_back(&self, reason: Option<Arg<String>>) {
        locked(&self.0).roll_back(&reason.map_or_else(String::new, |reason| reason.0));
    }

    /// Stops in a safe state, until `resume`.
    #[pyo3(signature = (reason=None))]
    fn pause(&self, reason: Option<Arg<String>>) {
        locked(&self.0).pause(&reason.map_or_else(String::new, |reason| reason.0));
    }

    /// Goes on.
    fn resume(&self) {
        locked(&self.0).resume();
    }

    /// The snapshot in force, as far as the coordinator knows.
    #[getter]
    fn snapshot(&self) -> Option<Snapshot> {
        locked(&self.0).snapshot().map(|snapshot| Snapshot(Arc::clone(snapshot)))
    }

    /// The log as it stands.
    #[getter]
    fn log<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>, Error> {
        let log = locked(&self.0).log().clone();
        data(py, &log)
    }

    /// The mismatches that verification has confirmed.
    #[getter]
    fn mismatches<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>, Error> {
        let mismatches = locked(&self.0).mismatches().to_vec();
        data(py, &mismatches)
    }
}

/// What a topology store keeps, and how it answers a coordinator, in memory. A topology for a
/// `Client`, too.
#[pyclass(frozen, module = "ringshift.migrate")]
pub(crate) struct TopologyRecord(Mutex<Record>);

#[pymethods]
impl TopologyRecord {
    /// A first snapshot, that nobody has led with.
    #[new]
    fn new(snapshot: Arg<Bound<'_, Snapshot>>) -> Self {
        let snapshot = Arc::clone(&snapshot.0.get().0);
        Self(Record::first(snapshot).into())
    }

    /// From its bytes.
    #[staticmethod]
    fn decode(bytes: Arg<&[u8]>) -> Result<Self, Error> {
        Ok(Self(Record::decode(bytes.0)?.into()))
    }

    /// Its bytes: those of a topology file.
    fn encode<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyBytes>, Error> {
        let bytes = locked(&self.0).encode()?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// The snapshot in force.
    #[getter]
    fn snapshot(&self) -> Snapshot {
        Snapshot(Arc::clone(&locked(&self.0).snapshot))
    }

    /// The snapshot's bytes, if it is past that epoch.
    fn fetch<'py>(&self, py: Python<'py>, newer_than: Arg<u32>) -> Option<Bound<'py, PyBytes>> {
        let snapshot = Arc::clone(&locked(&self.0).snapshot);
        let newer = snapshot.epoch().get() > newer_than.0;
        newer.then(|| PyBytes::new(py, &snapshot.encode()))
    }

    /// A term for a new coordinator: no two are given the same.
    fn draw_term(&self) -> Result<u32, Error> {
        let mut record = locked(&self.0);
        let next = record.next_term();
        *record = next.ok_or_else(|| argument("the terms are used up"))?;
        Ok(record.term.0)
    }

    /// Carries out a coordinator's command.
    fn command<'py>(&self, command: &Bound<'py, PyAny>) -> Result<Bound<'py, PyAny>, Error> {
        let (py, command) = (command.py(), data_from(command, ErrorCode::Argument)?);
        let answer = {
            let mut record = locked(&self.0);
            let (answer, next) = record.decide(&command);
            if let Some(next) = next {
                *record = next;
            }
            answer
        };
        data(py, &answer)
    }
}
