//! Newer snapshots, as they come.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ringshift::{Epoch, Snapshot};

use crate::topology::{TopologyError, TopologyStore};

/// Asks a topology store again and again; without a thread of its own.
///
/// As an iterator it waits for each newer snapshot, and never ends. An error is handed out once
/// and then asking goes on: what was in force stays in force, and the store may come back.
#[derive(Debug)]
pub struct Watch<'s, S: ?Sized> {
    store: &'s S,
    interval: Duration,
    seen: Epoch,
}

impl<'s, S: TopologyStore + ?Sized> Watch<'s, S> {
    /// Watches for snapshots newer than `seen`, asking every `interval`.
    pub fn new(store: &'s S, seen: Epoch, interval: Duration) -> Self {
        Self {
            store,
            interval,
            seen,
        }
    }

    /// Asks once, without waiting.
    ///
    /// # Errors
    /// As [`TopologyStore::fetch`].
    pub fn poll(&mut self) -> Result<Option<Arc<Snapshot>>, TopologyError> {
        let newer = self.store.fetch(self.seen)?;
        if let Some(newer) = &newer {
            self.seen = newer.epoch();
        }
        Ok(newer)
    }
}

impl<S: TopologyStore + ?Sized> Iterator for Watch<'_, S> {
    type Item = Result<Arc<Snapshot>, TopologyError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.poll() {
                Ok(Some(newer)) => return Some(Ok(newer)),
                Ok(None) => thread::sleep(self.interval),
                Err(error) => {
                    // Or a caller that only skips errors would spin.
                    thread::sleep(self.interval);
                    return Some(Err(error));
                }
            }
        }
    }
}
