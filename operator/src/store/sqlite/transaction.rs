//! One transaction of a request, and what is known of its fate when it fails.

use rusqlite::Connection;

use crate::store::error::StoreError;

/// How a transaction failed.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) error: StoreError,
    /// Whether it may have been carried out nevertheless.
    pub(super) unknown: bool,
}

impl<E: Into<StoreError>> From<E> for Fault {
    fn from(error: E) -> Self {
        Self {
            error: error.into(),
            unknown: false,
        }
    }
}

/// Runs `work` in one transaction that no other writer comes between.
pub(super) fn write<R>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<R, StoreError>,
) -> Result<R, Fault> {
    run(connection, "BEGIN IMMEDIATE", work)
}

/// Runs `work` over one unchanging state of the file.
pub(super) fn read<R>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<R, StoreError>,
) -> Result<R, Fault> {
    run(connection, "BEGIN DEFERRED", work)
}

fn run<R>(
    connection: &Connection,
    begin: &str,
    work: impl FnOnce(&Connection) -> Result<R, StoreError>,
) -> Result<R, Fault> {
    connection.prepare_cached(begin)?.execute([])?;
    let result = match work(connection) {
        Ok(result) => result,
        Err(error) => {
            roll_back(connection);
            return Err(error.into());
        }
    };
    let commit = connection.prepare_cached("COMMIT");
    match commit.and_then(|mut commit| commit.execute([])) {
        Ok(_) => Ok(result),
        Err(error) => {
            roll_back(connection);
            Err(Fault {
                error: error.into(),
                unknown: true,
            })
        }
    }
}

/// Some errors have rolled the transaction back already.
fn roll_back(connection: &Connection) {
    if !connection.is_autocommit() {
        // What can't be rolled back now is rolled back when the connection goes.
        let _ = connection.execute_batch("ROLLBACK");
    }
}
