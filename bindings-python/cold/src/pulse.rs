//! Health that is measured.

use std::sync::Mutex;

use pyo3::prelude::*;
use ringshift::migration::{self, PulseOptions};
use ringshift::{ErrorCode, Instant, ShardId};

use crate::convert::{Arg, data, data_from, locked};
use crate::error::Error;
use crate::migration::Coordinator;
use crate::router::Snapshot;

/// Measures health: told what happened, it says how things are. Its p99 is never below the true
/// one of its window, and above it by less than a sixteenth.
#[pyclass(frozen, module = "ringshift.migrate")]
pub(crate) struct Pulse(Mutex<migration::Pulse>);

#[pymethods]
impl Pulse {
    /// One that has seen nothing. `options`: `window_ms`, `samples_min`, `slow_us` and
    /// `baseline_us_min`.
    #[new]
    #[pyo3(signature = (options=None))]
    fn new(options: Option<&Bound<'_, PyAny>>) -> Result<Self, Error> {
        let options = match options {
            Some(options) => data_from(options, ErrorCode::Argument)?,
            None => PulseOptions::default(),
        };
        Ok(Self(migration::Pulse::new(options).into()))
    }

    /// An operation of the application's has ended, all attempts and waits together.
    fn handle_operation(&self, now: Arg<u64>, took_us: Arg<u32>, failed: Arg<bool>) {
        locked(&self.0).handle_operation(Instant::from_millis(now.0), took_us.0, failed.0);
    }

    /// A request to a shard's store has ended. A guard's refusal is an answer.
    fn handle_request(&self, now: Arg<u64>, shard: Arg<u32>, took_us: Arg<u32>, failed: Arg<bool>) {
        let (now, shard) = (Instant::from_millis(now.0), ShardId(shard.0));
        locked(&self.0).handle_request(now, shard, took_us.0, failed.0);
    }

    /// A mirror write has ended. It is a request to its shard as well: say that beside this.
    fn handle_mirror(&self, now: Arg<u64>, failed: Arg<bool>) {
        locked(&self.0).handle_mirror(Instant::from_millis(now.0), failed.0);
    }

    /// A snapshot is in force: the first one with a wave takes the baseline.
    fn handle_snapshot(&self, now: Arg<u64>, snapshot: Arg<Bound<'_, Snapshot>>) {
        let snapshot = &snapshot.0.get().0;
        locked(&self.0).handle_snapshot(Instant::from_millis(now.0), snapshot);
    }

    /// Time has passed: what is older than the window is forgotten.
    fn handle_timeout(&self, now: Arg<u64>) {
        locked(&self.0).handle_timeout(Instant::from_millis(now.0));
    }

    /// What the window has now is what is usual.
    fn take_baseline(&self) {
        locked(&self.0).take_baseline();
    }

    /// Nothing is usual.
    fn drop_baseline(&self) {
        locked(&self.0).drop_baseline();
    }

    /// Whether there is a baseline.
    #[getter]
    fn has_baseline(&self) -> bool {
        locked(&self.0).has_baseline()
    }

    /// How things are, as of the last input; what isn't known is None.
    #[getter]
    fn health<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>, Error> {
        let health = locked(&self.0).health();
        data(py, &health)
    }
}

/// Looks after the stores of a migration that is under way: what `carry_out` sees by itself.
#[pyclass(frozen, module = "ringshift.migrate")]
pub(crate) struct StoreWatch(Mutex<migration::StoreWatch>);

#[pymethods]
impl StoreWatch {
    /// One that has seen nothing.
    #[new]
    fn new() -> Self {
        Self(Mutex::default())
    }

    /// The look that is due: a command for a shard; None for now.
    fn poll<'py>(
        &self,
        now: Arg<u64>,
        coordinator: Arg<Bound<'py, Coordinator>>,
    ) -> Result<Bound<'py, PyAny>, Error> {
        let look = {
            let held = locked(&coordinator.0.get().0);
            locked(&self.0).poll(Instant::from_millis(now.0), &held, |_| true)
        };
        data(coordinator.0.py(), &look)
    }

    /// A look has taken so long, and was answered or not.
    fn handle_look(
        &self,
        now: Arg<u64>,
        look: &Bound<'_, PyAny>,
        answer: &Bound<'_, PyAny>,
        took_us: Arg<u32>,
    ) -> Result<(), Error> {
        let look = data_from(look, ErrorCode::Argument)?;
        let answer = data_from(answer, ErrorCode::Argument)?;
        locked(&self.0).handle_look(Instant::from_millis(now.0), &look, &answer, took_us.0);
        Ok(())
    }

    /// A command of the coordinator's own was carried out.
    fn handle_command(
        &self,
        now: Arg<u64>,
        command: &Bound<'_, PyAny>,
        answer: &Bound<'_, PyAny>,
        took_us: Arg<u32>,
    ) -> Result<(), Error> {
        let command = data_from(command, ErrorCode::Argument)?;
        let answer = data_from(answer, ErrorCode::Argument)?;
        locked(&self.0).handle_command(Instant::from_millis(now.0), &command, &answer, took_us.0);
        Ok(())
    }

    /// What was seen.
    #[getter]
    fn health<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>, Error> {
        let health = locked(&self.0).health();
        data(py, &health)
    }
}
