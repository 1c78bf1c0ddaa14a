//! A coordinator's commands on a shard in SQLite: the core says which statement runs next, Python
//! has the connection.

use std::sync::{Arc, Mutex};

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt, PyString};
use ringshift::migration::command::ChunkId;
use ringshift::store::StoredRow;
use ringshift::store::sql::{self, EachRow, HoldChunks, Sql, SqlFault, SqlValue};
use ringshift::{DomainId, ErrorCode};

use crate::convert::{Arg, data, data_from, locked};
use crate::error::Error;
use crate::store::Chunks;

/// Python's `run(text, parameters)`, which answers the rows one by one.
struct Run<'py>(Bound<'py, PyAny>);

impl Sql for Run<'_> {
    type Error = PyErr;

    fn run(
        &mut self,
        text: &'static str,
        parameters: &[SqlValue<'_>],
        each: &mut EachRow<'_>,
    ) -> Result<(), SqlFault<PyErr>> {
        let py = self.0.py();
        let parameter = |value: &SqlValue<'_>| match value {
            SqlValue::Null => py.None().into_bound(py),
            SqlValue::Integer(number) => PyInt::new(py, *number).into_any(),
            SqlValue::Blob(bytes) | SqlValue::Text(bytes) => PyBytes::new(py, bytes).into_any(),
        };
        let parameters: Vec<_> = parameters.iter().map(parameter).collect();
        let rows = self.0.call1((text, parameters));
        let rows = rows.and_then(|rows| rows.try_iter());
        for row in rows.map_err(SqlFault::Database)? {
            let row = row.and_then(|row| row.extract::<Vec<Bound<'_, PyAny>>>());
            let row = row.map_err(SqlFault::Database)?;
            let columns: PyResult<Vec<_>> = row.iter().map(column).collect();
            each(&columns.map_err(SqlFault::Database)?)?;
        }
        Ok(())
    }
}

fn column<'v>(value: &'v Bound<'_, PyAny>) -> PyResult<SqlValue<'v>> {
    if value.is_none() {
        return Ok(SqlValue::Null);
    }
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(SqlValue::Blob(bytes.as_bytes()));
    }
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(SqlValue::Text(text.to_str()?.as_bytes()));
    }
    value.extract().map(SqlValue::Integer)
}

/// The chunks, locked only while rows are put and got: not while Python runs.
struct Shared<'c>(&'c Mutex<ringshift::store::Chunks>);

impl HoldChunks for Shared<'_> {
    fn put(&mut self, chunk: ChunkId, domain: DomainId, rows: Vec<StoredRow>) {
        locked(self.0).put(chunk, domain, rows);
    }

    fn get(&self, chunk: ChunkId) -> Option<Arc<[StoredRow]>> {
        locked(self.0).get(chunk)
    }
}

/// Carries out a coordinator's command on a shard's database. `run` is given a statement and its
/// parameters, and answers an iterable of its rows; nobody else uses the connection meanwhile.
#[pyfunction]
pub(crate) fn sqlite_command<'py>(
    run: Bound<'py, PyAny>,
    command: &Bound<'py, PyAny>,
    chunks: Arg<Bound<'py, Chunks>>,
) -> Result<Bound<'py, PyAny>, Error> {
    let (py, command) = (command.py(), data_from(command, ErrorCode::Argument)?);
    let mut chunks = Shared(&chunks.0.get().0);
    match sql::command(&mut Run(run), &command, &mut chunks) {
        Ok(answer) => data(py, &answer),
        Err(SqlFault::Database(error)) => Err(Error::Python(error)),
        Err(SqlFault::Damaged(damaged)) => Err(damaged.into()),
        Err(SqlFault::Misdirected(text)) => Err(Error::Ours(ErrorCode::Argument, text.to_owned())),
    }
}
