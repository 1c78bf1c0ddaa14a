//! The snapshots of a file, as it changes.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use ringshift::Epoch;
use ringshift::record::RecordError;

use crate::topology::serve::source::Source;
use crate::topology::{FileTopology, TopologyError, TopologySource, read_snapshot};

/// A file changed so lately is read again: a clock may not tell two changes apart.
const YOUNG: Duration = Duration::from_secs(2);

/// Looks at a file again and again, on a thread of its own, and puts what is newer into a source,
/// until it is dropped. A topology record costs the reading of its header when nothing has changed.
#[derive(Debug)]
pub struct Follow {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Follow {
    /// Puts the snapshot in the file at `path` into `source`, and goes on looking every `interval`.
    /// What goes wrong later is told to the source as trouble.
    ///
    /// # Errors
    /// What is wrong with the file now, as [`read_snapshot`] says it.
    pub fn start(
        path: impl Into<PathBuf>,
        source: Arc<Source>,
        interval: Duration,
    ) -> Result<Self, TopologyError> {
        let mut file = Followed {
            topology: FileTopology::new(path),
            seen: None,
        };
        file.look(&source)?;
        let (stop, stopped) = mpsc::channel();
        let thread = thread::spawn(move || {
            while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                source.trouble(file.look(&source).err().map(|error| error.to_string()));
            }
        });
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Follow {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It only looks at a file; if it has panicked, there is nothing to stop.
            let _ = thread.join();
        }
    }
}

struct Followed {
    topology: FileTopology,
    /// Length and time of a file that is no record, when its snapshot was last taken.
    seen: Option<Mark>,
}

type Mark = (u64, SystemTime);

impl Followed {
    fn look(&mut self, source: &Source) -> Result<(), TopologyError> {
        let epoch = source.newest().map_or(Epoch::ZERO, |newest| newest.epoch());
        match self.topology.fetch(epoch) {
            Err(TopologyError::Record(RecordError::Unknown)) => self.other(source),
            fetched => {
                if let Some(newer) = fetched? {
                    source.put(newer)?;
                }
                Ok(())
            }
        }
    }

    /// Takes the snapshot of a file that is no record, if the file has changed.
    fn other(&mut self, source: &Source) -> Result<(), TopologyError> {
        let path = self.topology.path();
        let mark = fs::metadata(path).and_then(|now| Ok((now.len(), now.modified()?)));
        let mark = mark.ok();
        if mark.is_none() || mark != self.seen {
            source.put(Arc::new(read_snapshot(path)?))?;
            let old = mark.filter(|(_, at)| at.elapsed().is_ok_and(|age| age > YOUNG));
            self.seen = old;
        }
        Ok(())
    }
}
