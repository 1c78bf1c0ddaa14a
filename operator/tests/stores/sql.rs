//! A store whose commands are the core's own, over a connection: what other languages have.

use std::path::Path;
use std::sync::Mutex;

use ringshift::migration::command::{Answer, Command};
use ringshift::recipes::sqlite as recipe;
use ringshift::store::sql::{self, EachRow, Sql, SqlFault, SqlValue};
use ringshift::{Attempt, Batch};
use ringshift_operator::store::{BatchResponse, Chunks, Content, Response, SqliteStore, Store};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql, params_from_iter};

/// Requests go to one connection, commands to another.
pub(crate) struct SqlStore {
    requests: SqliteStore,
    commands: Mutex<Connection>,
    fault: Mutex<Option<String>>,
}

impl SqlStore {
    pub(crate) fn open(path: &Path) -> Self {
        let requests = SqliteStore::open(path).unwrap();
        let commands = Connection::open(path).unwrap();
        commands.execute_batch(recipe::SETTINGS).unwrap();
        Self {
            requests,
            commands: Mutex::new(commands),
            fault: Mutex::default(),
        }
    }
}

pub(crate) struct Open<'c>(pub(crate) &'c Connection);

impl Sql for Open<'_> {
    type Error = rusqlite::Error;

    fn run(
        &mut self,
        text: &'static str,
        parameters: &[SqlValue<'_>],
        each: &mut EachRow<'_>,
    ) -> Result<(), SqlFault<rusqlite::Error>> {
        let database = SqlFault::Database;
        if text.starts_with("PRAGMA") {
            return self.0.execute_batch(text).map_err(database);
        }
        let mut statement = self.0.prepare_cached(text).map_err(database)?;
        let columns = statement.column_count();
        let given = params_from_iter(parameters.iter().map(Given));
        let mut found = statement.query(given).map_err(database)?;
        while let Some(row) = found.next().map_err(database)? {
            let row = (0..columns).map(|at| match row.get_ref(at).unwrap() {
                ValueRef::Null => SqlValue::Null,
                ValueRef::Integer(number) => SqlValue::Integer(number),
                ValueRef::Blob(bytes) => SqlValue::Blob(bytes),
                ValueRef::Text(bytes) => SqlValue::Text(bytes),
                ValueRef::Real(_) => panic!("no column is a float"),
            });
            each(&row.collect::<Vec<_>>())?;
        }
        Ok(())
    }
}

struct Given<'v>(&'v SqlValue<'v>);

impl ToSql for Given<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            SqlValue::Null => ValueRef::Null,
            SqlValue::Integer(number) => ValueRef::Integer(*number),
            SqlValue::Blob(bytes) | SqlValue::Text(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl Store for SqlStore {
    fn attempt(&self, attempt: &Attempt, key: &[u8], content: Content<'_>) -> Response {
        self.requests.attempt(attempt, key, content)
    }

    fn batch(&self, batch: &Batch, requests: &[(&[u8], Content<'_>)]) -> BatchResponse {
        self.requests.batch(batch, requests)
    }

    fn command(&self, command: &Command, chunks: &Chunks) -> Answer {
        let connection = self.commands.lock().unwrap();
        let answer = sql::command(&mut Open(&connection), command, &mut &*chunks);
        answer.unwrap_or_else(|fault| {
            *self.fault.lock().unwrap() = Some(fault.to_string());
            Answer::Unreachable
        })
    }

    fn last_error(&self) -> Option<String> {
        let fault = self.fault.lock().unwrap().clone();
        fault.or_else(|| self.requests.last_error())
    }
}
