//! Counting what a router sees, and what to do about it.

use std::sync::Mutex;

use pyo3::prelude::*;
use ringshift::advise::{self as advice, Loads, Triggers};
use ringshift::{ErrorCode, Instant, ShardId, Slot};
use ringshift_python_routing::Keyspace;

use crate::convert::{Arg, data, key as key_of, locked, text_or_data_from};
use crate::error::Error;
use crate::router::Snapshot;

/// Counts the operations on one keyspace, one in `rate` of them on average.
#[pyclass(frozen, module = "ringshift.advise")]
pub(crate) struct Meter(Mutex<advice::Meter>);

#[pymethods]
impl Meter {
    #[new]
    fn new(
        keyspace: Arg<String>,
        bits: Arg<u8>,
        rate: Arg<u32>,
        half_life_ms: Arg<u64>,
        seed: Arg<u64>,
    ) -> Self {
        Self(advice::Meter::new(&keyspace.0, bits.0, rate.0, half_life_ms.0, seed.0).into())
    }

    /// An operation on a key whose routing part is `part`, in `slot`, on `shard`.
    fn record(&self, now: Arg<u64>, shard: Arg<u32>, slot: Arg<u32>, part: Arg<&[u8]>) {
        let (shard, slot) = (ShardId(shard.0), Slot(slot.0));
        locked(&self.0).record(Instant::from_millis(now.0), shard, slot, part.0);
    }

    /// An operation on a key, wherever the router has it.
    fn record_key(
        &self,
        now: Arg<u64>,
        keyspace: Arg<Bound<'_, Keyspace>>,
        key: &Bound<'_, PyAny>,
    ) -> Result<(), Error> {
        let (now, key) = (Instant::from_millis(now.0), key_of(key)?);
        keyspace.0.get().ask(|keyspace| Ok(locked(&self.0).record_key(now, &keyspace, &key)?))
    }

    /// An operation that had to ask more than one shard. Record its keys, too.
    fn record_spread(&self) {
        locked(&self.0).record_spread();
    }

    /// What was counted: one of the `keyspaces` of loads.
    #[getter]
    fn loads<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>, Error> {
        let loads = locked(&self.0).loads();
        data(py, &loads)
    }
}

/// What is wrong with a cluster by its loads (a dict or JSON), and what to do about it, the most
/// urgent first. `triggers` says above what something is wrong.
#[pyfunction]
#[pyo3(signature = (snapshot, loads, triggers=None))]
pub(crate) fn advise<'py>(
    py: Python<'py>,
    snapshot: Arg<Bound<'py, Snapshot>>,
    loads: &Bound<'py, PyAny>,
    triggers: Option<&Bound<'py, PyAny>>,
) -> Result<Bound<'py, PyAny>, Error> {
    let loads: Loads = text_or_data_from(loads, ErrorCode::Argument)?;
    let triggers = match triggers {
        Some(triggers) => text_or_data_from(triggers, ErrorCode::Argument)?,
        None => Triggers::default(),
    };
    data(py, &advice::advise(&snapshot.0.get().0, &loads, &triggers))
}

/// Loads of two processes (dicts or JSON), added up.
#[pyfunction]
pub(crate) fn add_loads<'py>(
    ours: &Bound<'py, PyAny>,
    theirs: &Bound<'py, PyAny>,
) -> Result<Bound<'py, PyAny>, Error> {
    let mut sum: Loads = text_or_data_from(ours, ErrorCode::Argument)?;
    sum.add(&text_or_data_from(theirs, ErrorCode::Argument)?);
    data(ours.py(), &sum)
}
