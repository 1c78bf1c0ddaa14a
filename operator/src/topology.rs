//! PLACEHOLDER until merge.
#![allow(
    missing_docs,
    clippy::all,
    clippy::pedantic,
    clippy::restriction,
    reason = "tmp"
)]
use ringshift::migration::{Answer, Command, Log};
use ringshift::{Epoch, Snapshot, Term};
use std::path::{Path, PathBuf};
use std::sync::Arc;
#[derive(Clone, Debug)]
pub struct Record {
    pub term: Term,
    pub snapshot: Arc<Snapshot>,
    pub log: Log,
}
pub type TopologyError = Box<dyn std::error::Error + Send + Sync>;
pub trait TopologyStore: Send + Sync {
    fn load(&self) -> Result<Record, TopologyError>;
    fn create(&self, snapshot: &Snapshot) -> Result<(), TopologyError>;
    fn command(&self, command: &Command) -> Answer;
    fn fetch(&self, newer_than: Epoch) -> Result<Option<Arc<Snapshot>>, TopologyError>;
}
pub struct FileTopology {
    path: PathBuf,
    lock: parking_lot::Mutex<()>,
}
impl FileTopology {
    pub fn open(path: impl AsRef<Path>) -> Result<Self, TopologyError> {
        Ok(Self {
            path: path.as_ref().to_path_buf(),
            lock: parking_lot::Mutex::new(()),
        })
    }
    fn put(&self, r: &Record) {
        use std::io::Write;
        let tmp = self.path.with_extension("tmp");
        let mut f = std::fs::File::create(&tmp).unwrap();
        let s = r.snapshot.encode();
        f.write_all(&r.snapshot.epoch().get().to_le_bytes())
            .unwrap();
        f.write_all(&r.term.0.to_le_bytes()).unwrap();
        f.write_all(&(s.len() as u32).to_le_bytes()).unwrap();
        f.write_all(&s).unwrap();
        f.write_all(&r.log.encode()).unwrap();
        f.sync_all().unwrap();
        std::fs::rename(&tmp, &self.path).unwrap();
        std::fs::File::open(self.path.parent().unwrap())
            .unwrap()
            .sync_all()
            .unwrap();
    }
}
impl TopologyStore for FileTopology {
    fn load(&self) -> Result<Record, TopologyError> {
        let b = std::fs::read(&self.path)?;
        let n = |i: usize| u32::from_le_bytes(b[i..i + 4].try_into().unwrap());
        let l = n(8) as usize;
        Ok(Record {
            term: Term(n(4)),
            snapshot: Arc::new(Snapshot::decode(&b[12..12 + l])?),
            log: Log::decode(&b[12 + l..]).unwrap(),
        })
    }
    fn create(&self, snapshot: &Snapshot) -> Result<(), TopologyError> {
        self.put(&Record {
            term: Term(1),
            snapshot: Arc::new(snapshot.clone()),
            log: Log::default(),
        });
        Ok(())
    }
    fn command(&self, command: &Command) -> Answer {
        let _g = self.lock.lock();
        let mut r = self.load().unwrap();
        match command {
            Command::Lead { term } | Command::Swap { term, .. } | Command::SaveLog { term, .. }
                if *term < r.term =>
            {
                Answer::TermLost { current: r.term }
            }
            Command::Lead { term } => {
                r.term = *term;
                self.put(&r);
                Answer::Loaded {
                    snapshot: r.snapshot,
                    log: r.log,
                }
            }
            Command::Swap { snapshot, .. } if *snapshot == r.snapshot => Answer::Swapped,
            Command::Swap { expected, .. } if *expected != r.snapshot.epoch() => {
                Answer::EpochLost {
                    current: r.snapshot.epoch(),
                }
            }
            Command::Swap { snapshot, log, .. } => {
                r.snapshot = snapshot.clone();
                r.log = log.clone();
                self.put(&r);
                Answer::Swapped
            }
            Command::SaveLog { log, .. } => {
                r.log = log.clone();
                self.put(&r);
                Answer::Logged
            }
            _ => Answer::Unreachable,
        }
    }
    fn fetch(&self, newer_than: Epoch) -> Result<Option<Arc<Snapshot>>, TopologyError> {
        use std::io::Read;
        let mut b = [0; 4];
        std::fs::File::open(&self.path)?.read_exact(&mut b)?;
        if u32::from_le_bytes(b) <= newer_than.get() {
            return Ok(None);
        }
        Ok(Some(self.load()?.snapshot))
    }
}
