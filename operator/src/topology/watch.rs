//! Newer snapshots, as they come.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ringshift::{Epoch, Snapshot};

use crate::topology::{TopologyError, TopologySource};

/// Asks where snapshots come from again and again; without a thread of its own.
///
/// As an iterator it waits for each newer snapshot, and never ends. An error is handed out once
/// and then asking goes on: what was in force stays in force, and the source may come back.
#[derive(Debug)]
pub struct Watch<'s, S: ?Sized> {
    source: &'s S,
    interval: Duration,
    seen: Epoch,
}

impl<'s, S: TopologySource + ?Sized> Watch<'s, S> {
    /// Watches for snapshots newer than `seen`, asking every `interval`.
    pub fn new(source: &'s S, seen: Epoch, interval: Duration) -> Self {
        Self {
            source,
            interval,
            seen,
        }
    }

    /// Asks once, without waiting.
    ///
    /// # Errors
    /// As [`TopologySource::fetch`].
    pub fn poll(&mut self) -> Result<Option<Arc<Snapshot>>, TopologyError> {
        let newer = self.source.fetch(self.seen)?;
        if let Some(newer) = &newer {
            self.seen = newer.epoch();
        }
        Ok(newer)
    }
}

impl<S: TopologySource + ?Sized> Iterator for Watch<'_, S> {
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
