//! One read or write, step by step.

use std::sync::Mutex;

use pyo3::prelude::*;
use ringshift::{AttemptId, Compared, ErrorCode, Instant, MismatchKind};
use ringshift_python_routing::Keyspace;

use crate::convert::{Arg, locked, moment};
use crate::error::Error;
use crate::step::{Attempt, Reply, ShadowStep, Step};

/// How long and how often an operation tries.
#[pyclass(frozen, eq, hash, module = "ringshift")]
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Policy(ringshift::Policy);

#[pymethods]
impl Policy {
    #[new]
    #[pyo3(signature = (*, deadline_ms=None, attempt_ms=None, attempts_max=None, confirm=None, seed=None))]
    fn new(
        deadline_ms: Option<Arg<u32>>,
        attempt_ms: Option<Arg<u32>>,
        attempts_max: Option<Arg<u16>>,
        confirm: Option<Arg<bool>>,
        seed: Option<Arg<u64>>,
    ) -> Self {
        let usual = ringshift::Policy::default();
        Self(ringshift::Policy {
            deadline_ms: deadline_ms.map_or(usual.deadline_ms, |given| given.0),
            attempt_ms: attempt_ms.map_or(usual.attempt_ms, |given| given.0),
            attempts_max: attempts_max.map_or(usual.attempts_max, |given| given.0),
            confirm: confirm.map_or(usual.confirm, |given| given.0),
            seed: seed.map_or(usual.seed, |given| given.0),
        })
    }

    /// The budget of the whole operation, in milliseconds.
    #[getter]
    fn deadline_ms(&self) -> u32 {
        self.0.deadline_ms
    }

    /// After how long without an answer one attempt counts as lost; 0: never.
    #[getter]
    fn attempt_ms(&self) -> u32 {
        self.0.attempt_ms
    }

    /// Attempts at most.
    #[getter]
    fn attempts_max(&self) -> u16 {
        self.0.attempts_max
    }

    /// Whether to ask, after a write without an answer, if it was carried out.
    #[getter]
    fn confirm(&self) -> bool {
        self.0.confirm
    }

    /// Spreads waits: another number for each operation.
    #[getter]
    fn seed(&self) -> u64 {
        self.0.seed
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.0)
    }
}

pub(crate) type GivenPolicy<'py> = Option<Arg<Bound<'py, Policy>>>;

pub(crate) fn policy_of(given: &GivenPolicy<'_>) -> ringshift::Policy {
    given.as_ref().map_or_else(ringshift::Policy::default, |given| given.0.get().0)
}

/// A read or a write of one key, as a machine: `poll`, and tell it what came of that.
#[pyclass(frozen, module = "ringshift")]
pub(crate) struct Operation(Mutex<ringshift::Operation>);

impl Operation {
    fn begin(
        kind: fn(ringshift::Plan, ringshift::Policy, Instant) -> ringshift::Operation,
        keyspace: &Bound<'_, Keyspace>,
        key: &Bound<'_, PyAny>,
        policy: &GivenPolicy<'_>,
        now: u64,
    ) -> Result<Self, Error> {
        // No lease is handed in here yet.
        let plan = keyspace.get().plan(key)?.fenced()?;
        Ok(Self(kind(plan, policy_of(policy), Instant::from_millis(now)).into()))
    }
}

#[pymethods]
impl Operation {
    /// A read of `key`, begun `now` (milliseconds of a clock that never goes back).
    #[staticmethod]
    #[pyo3(signature = (keyspace, key, policy, now))]
    fn read(
        keyspace: Arg<Bound<'_, Keyspace>>,
        key: &Bound<'_, PyAny>,
        policy: GivenPolicy<'_>,
        now: Arg<u64>,
    ) -> Result<Self, Error> {
        Self::begin(ringshift::Operation::read, &keyspace.0, key, &policy, now.0)
    }

    /// A write of it: put, delete or put-if; which, only the driver knows.
    #[staticmethod]
    #[pyo3(signature = (keyspace, key, policy, now))]
    fn write(
        keyspace: Arg<Bound<'_, Keyspace>>,
        key: &Bound<'_, PyAny>,
        policy: GivenPolicy<'_>,
        now: Arg<u64>,
    ) -> Result<Self, Error> {
        Self::begin(ringshift::Operation::write, &keyspace.0, key, &policy, now.0)
    }

    /// What to do next.
    fn poll(&self) -> Step {
        match locked(&self.0).poll() {
            ringshift::Step::Send(attempt) => Step::Send { attempt: Attempt(attempt) },
            ringshift::Step::Refresh { newer_than } => {
                Step::Refresh { newer_than: newer_than.get() }
            }
            ringshift::Step::Wait { until } => Step::Wait { until: moment(until) },
            ringshift::Step::Done(outcome) => Step::Done { outcome: outcome.into() },
        }
    }

    /// What a shard answered to attempt `id`. Raises for one that isn't waited for.
    fn handle_reply(&self, now: Arg<u64>, id: Arg<u32>, reply: Arg<Reply>) -> Result<(), Error> {
        let (now, id) = (Instant::from_millis(now.0), AttemptId(id.0));
        Ok(locked(&self.0).handle_reply(now, id, reply.0.into())?)
    }

    /// Plans the key by the keyspace's router as it is now.
    fn handle_snapshot(
        &self,
        now: Arg<u64>,
        keyspace: Arg<Bound<'_, Keyspace>>,
        key: &Bound<'_, PyAny>,
    ) -> Result<(), Error> {
        let plan = keyspace.0.get().plan(key)?;
        locked(&self.0).handle_snapshot(Instant::from_millis(now.0), plan);
        Ok(())
    }

    /// Time has passed.
    fn handle_timeout(&self, now: Arg<u64>) {
        locked(&self.0).handle_timeout(Instant::from_millis(now.0));
    }

    /// The comparison that this read asks for; `None` for a key that isn't sampled.
    fn shadow(&self, policy: GivenPolicy<'_>, now: Arg<u64>) -> Option<Shadow> {
        let operation = locked(&self.0);
        let now = Instant::from_millis(now.0);
        let shadow = ringshift::Shadow::of(operation.plan(), &policy_of(&policy), now)?;
        Some(Shadow(shadow.into()))
    }
}

/// Compares a sampled read on both sides of a wave, as a machine.
#[pyclass(frozen, module = "ringshift")]
pub(crate) struct Shadow(Mutex<ringshift::Shadow>);

#[pymethods]
impl Shadow {
    /// What to do next.
    fn poll(&self) -> ShadowStep {
        let compared = match locked(&self.0).poll() {
            ringshift::ShadowStep::Send(attempt) => {
                return ShadowStep::Send { attempt: Attempt(attempt) };
            }
            ringshift::ShadowStep::Wait { until } => {
                return ShadowStep::Wait { until: moment(until) };
            }
            ringshift::ShadowStep::Done(compared) => compared,
        };
        let compared = match compared {
            Compared::Same => "same",
            Compared::Mismatch(MismatchKind::Missing) => "missing",
            Compared::Mismatch(MismatchKind::Extra) => "extra",
            Compared::Mismatch(MismatchKind::Stale) => "stale",
            Compared::Mismatch(MismatchKind::Different) => "different",
            Compared::Unsure => "unsure",
        };
        ShadowStep::Done { compared: compared.to_owned() }
    }

    /// What a shard answered; `digest` is the `row_digest` of what it found.
    #[pyo3(signature = (now, id, reply, digest=None))]
    fn handle_reply(
        &self,
        now: Arg<u64>,
        id: Arg<u32>,
        reply: Arg<Reply>,
        digest: Option<Arg<u64>>,
    ) {
        let (now, digest) = (Instant::from_millis(now.0), digest.map(|digest| digest.0));
        locked(&self.0).handle_reply(now, AttemptId(id.0), reply.0.into(), digest);
    }

    /// Time has passed.
    fn handle_timeout(&self, now: Arg<u64>) {
        locked(&self.0).handle_timeout(Instant::from_millis(now.0));
    }
}

/// Every slug that an error can have.
#[pyfunction]
pub(crate) fn error_codes() -> Vec<&'static str> {
    ErrorCode::ALL.iter().map(|code| code.as_str()).collect()
}
