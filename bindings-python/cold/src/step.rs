//! The vocabulary between an operation and its driver: data only.

use pyo3::prelude::*;
use pyo3::types::PyString;
use ringshift::Refusal as Core;
use ringshift::{AttemptKind, Epoch, Failure, OperationError, Term};

use crate::convert::{Arg, PyVersion};
use crate::error::{Error, argument};

macro_rules! printed {
    ($($class:ty),*) => {$(
        #[pymethods]
        impl $class {
            fn __repr__(&self) -> String {
                format!("{self:?}")
            }
        }
    )*};
}

pub(crate) use printed;

printed!(Step, Reply, Outcome, ShadowStep);

/// One request to one shard.
#[pyclass(frozen, eq, hash, from_py_object, module = "ringshift")]
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Attempt(pub(crate) ringshift::Attempt);

macro_rules! attempt {
    ($attempt:ident: $($(#[$doc:meta])* $name:ident: $type:ty = $value:expr;)*) => {
        #[pymethods]
        impl Attempt {
            $($(#[$doc])* #[getter]
            fn $name(&self) -> $type {
                let $attempt = &self.0;
                $value
            })*

            fn __repr__(&self) -> String {
                let mut text = String::from("Attempt(");
                $(text += &format!("{}={:?}, ", stringify!($name), self.$name());)*
                text.trim_end_matches(", ").to_owned() + ")"
            }
        }
    };
}

attempt! { attempt:
    /// Names the request, and the reply to the operation.
    id: u32 = attempt.id.0;
    /// The shard's id.
    shard: u32 = attempt.shard.0;
    /// The keyspace's id.
    keyspace: u16 = attempt.keyspace.0;
    slot: u32 = attempt.slot.0;
    /// What the store keeps with the row.
    stored_slot: u32 = attempt.stored_slot;
    /// The domain that the shard's guard checks.
    domain: u32 = attempt.fence.domain.0;
    /// Its epoch.
    epoch: u32 = attempt.fence.epoch.get();
    /// `"read"`, `"write"`, `"confirm"` or `"apply"`.
    kind: &'static str = match attempt.kind {
        AttemptKind::Read => "read",
        AttemptKind::Write => "write",
        AttemptKind::Confirm => "confirm",
        AttemptKind::Apply { .. } => "apply",
    };
    /// For an apply, the version to put.
    version: Option<PyVersion> = match attempt.kind {
        AttemptKind::Apply { version, .. } => Some(PyVersion(version)),
        AttemptKind::Read | AttemptKind::Write | AttemptKind::Confirm => None,
    };
    /// For an apply, the attempt whose reply brought the row; `None`: the caller's own write.
    found_by: Option<u32> = attempt.found_by().map(|id| id.0);
    /// Whether the operation waits for the reply.
    blocking: bool = attempt.blocking;
}

/// Why a shard's guard refused.
#[pyclass(frozen, eq, hash, from_py_object, module = "ringshift")]
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Refusal(pub(crate) ringshift::Refusal);

#[pymethods]
impl Refusal {
    #[new]
    #[pyo3(signature = (code, *, current=None, drained=None, seen=None))]
    fn new(
        code: Arg<String>,
        current: Option<Arg<u32>>,
        drained: Option<Arg<u32>>,
        seen: Option<Arg<u32>>,
    ) -> Result<Self, Error> {
        let epoch = |given: Option<Arg<u32>>| {
            let epoch = given.and_then(|given| Epoch::new(given.0));
            epoch.ok_or_else(|| argument(format_args!("refusal `{}` needs its epochs", code.0)))
        };
        Ok(Self(match code.0.as_str() {
            "stale_epoch" => {
                Core::StaleEpoch { current: epoch(current)?, drained: epoch(drained)? }
            }
            "not_ready" => Core::NotReady { current: epoch(current)? },
            "not_owner" => Core::NotOwner,
            "wrong_role" => Core::WrongRole { current: epoch(current)? },
            "lease_over" => Core::LeaseOver { current: epoch(current)? },
            "stale_term" => Core::StaleTerm { seen: Term(seen.map_or(0, |seen| seen.0)) },
            other => return Err(argument(format_args!("there is no refusal `{other}`"))),
        }))
    }

    /// The slug.
    #[getter]
    fn code(&self) -> &'static str {
        self.0.code().as_str()
    }

    /// The shard's epoch of the domain.
    #[getter]
    fn current(&self) -> Option<u32> {
        match self.0 {
            Core::StaleEpoch { current, .. }
            | Core::NotReady { current }
            | Core::WrongRole { current }
            | Core::LeaseOver { current } => Some(current.get()),
            Core::NotOwner | Core::StaleTerm { .. } => None,
        }
    }

    /// For `stale_epoch`, the epoch that the last draining barrier led to.
    #[getter]
    fn drained(&self) -> Option<u32> {
        if let Core::StaleEpoch { drained, .. } = self.0 { Some(drained.get()) } else { None }
    }

    /// For `stale_term`, the highest term seen.
    #[getter]
    fn seen(&self) -> Option<u32> {
        if let Core::StaleTerm { seen } = self.0 { Some(seen.0) } else { None }
    }

    fn __repr__(&self) -> String {
        format!("<ringshift.Refusal {}: {}>", self.code(), self.0)
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }
}

impl std::fmt::Debug for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.__repr__())
    }
}

const FAILURES: [(&str, Failure); 3] = [
    ("not_sent", Failure::NotSent),
    ("maybe_applied", Failure::MaybeApplied),
    ("rejected", Failure::Rejected),
];

/// How a request failed: Python's text for it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct PyFailure(pub(crate) Failure);

impl<'py> FromPyObject<'_, 'py> for PyFailure {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let Arg(name) = given.extract::<Arg<String>>()?;
        let known = FAILURES.into_iter().find(|(known, _)| *known == name);
        let known = known.ok_or_else(|| argument(format_args!("there is no failure `{name}`")))?;
        Ok(Self(known.1))
    }
}

impl<'py> IntoPyObject<'py> for PyFailure {
    type Target = PyString;
    type Output = Bound<'py, PyString>;
    type Error = std::convert::Infallible;

    fn into_pyobject(self, py: Python<'py>) -> Result<Self::Output, Self::Error> {
        let known = FAILURES.into_iter().find(|(_, failure)| *failure == self.0);
        known.map_or("", |(name, _)| name).into_pyobject(py)
    }
}

/// What came back from a shard.
#[pyclass(frozen, eq, hash, from_py_object, module = "ringshift")]
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Reply {
    Found { version: PyVersion },
    Deleted { version: PyVersion },
    Missing {},
    Written { version: PyVersion },
    Superseded {},
    Conflict { found: Option<PyVersion> },
    Refused { refusal: Refusal },
    Failed { failure: PyFailure },
}

impl From<Reply> for ringshift::Reply {
    fn from(reply: Reply) -> Self {
        match reply {
            Reply::Found { version } => Self::Found { version: version.0 },
            Reply::Deleted { version } => Self::Deleted { version: version.0 },
            Reply::Missing {} => Self::Missing,
            Reply::Written { version } => Self::Written { version: version.0 },
            Reply::Superseded {} => Self::Superseded,
            Reply::Conflict { found } => Self::Conflict { found: found.map(|found| found.0) },
            Reply::Refused { refusal } => Self::Refused(refusal.0),
            Reply::Failed { failure } => Self::Failed(failure.0),
        }
    }
}

impl From<ringshift::Reply> for Reply {
    fn from(reply: ringshift::Reply) -> Self {
        use ringshift::Reply as Core;
        match reply {
            Core::Found { version } => Self::Found { version: PyVersion(version) },
            Core::Deleted { version } => Self::Deleted { version: PyVersion(version) },
            Core::Missing => Self::Missing {},
            Core::Written { version } => Self::Written { version: PyVersion(version) },
            Core::Superseded => Self::Superseded {},
            Core::Conflict { found } => Self::Conflict { found: found.map(PyVersion) },
            Core::Refused(refusal) => Self::Refused { refusal: Refusal(refusal) },
            Core::Failed(failure) => Self::Failed { failure: PyFailure(failure) },
        }
    }
}

/// How an operation ended.
#[pyclass(frozen, eq, hash, from_py_object, module = "ringshift")]
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Outcome {
    Value {
        from_: u32,
        version: PyVersion,
    },
    Missing {},
    Written {
        version: PyVersion,
        lagging: Option<u32>,
    },
    Conflict {
        found: Option<PyVersion>,
    },
    Failed {
        code: String,
        message: String,
        version: Option<PyVersion>,
        last: Option<Refusal>,
        shard: Option<u32>,
        current: Option<u32>,
    },
}

impl From<ringshift::Outcome> for Outcome {
    fn from(outcome: ringshift::Outcome) -> Self {
        use ringshift::Outcome as Core;
        let error = match outcome {
            Core::Value { from, version } => {
                return Self::Value { from_: from.0, version: PyVersion(version) };
            }
            Core::Missing => return Self::Missing {},
            Core::Written { version, lagging } => {
                let lagging = lagging.map(|shard| shard.0);
                return Self::Written { version: PyVersion(version), lagging };
            }
            Core::Conflict { found } => {
                return Self::Conflict { found: found.map(PyVersion) };
            }
            Core::Failed(error) => error,
        };
        let (mut known, mut refusal, mut role) = (None, None, None);
        match error {
            OperationError::Indeterminate { version } => known = version,
            OperationError::Deadline { last } => refusal = last,
            OperationError::WrongRole { shard, current } => role = Some((shard.0, current.get())),
            _ => {}
        }
        Self::Failed {
            code: error.code().as_str().to_owned(),
            message: error.to_string(),
            version: known.map(PyVersion),
            last: refusal.map(Refusal),
            shard: role.map(|role| role.0),
            current: role.map(|role| role.1),
        }
    }
}

/// What the driver is to do next.
#[pyclass(frozen, eq, hash, module = "ringshift")]
#[derive(PartialEq, Eq, Hash, Debug)]
pub(crate) enum Step {
    Send { attempt: Attempt },
    Refresh { newer_than: u32 },
    Wait { until: Option<u64> },
    Done { outcome: Outcome },
}

impl std::fmt::Debug for Attempt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.__repr__())
    }
}

/// What a comparison wants next.
#[pyclass(frozen, eq, hash, module = "ringshift")]
#[derive(PartialEq, Eq, Hash, Debug)]
pub(crate) enum ShadowStep {
    Send {
        attempt: Attempt,
    },
    Wait {
        until: Option<u64>,
    },
    /// `"same"`, `"missing"`, `"extra"`, `"stale"`, `"different"` or `"unsure"`.
    Done {
        compared: String,
    },
}
