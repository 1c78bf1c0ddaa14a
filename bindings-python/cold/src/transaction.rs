//! Several keys of one shard, changed together, step by step.

use std::sync::Mutex;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use ringshift::store::{BatchPart, Content, LOOK_OP, Look};
use ringshift::{AttemptId, ErrorCode, Instant, PinError, Use};
use ringshift_python_routing::Keyspace;

use crate::convert::{Arg, PyVersion, locked, moment};
use crate::error::{Error, argument};
use crate::operation::{GivenPolicy, policy_of};
use crate::step::{Attempt, PyFailure, Refusal, Reply, printed};
use crate::store::{Decision, Given, MemoryShard, content_of, decision_out};

/// One request to one shard about several keys: all of it, or nothing.
#[pyclass(frozen, module = "ringshift")]
pub(crate) struct Batch(ringshift::Batch);

#[pymethods]
impl Batch {
    /// Names the request, and the reply to the transaction.
    #[getter]
    fn id(&self) -> u32 {
        self.0.id.0
    }

    /// The shard's id.
    #[getter]
    fn shard(&self) -> u32 {
        self.0.shard.0
    }

    /// Whether the transaction waits for the reply.
    #[getter]
    fn blocking(&self) -> bool {
        self.0.blocking
    }

    /// Whether it may change rows.
    #[getter]
    fn changes(&self) -> bool {
        self.0.changes()
    }

    /// Whether what it finds is what the caller's work sees.
    #[getter]
    fn begins(&self) -> bool {
        self.0.begins()
    }

    /// The place of each key, and what to do with it.
    #[getter]
    fn parts(&self) -> Vec<(usize, Attempt)> {
        let parts = self.0.parts.iter();
        parts.map(|part| (part.key, Attempt(part.attempt))).collect()
    }
}

/// What came back from a shard.
#[pyclass(frozen, from_py_object, module = "ringshift")]
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct BatchReply(ringshift::BatchReply);

#[pymethods]
impl BatchReply {
    /// It was carried out: a reply for each part.
    #[staticmethod]
    fn done(replies: Vec<Reply>) -> Self {
        let replies = replies.into_iter().map(Into::into).collect();
        Self(ringshift::BatchReply::Done(replies))
    }

    /// A row wasn't as expected, and nothing was changed.
    #[staticmethod]
    #[pyo3(signature = (part, found))]
    fn conflict(part: Arg<usize>, found: Option<PyVersion>) -> Self {
        let (part, found) = (part.0, found.map(|found| found.0));
        Self(ringshift::BatchReply::Conflict { part, found })
    }

    /// The guard refused a part, and nothing was changed.
    #[staticmethod]
    fn refused(refusal: Refusal) -> Self {
        Self(ringshift::BatchReply::Refused(refusal.0))
    }

    /// `"not_sent"`, `"maybe_applied"` or `"rejected"`.
    #[staticmethod]
    fn failed(failure: PyFailure) -> Self {
        Self(ringshift::BatchReply::Failed(failure.0))
    }

    fn __repr__(&self) -> String {
        format!("{self:?}")
    }

    /// The replies, if it was carried out.
    #[getter]
    fn replies(&self) -> Option<Vec<Reply>> {
        let ringshift::BatchReply::Done(replies) = &self.0 else { return None };
        Some(replies.iter().map(|&reply| reply.into()).collect())
    }
}

/// How a transaction ended.
#[pyclass(frozen, get_all, module = "ringshift")]
#[derive(Debug)]
pub(crate) struct TransactionOutcome {
    /// The slug, when it failed.
    code: Option<&'static str>,
    message: String,
    /// The version that each key was given.
    versions: Vec<Option<PyVersion>>,
    /// Whether a mirror hadn't confirmed it by then.
    lagging: bool,
    /// For a conflict, the place of the key, and the version that is there.
    key: Option<usize>,
    found: Option<PyVersion>,
    /// For `cross_shard`, the shards' ids with the places of their keys.
    shards: Vec<(u32, Vec<usize>)>,
}

printed!(TransactionOutcome);

impl From<ringshift::TransactionOutcome> for TransactionOutcome {
    fn from(outcome: ringshift::TransactionOutcome) -> Self {
        use ringshift::{TransactionError, TransactionOutcome as Core};
        let mut said = Self {
            code: outcome.code().map(ErrorCode::as_str),
            message: String::new(),
            versions: Vec::new(),
            lagging: false,
            key: None,
            found: None,
            shards: Vec::new(),
        };
        match outcome {
            Core::Done { versions, lagging } => {
                said.versions = versions.into_iter().map(|given| given.map(PyVersion)).collect();
                said.lagging = lagging;
            }
            Core::RolledBack => {}
            Core::Failed(error) => {
                said.message = error.to_string();
                match error {
                    TransactionError::Conflict { key, found } => {
                        (said.key, said.found) = (Some(key), found.map(PyVersion));
                    }
                    TransactionError::Pin(error) => said.shards = shards_of(error),
                    _ => {}
                }
            }
        }
        said
    }
}

fn shards_of(error: PinError) -> Vec<(u32, Vec<usize>)> {
    let PinError::CrossShard { shards } = error else { return Vec::new() };
    shards.into_iter().map(|(shard, keys)| (shard.0, keys)).collect()
}

/// What the driver is to do next.
#[pyclass(frozen, module = "ringshift")]
pub(crate) enum TransactionStep {
    Send { batch: Py<Batch> },
    Work { found_by: u32 },
    Refresh { newer_than: u32 },
    Wait { until: Option<u64> },
    Done { outcome: Py<TransactionOutcome> },
}

/// A transaction, as a machine: `poll`, and tell it what came of that.
#[pyclass(frozen, module = "ringshift")]
pub(crate) struct Transaction(Mutex<ringshift::Transaction>);

#[pymethods]
impl Transaction {
    /// One over these keys, or how it ends before it begins. `again`: whether the caller's work can
    /// be done once more.
    #[staticmethod]
    #[pyo3(signature = (keyspace, keys, policy, again, now))]
    fn begin(
        keyspace: Arg<Bound<'_, Keyspace>>,
        keys: Arg<Vec<Bound<'_, PyAny>>>,
        policy: GivenPolicy<'_>,
        again: Arg<bool>,
        now: Arg<u64>,
    ) -> Result<(Option<Self>, Option<TransactionOutcome>), Error> {
        let pinned = match keyspace.0.get().pin(&keys.0)? {
            Ok(pinned) => pinned,
            Err(error) => {
                let failed = ringshift::TransactionOutcome::Failed(error.into());
                return Ok((None, Some(failed.into())));
            }
        };
        let now = Instant::from_millis(now.0);
        let machine = ringshift::Transaction::new(pinned, policy_of(&policy), again.0, now);
        Ok((Some(Self(machine.into())), None))
    }

    /// What to do next.
    fn poll(&self, py: Python<'_>) -> Result<TransactionStep, Error> {
        use ringshift::TransactionStep as Core;
        Ok(match locked(&self.0).poll() {
            Core::Send(batch) => TransactionStep::Send { batch: Py::new(py, Batch(batch))? },
            Core::Work { found_by } => TransactionStep::Work { found_by: found_by.0 },
            Core::Refresh { newer_than } => {
                TransactionStep::Refresh { newer_than: newer_than.get() }
            }
            Core::Wait { until } => TransactionStep::Wait { until: moment(until) },
            Core::Done(outcome) => {
                TransactionStep::Done { outcome: Py::new(py, TransactionOutcome::from(outcome))? }
            }
        })
    }

    /// What the work did with each key: whether it has read it, and whether it writes it.
    fn commit(&self, now: Arg<u64>, uses: Arg<Vec<(bool, bool)>>) {
        let uses = uses.0.into_iter().map(|(read, write)| Use { read, write });
        locked(&self.0).commit(Instant::from_millis(now.0), uses.collect());
    }

    /// Nothing is to be changed.
    fn roll_back(&self) {
        locked(&self.0).roll_back();
    }

    /// What a shard answered to batch `id`. Raises for one that isn't waited for.
    fn handle_reply(&self, now: Arg<u64>, id: Arg<u32>, reply: BatchReply) -> Result<(), Error> {
        let (now, id) = (Instant::from_millis(now.0), AttemptId(id.0));
        Ok(locked(&self.0).handle_reply(now, id, reply.0)?)
    }

    /// Pins the keys by the keyspace's router as it is now.
    fn handle_snapshot(
        &self,
        now: Arg<u64>,
        keyspace: Arg<Bound<'_, Keyspace>>,
        keys: Arg<Vec<Bound<'_, PyAny>>>,
    ) -> Result<(), Error> {
        let pinned = keyspace.0.get().pin(&keys.0)?;
        locked(&self.0).handle_snapshot(Instant::from_millis(now.0), pinned);
        Ok(())
    }

    /// Time has passed.
    fn handle_timeout(&self, now: Arg<u64>) {
        locked(&self.0).handle_timeout(Instant::from_millis(now.0));
    }
}

type Contents = Arg<Vec<Option<Arg<Given>>>>;

fn contents_of<'g>(batch: &Batch, given: &'g Contents) -> Result<Vec<Content<'g>>, Error> {
    if given.0.len() != batch.0.parts.len() {
        return Err(argument(format_args!("give what goes with each part of the batch")));
    }
    given.0.iter().map(|content| content_of(content.as_ref())).collect()
}

/// Decides about a batch, by the columns of `LOOK_WRITE` for each part: a decision for each, all of
/// them to be carried out; or the reply, with nothing changed.
#[pyfunction]
pub(crate) fn decide_batch(
    batch: Arg<Bound<'_, Batch>>,
    contents: Contents,
    looks: Arg<Vec<Vec<Bound<'_, PyAny>>>>,
) -> Result<(Option<Vec<Decision>>, Option<BatchReply>), Error> {
    let batch = batch.0.get();
    let contents = contents_of(batch, &contents)?;
    let mut parts = Vec::with_capacity(contents.len());
    for ((part, content), look) in batch.0.parts.iter().zip(contents).zip(&looks.0) {
        let number = |at: usize| look.get(at).and_then(|column| column.extract().ok());
        let op = look.get(LOOK_OP).and_then(|op| op.extract::<Option<&[u8]>>().ok()).flatten();
        let look = Look::of_columns(part.attempt.fence.domain, number, op)?;
        parts.push(BatchPart { part, look, content });
    }
    Ok(match ringshift::store::decide_batch(&parts) {
        Ok(decisions) => {
            let decisions = decisions.iter().zip(&parts);
            let said = decisions.map(|(decision, part)| decision_out(decision, &part.look));
            (Some(said.collect()), None)
        }
        Err(reply) => (None, Some(BatchReply(reply))),
    })
}

type Found<'py> = Option<(Option<Bound<'py, PyBytes>>, Bound<'py, PyBytes>)>;

/// Carries a batch out at a shard in memory: the reply, and the row that goes with each part, as
/// (value, op).
#[pyfunction]
pub(crate) fn memory_batch<'py>(
    py: Python<'py>,
    shard: Arg<Bound<'py, MemoryShard>>,
    batch: Arg<Bound<'py, Batch>>,
    keys: Arg<Vec<Vec<u8>>>,
    contents: Contents,
) -> Result<(BatchReply, Vec<Found<'py>>), Error> {
    let batch = batch.0.get();
    let contents = contents_of(batch, &contents)?;
    let keys = keys.0.iter().map(Vec::as_slice);
    let requests = keys.zip(contents).collect::<Vec<_>>();
    let response = locked(&shard.0.get().0).batch(&batch.0, &requests);
    let found = response.found.into_iter().map(|found| {
        found.map(|found| {
            let value = found.value.map(|value| PyBytes::new(py, &value));
            (value, PyBytes::new(py, &found.op))
        })
    });
    Ok((BatchReply(response.reply), found.collect()))
}
