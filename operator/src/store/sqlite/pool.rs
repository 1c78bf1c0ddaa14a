//! Connections for reads.

use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;

/// Idle connections, the one used last on top; who finds none waits.
#[derive(Debug)]
pub(super) struct Pool {
    idle: Mutex<Vec<Connection>>,
    returned: Condvar,
}

impl Pool {
    pub(super) fn new(connections: Vec<Connection>) -> Self {
        Self {
            idle: Mutex::new(connections),
            returned: Condvar::new(),
        }
    }

    /// Runs `work` on a connection of its own.
    pub(super) fn with<R>(&self, work: impl FnOnce(&Connection) -> R) -> R {
        let connection = {
            let mut idle = self.idle.lock();
            loop {
                if let Some(connection) = idle.pop() {
                    break connection;
                }
                self.returned.wait(&mut idle);
            }
        };
        let result = work(&connection);
        self.idle.lock().push(connection);
        self.returned.notify_one();
        result
    }
}
