//! Errors on their way to Python: a slug and a message, made into the class that Python's table
//! has for the slug.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use ringshift::ErrorCode;

/// What a call here can end in.
pub enum Error {
    /// An error of Ringshift's.
    Ours(ErrorCode, String),
    /// One of Python's, or of the caller's own.
    Python(PyErr),
}

impl From<PyErr> for Error {
    fn from(error: PyErr) -> Self {
        Self::Python(error)
    }
}

macro_rules! from_core {
    ($($error:ty),* $(,)?) => {
        $(impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::Ours(error.code(), error.to_string())
            }
        })*
    };
}

from_core!(
    ringshift::KeyError,
    ringshift::TopologyError,
    ringshift::SnapshotError,
    ringshift::UnknownKeyspace,
    ringshift::UnknownAttempt,
    ringshift::Unleased,
    ringshift::migration::PlanError,
    ringshift::record::RecordError,
    ringshift::store::Damaged,
);

/// An argument of another type or range than the call takes.
pub fn argument(what: impl std::fmt::Display) -> Error {
    Error::Ours(ErrorCode::Argument, what.to_string())
}

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        static RAISE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let (code, message) = match error {
            Error::Python(error) => return error,
            Error::Ours(code, message) => (code, message),
        };
        Python::attach(|py| {
            let table = RAISE.import(py, "ringshift.errors", "error_of");
            match table.and_then(|of| of.call1((code.as_str(), message))) {
                Ok(value) => PyErr::from_value(value),
                Err(error) => error,
            }
        })
    }
}
