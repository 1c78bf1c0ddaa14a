//! A coordinator's commands on a shard in SQLite: the core says which statement runs next,
//! JavaScript has the connection.

use js_sys::{Array, BigInt, Function, Uint8Array};
use ringshift::store::sql::{self, Sql, SqlFault, SqlRows, SqlValue};
use wasm_bindgen::prelude::*;

use crate::convert::{plain, read};
use crate::error::Fault;
use crate::migration::Chunks;

/// JavaScript's `run(text, parameters)`, which answers rows.
struct Run<'a>(&'a Function);

impl Sql for Run<'_> {
    type Error = JsValue;

    fn run(&mut self, text: &'static str, parameters: &[SqlValue]) -> Result<SqlRows, JsValue> {
        let parameter = |value: &SqlValue| match value {
            SqlValue::Null => JsValue::NULL,
            SqlValue::Integer(number) => JsValue::from(*number),
            SqlValue::Blob(bytes) => Uint8Array::from(bytes.as_slice()).into(),
        };
        let parameters: Array = parameters.iter().map(parameter).collect();
        let rows = self
            .0
            .call2(&JsValue::UNDEFINED, &JsValue::from_str(text), &parameters)?;
        let rows = rows.dyn_into::<Array>()?;
        rows.iter()
            .map(|row| row.dyn_into::<Array>()?.iter().map(column).collect())
            .collect()
    }
}

fn column(value: JsValue) -> Result<SqlValue, JsValue> {
    if value.is_null() {
        return Ok(SqlValue::Null);
    }
    if let Some(bytes) = value.dyn_ref::<Uint8Array>() {
        return Ok(SqlValue::Blob(bytes.to_vec()));
    }
    // Text is taken as its bytes, since other hands may have put it there.
    if let Some(text) = value.as_string() {
        return Ok(SqlValue::Blob(text.into_bytes()));
    }
    let number = value.dyn_into::<BigInt>().ok();
    let number = number.and_then(|number| i64::try_from(number).ok());
    let wrong = || Fault::argument("a column is a bigint of 64 bits, bytes, text or null");
    Ok(SqlValue::Integer(number.ok_or_else(wrong)?))
}

/// Carries out a coordinator's command on a shard's database. `run` is given a statement and its
/// parameters, and answers its rows; nobody else uses the connection meanwhile.
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
