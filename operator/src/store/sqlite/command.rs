//! A coordinator's commands: the core's, over the connection that each transaction is for.

use parking_lot::MutexGuard;
use ringshift::store::Damaged;
use ringshift::store::sql::{Database, EachRow, Sql, SqlFault, SqlValue, Turn};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql, params_from_iter};

use crate::store::error::StoreError;
use crate::store::sqlite::{SqliteStore, lane};

/// The store's connections, each behind its own lock.
pub(super) struct Connections<'s>(pub(super) &'s SqliteStore);

impl Database for Connections<'_> {
    type Error = StoreError;

    fn turn(&mut self, turn: Turn) -> impl Sql<Error = StoreError> {
        let store = self.0;
        match turn {
            Turn::Look => Lent::Control(store.control.lock()),
            Turn::Office => Lent::Writer(store.writer.urgent()),
            Turn::Rows => Lent::Writer(store.writer.ordinary()),
        }
    }

    fn changed(&mut self, rows: u64) {
        self.0.checkpointer.count(rows);
    }
}

/// A connection, until it is dropped.
enum Lent<'s> {
    Control(MutexGuard<'s, Connection>),
    Writer(lane::Turn<'s, Connection>),
}

impl Sql for Lent<'_> {
    type Error = StoreError;

    fn run(
        &mut self,
        text: &'static str,
        parameters: &[SqlValue<'_>],
        each: &mut EachRow<'_>,
    ) -> Result<(), SqlFault<StoreError>> {
        let connection: &Connection = match self {
            Self::Control(connection) => connection,
            Self::Writer(connection) => connection,
        };
        run(connection, text, parameters, each)
    }
}

fn run(
    connection: &Connection,
    text: &str,
    parameters: &[SqlValue<'_>],
    each: &mut EachRow<'_>,
) -> Result<(), SqlFault<StoreError>> {
    if text.starts_with("PRAGMA") {
        // It acts when it is compiled, so it can't be kept compiled.
        return connection.execute_batch(text).map_err(fault);
    }
    let mut statement = connection.prepare_cached(text).map_err(fault)?;
    let columns = statement.column_count();
    let parameters = params_from_iter(parameters.iter().map(Parameter));
    let mut found = statement.query(parameters).map_err(fault)?;
    while let Some(next) = found.next().map_err(fault)? {
        let row: Result<Vec<_>, _> = (0..columns).map(|at| column(next.get_ref(at))).collect();
        each(&row?)?;
    }
    Ok(())
}

fn column(value: rusqlite::Result<ValueRef<'_>>) -> Result<SqlValue<'_>, SqlFault<StoreError>> {
    match value.map_err(fault)? {
        ValueRef::Null => Ok(SqlValue::Null),
        ValueRef::Integer(number) => Ok(SqlValue::Integer(number)),
        ValueRef::Blob(bytes) => Ok(SqlValue::Blob(bytes)),
        ValueRef::Text(bytes) => Ok(SqlValue::Text(bytes)),
        ValueRef::Real(_) => Err(Damaged("a column").into()),
    }
}

fn fault(error: rusqlite::Error) -> SqlFault<StoreError> {
    SqlFault::Database(error.into())
}

struct Parameter<'p>(&'p SqlValue<'p>);

impl ToSql for Parameter<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            SqlValue::Null => ValueRef::Null,
            SqlValue::Integer(number) => ValueRef::Integer(*number),
            SqlValue::Blob(bytes) => ValueRef::Blob(bytes),
            SqlValue::Text(bytes) => ValueRef::Text(bytes),
        }))
    }
}
