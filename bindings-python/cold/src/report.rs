//! What a migration has done: told by whoever carries it out.

use std::sync::Mutex;

use pyo3::prelude::*;
use ringshift::migration::{self, Move};
use ringshift::{DomainId, ErrorCode, Instant};

use crate::convert::{Arg, data, data_from, locked};
use crate::error::{Error, argument};
use crate::migration::Coordinator;

/// Collects a migration's story: feed it after each command, then read it or write it down.
#[pyclass(frozen, module = "ringshift.migrate")]
pub(crate) struct Report(Mutex<migration::Report>);

#[pymethods]
impl Report {
    /// One that begins now, which is `unix_ms` milliseconds after 1970-01-01 UTC.
    #[new]
    fn new(now: Arg<u64>, unix_ms: Arg<u64>) -> Self {
        Self(migration::Report::new(Instant::from_millis(now.0), unix_ms.0).into())
    }

    /// A command was carried out. `goal` is the coordinator's, from before the answer.
    fn handle_command(
        &self,
        now: Arg<u64>,
        point: &Bound<'_, PyAny>,
        goal: Option<&Bound<'_, PyAny>>,
        wave: Option<Arg<u32>>,
        command: &Bound<'_, PyAny>,
        answer: &Bound<'_, PyAny>,
    ) -> Result<(), Error> {
        let point = data_from(point, ErrorCode::Argument)?;
        let goal: Option<Move> =
            goal.map(|goal| data_from(goal, ErrorCode::Argument)).transpose()?;
        let command = data_from(command, ErrorCode::Argument)?;
        let answer = data_from(answer, ErrorCode::Argument)?;
        let (now, wave) = (Instant::from_millis(now.0), wave.map(|wave| DomainId(wave.0)));
        locked(&self.0).handle_command(now, point, goal, wave, &command, &answer);
        Ok(())
    }

    /// What the coordinator knows: its snapshot, decisions and mismatches, and how it ended.
    fn handle_coordinator(&self, now: Arg<u64>, coordinator: Arg<Bound<'_, Coordinator>>) {
        let coordinator = locked(&coordinator.0.get().0);
        locked(&self.0).handle_coordinator(Instant::from_millis(now.0), &coordinator);
    }

    /// A barrier is over; writers of the wave have waited for `pause_us` microseconds.
    fn handle_barrier(
        &self,
        now: Arg<u64>,
        goal: &Bound<'_, PyAny>,
        wave: Option<Arg<u32>>,
        pause_us: Arg<u64>,
    ) -> Result<(), Error> {
        let goal = data_from(goal, ErrorCode::Argument)?;
        let (now, wave) = (Instant::from_millis(now.0), wave.map(|wave| DomainId(wave.0)));
        locked(&self.0).handle_barrier(now, goal, wave, pause_us.0);
        Ok(())
    }

    /// How the application is: a dict.
    fn handle_health(&self, now: Arg<u64>, health: &Bound<'_, PyAny>) -> Result<(), Error> {
        let health = data_from(health, ErrorCode::Argument)?;
        locked(&self.0).handle_health(Instant::from_millis(now.0), &health);
        Ok(())
    }

    /// What was seen of the stores: a dict. It stands for the application's figures until those
    /// are told.
    fn handle_seen(&self, now: Arg<u64>, seen: &Bound<'_, PyAny>) -> Result<(), Error> {
        let seen = data_from(seen, ErrorCode::Argument)?;
        locked(&self.0).handle_seen(Instant::from_millis(now.0), &seen);
        Ok(())
    }

    /// How many rows a wave's backfill is expected to copy.
    fn handle_estimate(&self, wave: Arg<u32>, rows: Arg<u64>) {
        locked(&self.0).handle_estimate(DomainId(wave.0), rows.0);
    }

    /// How far each wave has come, in the order in which they began.
    #[getter]
    fn progress<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>, Error> {
        let progress = locked(&self.0).progress().to_vec();
        data(py, &progress)
    }

    /// All that is to be said by now.
    #[getter]
    fn summary<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>, Error> {
        let summary = locked(&self.0).summary();
        data(py, &summary)
    }

    /// The same as the JSON that a report's file has.
    fn json(&self) -> Result<String, Error> {
        let summary = locked(&self.0).summary();
        serde_json::to_string_pretty(&summary).map_err(argument)
    }

    /// The same for people, in Markdown.
    fn text(&self) -> String {
        locked(&self.0).text()
    }
}
