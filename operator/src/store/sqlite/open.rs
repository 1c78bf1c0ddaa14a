//! From a path to connections: settings, tables, and refusing what isn't ours.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::thread;
use std::time::Duration;

use ringshift::recipes::sqlite as recipe;
use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior};

use crate::store::error::StoreError;

/// Every statement is compiled once a connection.
const STATEMENTS_KEPT: usize = 48;

/// How often the busy handler sleeps a millisecond before it gives up: five seconds.
const BUSY_SLEEPS_MAX: i32 = 5_000;

/// Another process has the file. Its transactions are short, so the sleeps are short too: SQLite's
/// own handler would soon wait 100 ms at a time.
fn wait_while_busy(sleeps: i32) -> bool {
    let nap = if sleeps < 8 {
        Duration::from_micros(100)
    } else {
        Duration::from_millis(1)
    };
    thread::sleep(nap);
    sleeps < BUSY_SLEEPS_MAX
}

/// Refuses a file that isn't an SQLite database before SQLite looks at it.
pub(super) fn check_header(path: &Path) -> Result<(), StoreError> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if file.metadata()?.len() == 0 {
        return Ok(());
    }
    let mut header = [0; 16];
    match file.read_exact(&mut header) {
        Ok(()) if header == *b"SQLite format 3\0" => Ok(()),
        Err(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => Err(error.into()),
        _ => Err(StoreError::NotADatabase(path.to_owned())),
    }
}

/// One connection with its settings.
pub(super) fn connect(path: &Path, cache_kib: u32) -> Result<Connection, StoreError> {
    // Each connection is used by one thread at a time, so SQLite needn't lock it.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    connection.busy_handler(Some(wait_while_busy))?;
    // Before the settings: they would change a file that isn't ours.
    has_tables(&connection, path)?;
    connection.execute_batch(recipe::SETTINGS)?;
    connection.execute_batch(&format!("PRAGMA cache_size = -{cache_kib};"))?;
    Ok(connection)
}

/// Makes the tables of a new file, or checks those of an old one. Answers the incarnation.
pub(super) fn prepare(connection: &mut Connection, path: &Path) -> Result<[u8; 16], StoreError> {
    connection.execute_batch(recipe::DURABLE)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if !has_tables(&transaction, path)? {
        let mut incarnation = [0_u8; 16];
        getrandom::fill(&mut incarnation).map_err(std::io::Error::from)?;
        transaction.execute_batch(recipe::SCHEMA)?;
        transaction.execute(recipe::META_CREATE, (recipe::FORMAT, incarnation))?;
    }
    let (format, incarnation): (i64, Vec<u8>) = transaction
        .query_row(recipe::META, [], |row| Ok((row.get(0)?, row.get(3)?)))
        .optional()?
        .ok_or_else(|| StoreError::Foreign(path.to_owned()))?;
    if format != recipe::FORMAT {
        let path = path.to_owned();
        return Err(StoreError::Format {
            path,
            found: format,
        });
    }
    transaction.commit()?;
    connection.execute_batch(recipe::RELAXED)?;
    sync_folder(path)?;
    incarnation
        .try_into()
        .map_err(|_| StoreError::Damaged("incarnation"))
}

/// Whether there are tables; an error when they are somebody else's.
fn has_tables(connection: &Connection, path: &Path) -> Result<bool, StoreError> {
    let tables: Vec<String> = connection
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table'")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    if tables.is_empty() || tables.iter().any(|name| name == "ringshift_meta") {
        return Ok(!tables.is_empty());
    }
    Err(StoreError::Foreign(path.to_owned()))
}

/// Makes the file's name durable, not only its content.
fn sync_folder(path: &Path) -> Result<(), StoreError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    Ok(File::open(folder)?.sync_all()?)
}
