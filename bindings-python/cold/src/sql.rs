//! A coordinator's commands on a shard in SQLite: the core says which statement runs next, Python
//! has the connection.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt};
use ringshift::ErrorCode;
use ringshift::store::sql::{self, Sql, SqlFault, SqlRows, SqlValue};

use crate::convert::{Arg, data, data_from, locked};
use crate::error::Error;
use crate::store::Chunks;

/// Python's `run(text, parameters)`, which answers rows.
struct Run<'py>(Bound<'py, PyAny>);

impl Sql for Run<'_> {
    type Error = PyErr;

    fn run(&mut self, text: &'static str, parameters: &[SqlValue]) -> PyResult<SqlRows> {
        let py = self.0.py();
        let parameter = |value: &SqlValue| match value {
            SqlValue::Null => py.None().into_bound(py),
            SqlValue::Integer(number) => PyInt::new(py, *number).into_any(),
            SqlValue::Blob(bytes) => PyBytes::new(py, bytes).into_any(),
        };
        let parameters: Vec<_> = parameters.iter().map(parameter).collect();
        let rows: Vec<Vec<Bound<'_, PyAny>>> = self.0.call1((text, parameters))?.extract()?;
        let row = |row: Vec<Bound<'_, PyAny>>| row.iter().map(column).collect();
        rows.into_iter().map(row).collect()
    }
}

fn column(value: &Bound<'_, PyAny>) -> PyResult<SqlValue> {
    if value.is_none() {
        return Ok(SqlValue::Null);
    }
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(SqlValue::Blob(bytes.as_bytes().to_vec()));
    }
    value.extract().map(SqlValue::Integer)
}

/// Carries out a coordinator's command on a shard's database. `run` is given a statement and its
/// parameters, and answers its rows; nobody else uses the connection meanwhile.
#[pyfunction]
pub(crate) fn sqlite_command<'py>(
    run: Bound<'py, PyAny>,
    command: &Bound<'py, PyAny>,
    chunks: Arg<Bound<'py, Chunks>>,
) -> Result<Bound<'py, PyAny>, Error> {
    let (py, command) = (command.py(), data_from(command, ErrorCode::Argument)?);
    // The rows are shared, not copied; the lock isn't held while Python runs.
    let mut held = locked(&chunks.0.get().0).clone();
    let answer = match sql::command(&mut Run(run), &command, &mut held) {
        Ok(answer) => answer,
        Err(SqlFault::Database(error)) => return Err(Error::Python(error)),
        Err(SqlFault::Damaged(damaged)) => return Err(damaged.into()),
        Err(SqlFault::Misdirected(text)) => {
            return Err(Error::Ours(ErrorCode::Argument, text.to_owned()));
        }
    };
    *locked(&chunks.0.get().0) = held;
    data(py, &answer)
}
