//! The topology store of one host: a file that is replaced as a whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use ringshift::migration::Standing;
use ringshift::migration::command::{Answer, Command};
use ringshift::record::{HEADER_BYTES, Header};
use ringshift::{Epoch, Snapshot, Term};

use crate::topology::{Record, TopologyError, TopologySource, TopologyStore};

/// Keeps this process's temporary files apart.
static NEXT_TEMPORARY: AtomicU64 = AtomicU64::new(0);

/// A record in a file.
///
/// A writer holds an exclusive lock on the file of the same name with `.lock` behind it, writes a
/// new file beside the old one, syncs it, and renames it over. So a reader needs no lock: it sees
/// the old record or the new one; and whatever dies in between leaves the old one.
///
/// Put it on a local disk: locks and renames over a network are another matter.
#[derive(Debug)]
pub struct FileTopology {
    path: PathBuf,
    last_error: Mutex<Option<String>>,
}

impl FileTopology {
    /// The store at `path`, whether there is a file already or not.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            last_error: Mutex::new(None),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn failed(&self, what: &'static str) -> impl FnOnce(io::Error) -> TopologyError {
        let path = self.path.clone();
        move |error| match error.kind() {
            io::ErrorKind::NotFound => TopologyError::Missing(path),
            _ => TopologyError::Io { what, path, error },
        }
    }

    /// The path with something behind its last name.
    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(suffix);
        name.into()
    }

    fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }

    /// The right to write, until it is dropped.
    fn lock(&self) -> Result<File, TopologyError> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.beside(".lock"))
            .map_err(self.failed("lock"))?;
        file.lock().map_err(self.failed("lock"))?;
        Ok(file)
    }

    /// Puts `record` in the file's place. Only under the lock.
    fn replace(&self, record: &Record) -> Result<(), TopologyError> {
        let bytes = record.encode()?;
        self.sweep();
        let number = NEXT_TEMPORARY.fetch_add(1, Ordering::Relaxed);
        let temporary = self.beside(&format!(".{}-{number}.new", std::process::id()));
        let written = File::create(&temporary).and_then(|mut file| {
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&temporary, &self.path)?;
            self.sync_name()
        });
        written.map_err(|error| {
            // It may have been renamed already; then there is nothing to remove.
            let _ = fs::remove_file(&temporary);
            self.failed("write")(error)
        })
    }

    /// The name must be on disk too, before anybody is told.
    fn sync_name(&self) -> io::Result<()> {
        File::open(self.folder())?.sync_all()
    }

    /// Removes what writers that died have left. Whoever holds the lock is the only writer.
    fn sweep(&self) {
        let Some(name) = self.path.file_name().and_then(|name| name.to_str()) else {
            return;
        };
        let Ok(folder) = fs::read_dir(self.folder()) else {
            return;
        };
        for entry in folder.flatten() {
            let found = entry.file_name();
            let left = found
                .to_str()
                .and_then(|found| {
                    found
                        .strip_prefix(name)?
                        .strip_prefix('.')?
                        .strip_suffix(".new")
                })
                .is_some_and(|middle| middle.bytes().all(|b| b.is_ascii_digit() || b == b'-'));
            if left {
                // One that can't be removed does no harm.
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// A record's first bytes, and what they say.
    fn front(&self, file: &mut File) -> Result<(Vec<u8>, Header), TopologyError> {
        let length = file.metadata().map_err(self.failed("read"))?.len();
        let mut bytes = Vec::new();
        Read::by_ref(file)
            .take(HEADER_BYTES as u64)
            .read_to_end(&mut bytes)
            .map_err(self.failed("read"))?;
        let header = Header::decode(&bytes, length)?;
        Ok((bytes, header))
    }

    fn carry_out(&self, command: &Command) -> Result<Answer, TopologyError> {
        let _lock = self.lock()?;
        let (answer, next) = self.load()?.decide(command);
        match next {
            Some(next) => self.replace(&next)?,
            // What is acted on was perhaps renamed by a writer that died before its last sync.
            None => self.sync_name().map_err(self.failed("sync"))?,
        }
        Ok(answer)
    }
}

impl TopologySource for FileTopology {
    fn fetch(&self, newer_than: Epoch) -> Result<Option<Arc<Snapshot>>, TopologyError> {
        let mut file = File::open(&self.path).map_err(self.failed("read"))?;
        let length = file.metadata().map_err(self.failed("read"))?.len();
        let mut bytes = Vec::new();
        Read::by_ref(&mut file)
            .take(HEADER_BYTES as u64)
            .read_to_end(&mut bytes)
            .map_err(self.failed("read"))?;
        if Header::decode(&bytes, length)?.epoch <= newer_than {
            return Ok(None);
        }
        // The open file is one record, whatever its name is given to meanwhile.
        file.read_to_end(&mut bytes).map_err(self.failed("read"))?;
        Ok(Some(Record::decode(&bytes)?.snapshot))
    }

    fn is_current(&self) -> bool {
        true
    }
}

impl TopologyStore for FileTopology {
    fn load(&self) -> Result<Record, TopologyError> {
        Ok(Record::decode(
            &fs::read(&self.path).map_err(self.failed("read"))?,
        )?)
    }

    fn create(&self, snapshot: &Snapshot) -> Result<(), TopologyError> {
        let _lock = self.lock()?;
        // Whatever is there, a broken record too, isn't ours to replace.
        match fs::symlink_metadata(&self.path) {
            Ok(_) => return Err(TopologyError::Exists(self.path.clone())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(self.failed("look at")(error)),
        }
        self.replace(&Record::first(Arc::new(snapshot.clone())))
    }

    fn standing(&self) -> Result<Standing, TopologyError> {
        let mut file = File::open(&self.path).map_err(self.failed("read"))?;
        let header = self.front(&mut file)?.1;
        Ok(Standing {
            term: header.term,
            beat: header.beat,
        })
    }

    fn draw_term(&self) -> Result<Term, TopologyError> {
        let _lock = self.lock()?;
        let next = self.load()?.next_term().ok_or(TopologyError::TermsUsedUp)?;
        self.replace(&next)?;
        Ok(next.term)
    }

    fn command(&self, command: &Command) -> Answer {
        if command.shard().is_some() {
            let text = "the command is for a shard".to_owned();
            *self.last_error.lock() = Some(text);
            return Answer::Unreachable;
        }
        self.carry_out(command).unwrap_or_else(|error| {
            *self.last_error.lock() = Some(error.to_string());
            Answer::Unreachable
        })
    }

    fn last_error(&self) -> Option<String> {
        self.last_error.lock().clone()
    }
}
