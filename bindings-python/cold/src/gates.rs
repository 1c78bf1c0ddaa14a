//! What a coordinator judges by, one question at a time: gates, hours, the pace of copying, the
//! risk checklist, the choice of a strategy. Facts and answers are plain data.

use std::sync::Mutex;

use pyo3::prelude::*;
use ringshift::migration::{
    self, Calendar, Checklist, Circumstances, Gate, GateState, Gates, Health, Item, ItemState,
    OwnFacts, Settings, Throttle, WallClock,
};
use ringshift::{ErrorCode, Instant, ShardId};
use serde::Serialize;

use crate::convert::{Arg, data, locked, moment, text_or_data_from};
use crate::error::Error;

fn given<T: serde::de::DeserializeOwned>(given: &Bound<'_, PyAny>) -> Result<T, Error> {
    text_or_data_from(given, ErrorCode::Argument)
}

#[derive(Serialize)]
struct Judged {
    gate: Gate,
    state: GateState,
    found: Option<u64>,
    limit: Option<u64>,
    holds: bool,
}

/// The verdict of each gate on what is known of the application and its stores, of what the
/// coordinator knows itself (`mismatches`, `shadow_base`), for a wave between `shards`; `holds`
/// says whether it holds the migration back.
#[pyfunction]
#[pyo3(signature = (gates, health, own=None, shards=None))]
pub(crate) fn judge<'py>(
    py: Python<'py>,
    gates: &Bound<'py, PyAny>,
    health: Option<&Bound<'py, PyAny>>,
    own: Option<&Bound<'py, PyAny>>,
    shards: Option<Arg<Vec<u32>>>,
) -> Result<Bound<'py, PyAny>, Error> {
    let gates: Gates = given(gates)?;
    let health: Option<Health> = health.map(given).transpose()?;
    let own: OwnFacts = own.map_or_else(|| Ok(OwnFacts::default()), given)?;
    let shards = shards.map_or_else(Vec::new, |shards| shards.0);
    let shards: Vec<ShardId> = shards.into_iter().map(ShardId).collect();
    let verdicts = gates.judge(health.as_ref(), own, &shards).into_iter();
    let judged = verdicts.map(|verdict| Judged {
        holds: gates.holds(&verdict),
        gate: verdict.gate,
        state: verdict.state,
        found: verdict.found,
        limit: verdict.limit,
    });
    data(py, &judged.collect::<Vec<_>>())
}

#[derive(Serialize)]
struct Allowed {
    open: bool,
    opens_in_ms: Option<u64>,
    rows_per_s_max: Option<u32>,
}

/// What a calendar allows at a moment of the clock on the wall: milliseconds since 1970-01-01 UTC
/// and how many minutes local time is ahead of UTC. `None`: without a clock.
#[pyfunction]
#[pyo3(signature = (calendar, unix_ms, utc_offset_min=None))]
pub(crate) fn allowed<'py>(
    py: Python<'py>,
    calendar: &Bound<'py, PyAny>,
    unix_ms: Option<Arg<i64>>,
    utc_offset_min: Option<Arg<i16>>,
) -> Result<Bound<'py, PyAny>, Error> {
    let calendar: Calendar = given(calendar)?;
    let (now, offset) = (Instant::ZERO, utc_offset_min.map_or(0, |offset| offset.0));
    let clock =
        unix_ms.map(|unix_ms| WallClock { at: now, unix_ms: unix_ms.0, utc_offset_min: offset });
    let clock = clock.as_ref();
    let allowed = Allowed {
        open: calendar.is_open(clock, now),
        opens_in_ms: calendar.opens_in_ms(clock, now),
        rows_per_s_max: calendar.rows_per_s_max(clock, now),
    };
    data(py, &allowed)
}

/// How fast rows are copied: slower when live traffic suffers, faster when it doesn't.
#[pyclass(frozen, module = "ringshift.migrate")]
pub(crate) struct Pace {
    settings: Throttle,
    pace: Mutex<migration::Pace>,
}

#[pymethods]
impl Pace {
    /// Within the bounds of a throttle, which is a dict or JSON.
    #[new]
    fn new(throttle: &Bound<'_, PyAny>) -> Result<Self, Error> {
        Ok(Self { settings: given(throttle)?, pace: migration::Pace::default().into() })
    }

    /// Rows a second at present, and `cap` at most; `None`: as many as there come.
    #[pyo3(signature = (cap=None))]
    fn rate(&self, cap: Option<Arg<u32>>) -> Option<u32> {
        locked(&self.pace).rate(&self.settings, cap.map(|cap| cap.0))
    }

    /// The operations' p99, what it must stay below, and what it was before, in microseconds.
    #[pyo3(signature = (now, p99_us, limit_us, baseline_us=None))]
    fn handle_p99(
        &self,
        now: Arg<u64>,
        p99_us: Arg<u64>,
        limit_us: Arg<u64>,
        baseline_us: Option<Arg<u64>>,
    ) {
        let (now, baseline) = (Instant::from_millis(now.0), baseline_us.map(|us| us.0));
        locked(&self.pace).handle_p99(now, &self.settings, p99_us.0, limit_us.0, baseline);
    }

    /// So many rows have been copied at that rate.
    #[pyo3(signature = (now, rate, rows))]
    fn spend(&self, now: Arg<u64>, rate: Option<Arg<u32>>, rows: Arg<u32>) {
        let rate = rate.map(|rate| rate.0);
        locked(&self.pace).spend(Instant::from_millis(now.0), rate, rows.0);
    }

    /// When the next rows may be copied; `None`: never.
    #[getter]
    fn ready_at(&self) -> Option<u64> {
        moment(locked(&self.pace).ready_at())
    }
}

#[derive(Serialize)]
struct Stands {
    item: Item,
    state: ItemState,
}

/// Where each item of the risk checklist stands: `checked` by the settings, `confirmed` or `waived`
/// by somebody, or `open`.
#[pyfunction]
pub(crate) fn checklist<'py>(
    py: Python<'py>,
    ticks: &Bound<'py, PyAny>,
    settings: &Bound<'py, PyAny>,
) -> Result<Bound<'py, PyAny>, Error> {
    let (list, settings): (Checklist, Settings) = (given(ticks)?, given(settings)?);
    let stands = |&item: &Item| Stands { item, state: list.state(item, &settings) };
    data(py, &Item::ALL.iter().map(stands).collect::<Vec<_>>())
}

/// Which strategy fits the circumstances (`bytes`, `copy_ms`, `downtime_ms`, `risk`, `whole_slots`,
/// `adopts`), and why.
#[pyfunction]
pub(crate) fn advise_strategy<'py>(
    py: Python<'py>,
    circumstances: &Bound<'py, PyAny>,
) -> Result<Bound<'py, PyAny>, Error> {
    let facts: Circumstances = given(circumstances)?;
    data(py, &migration::advise_strategy(&facts))
}
