//! A coordinator's commands on a shard in SQLite: the core says which statement runs next,
//! JavaScript has the connection.

use js_sys::{Array, BigInt, Function, Uint8Array, try_iter};
use ringshift::store::sql::{self, EachRow, Sql, SqlFault, SqlValue};
use wasm_bindgen::prelude::*;

use crate::convert::{plain, read};
use crate::error::Fault;
use crate::migration::Chunks;

/// JavaScript's `run(text, parameters)`, which answers the rows one by one.
struct Run<'a>(&'a Function);

impl Sql for Run<'_> {
    type Error = JsValue;

    fn run(
        &mut self,
        text: &'static str,
        parameters: &[SqlValue<'_>],
        each: &mut EachRow<'_>,
    ) -> Result<(), SqlFault<JsValue>> {
        let parameters: Array = parameters.iter().map(parameter).collect();
        let answer = self
            .0
            .call2(&JsValue::UNDEFINED, &JsValue::from_str(text), &parameters)
            .map_err(SqlFault::Database)?;
        let rows = try_iter(&answer).map_err(SqlFault::Database)?;
        let rows = rows.ok_or_else(|| wrong("rows are an iterable of arrays"))?;
        // To its end also behind a fault: a statement in the middle of its rows would hold up the
        // transaction's end.
        let mut done = Ok(());
        for row in rows {
            let row = row.map_err(SqlFault::Database)?;
            if done.is_ok() {
                done = hand_on(row, each);
            }
        }
        done
    }
}

fn parameter(value: &SqlValue<'_>) -> JsValue {
    match value {
        SqlValue::Null => JsValue::NULL,
        SqlValue::Integer(number) => JsValue::from(*number),
        SqlValue::Blob(bytes) | SqlValue::Text(bytes) => Uint8Array::from(*bytes).into(),
    }
}

fn hand_on(row: JsValue, each: &mut EachRow<'_>) -> Result<(), SqlFault<JsValue>> {
    let row = row.dyn_into::<Array>().map_err(SqlFault::Database)?;
    let columns: Vec<Column> = row.iter().map(Column::of).collect::<Result<_, _>>()?;
    let columns: Vec<SqlValue<'_>> = columns.iter().map(Column::lent).collect();
    Ok(each(&columns)?)
}

/// A column on this side of the border.
enum Column {
    Null,
    Integer(i64),
    Blob(Vec<u8>),
    Text(String),
}

impl Column {
    fn of(value: JsValue) -> Result<Self, SqlFault<JsValue>> {
        if value.is_null() {
            return Ok(Self::Null);
        }
        if let Some(bytes) = value.dyn_ref::<Uint8Array>() {
            return Ok(Self::Blob(bytes.to_vec()));
        }
        if let Some(text) = value.as_string() {
            return Ok(Self::Text(text));
        }
        let number = value.dyn_into::<BigInt>().ok();
        let number = number.and_then(|number| i64::try_from(number).ok());
        let expected = "a column is a bigint of 64 bits, bytes, text or null";
        number.map(Self::Integer).ok_or_else(|| wrong(expected))
    }

    fn lent(&self) -> SqlValue<'_> {
        match self {
            Self::Null => SqlValue::Null,
            Self::Integer(number) => SqlValue::Integer(*number),
            Self::Blob(bytes) => SqlValue::Blob(bytes),
            Self::Text(text) => SqlValue::Text(text.as_bytes()),
        }
    }
}

fn wrong(text: &str) -> SqlFault<JsValue> {
    SqlFault::Database(Fault::argument(text).into())
}

/// Carries out a coordinator's command on a shard's database. `run` is given a statement and its
/// parameters, and answers an iterable of its rows; nobody else uses the connection meanwhile.
#[wasm_bindgen(js_name = sqliteCommand)]
pub fn sqlite_command(
    run: &Function,
    command: JsValue,
    chunks: &mut Chunks,
) -> Result<JsValue, JsValue> {
    let command = read(command)?;
    match sql::command(&mut Run(run), &command, &mut chunks.0) {
        Ok(answer) => Ok(plain(&answer)?),
        Err(SqlFault::Database(error)) => Err(error),
        Err(SqlFault::Damaged(damaged)) => Err(Fault::from(damaged).into()),
        Err(SqlFault::Misdirected(text)) => Err(Fault::argument(text).into()),
    }
}
