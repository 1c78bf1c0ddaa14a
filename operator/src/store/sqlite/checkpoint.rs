//! Moving the log's pages into the database, away from everybody's writes.
//!
//! SQLite would do it within whichever commit comes when the log is full, and make that one client
//! wait for two fsyncs and thousands of pages. Here a thread does it, on a connection of its own,
//! without stopping writers; only when the log must start over does it take a short turn.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;

use crate::store::sqlite::lane::Lane;

/// Changed rows between two passes.
const ROWS_BETWEEN: u64 = 400;
/// Pages of the log above which it is started over: 16 MiB.
const LOG_PAGES_MAX: i64 = 4_096;

#[derive(Debug, Default)]
struct Signal {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    rows: u64,
    stop: bool,
}

/// The thread, until it is dropped.
#[derive(Debug)]
pub(super) struct Checkpointer {
    signal: Arc<Signal>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    pub(super) fn start(
        connection: Connection,
        writer: Arc<Lane<Connection>>,
    ) -> std::io::Result<Self> {
        let signal = Arc::new(Signal::default());
        let theirs = Arc::clone(&signal);
        let thread = thread::Builder::new()
            .name("ringshift-checkpoint".to_owned())
            .spawn(move || run(&theirs, &connection, &writer))?;
        Ok(Self {
            signal,
            thread: Some(thread),
        })
    }

    /// Says that `rows` more rows were changed.
    pub(super) fn count(&self, rows: u64) {
        let mut state = self.signal.state.lock();
        let before = state.rows;
        state.rows += rows;
        if before < ROWS_BETWEEN && state.rows >= ROWS_BETWEEN {
            self.signal.changed.notify_one();
        }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.signal.state.lock().stop = true;
        self.signal.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // A checkpoint that failed loses nothing: the log is still there.
            let _ = thread.join();
        }
    }
}

fn run(signal: &Signal, connection: &Connection, writer: &Lane<Connection>) {
    loop {
        {
            let mut state = signal.state.lock();
            while !state.stop && state.rows < ROWS_BETWEEN {
                signal.changed.wait(&mut state);
            }
            if state.stop {
                return;
            }
            state.rows = 0;
        }
        // What fails, another process's checkpoint in the way say, is done by the next pass.
        if pass(connection, "PRAGMA wal_checkpoint(PASSIVE)").is_some_and(|log| log > LOG_PAGES_MAX)
        {
            // A second one, for what came during the first; then little is left for the turn.
            pass(connection, "PRAGMA wal_checkpoint(PASSIVE)");
            let _turn = writer.urgent();
            pass(connection, "PRAGMA wal_checkpoint(RESTART)");
        }
    }
}

/// Answers how many pages the log has.
fn pass(connection: &Connection, pragma: &str) -> Option<i64> {
    connection.query_row(pragma, [], |row| row.get(1)).ok()
}
