//! The snapshots that a server has, and what it answers about them: no input or output.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hyper::body::Bytes;
use parking_lot::Mutex;
use ringshift::{Epoch, Snapshot, SnapshotError};
use serde::Serialize;
use tokio::sync::watch;

/// Snapshots that are kept, so that who has one of them is sent what has changed.
pub const KEPT: usize = 64;
/// Bytes of the snapshots that are kept beside the newest.
pub const KEPT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The newest snapshot, the ones before it, and the ways from those to it.
///
/// Every answer is shared: bytes are encoded once, however many ask for them.
#[derive(Debug)]
pub struct Source {
    held: Mutex<Held>,
    news: watch::Sender<News>,
    counts: Counts,
}

/// What whoever waits is woken by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct News {
    pub(super) epoch: Epoch,
    pub(super) closed: bool,
}

#[derive(Debug, Default)]
struct Held {
    /// The oldest first; the newest is the one in force.
    kept: VecDeque<Kept>,
    /// The deltas from kept ones to the newest, by their tags. `None`: the whole is no longer.
    deltas: BTreeMap<String, Option<Bytes>>,
    trouble: Option<String>,
}

#[derive(Clone, Debug)]
struct Kept {
    snapshot: Arc<Snapshot>,
    tag: String,
    whole: Bytes,
}

#[derive(Debug, Default)]
struct Counts {
    whole: AtomicU64,
    deltas: AtomicU64,
    unchanged: AtomicU64,
    encoded: AtomicU64,
    waiting: AtomicU64,
}

/// What a source has counted so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SourceFigures {
    /// Answers with a whole snapshot.
    pub whole: u64,
    /// Answers with a delta.
    pub deltas: u64,
    /// Answers that there is no news.
    pub unchanged: u64,
    /// Deltas that were encoded: one for each pair of snapshots at most.
    pub encoded: u64,
    /// Who waits for news at present.
    pub waiting: u64,
}

/// What a source answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceAnswer {
    /// There is no snapshot yet.
    Missing,
    /// The one in force is known already.
    Unchanged {
        /// Its tag.
        tag: String,
    },
    /// The one in force.
    Whole {
        /// Its tag.
        tag: String,
        /// Its bytes.
        bytes: Bytes,
    },
    /// The way to the one in force.
    Delta {
        /// The tag of the one in force.
        tag: String,
        /// The tag of the one that it is for.
        base: String,
        /// The delta's bytes.
        bytes: Bytes,
    },
}

/// The tag of a snapshot: `"<epoch>-<digest>"`, with its quotes.
pub fn tag_of(snapshot: &Snapshot) -> String {
    format!("\"{}-{}\"", snapshot.epoch(), snapshot.digest())
}

impl Default for Source {
    fn default() -> Self {
        Self {
            held: Mutex::default(),
            news: watch::Sender::new(News::default()),
            counts: Counts::default(),
        }
    }
}

impl Source {
    /// A source without a snapshot yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a newer snapshot in force, and wakes who waits for one. Answers whether it was newer.
    ///
    /// # Errors
    /// One that is older, of another cluster, or of the same epoch with other content: the one in
    /// force stays.
    pub fn put(&self, snapshot: Arc<Snapshot>) -> Result<bool, SnapshotError> {
        let newest = self.newest();
        if let Some(newest) = &newest
            && !newest.check_successor(&snapshot)?
        {
            return Ok(false);
        }
        let whole = Bytes::from(snapshot.encode());
        let mut held = self.held.lock();
        // Two may put at once; the second comes round again.
        if held.kept.back().map(|last| &last.snapshot) != newest.as_ref() {
            drop(held);
            return self.put(snapshot);
        }
        let (epoch, tag) = (snapshot.epoch(), tag_of(&snapshot));
        held.kept.push_back(Kept {
            snapshot,
            tag,
            whole,
        });
        held.deltas.clear();
        held.forget();
        drop(held);
        self.news.send_modify(|news| news.epoch = epoch);
        Ok(true)
    }

    /// The snapshot in force.
    pub fn newest(&self) -> Option<Arc<Snapshot>> {
        let held = self.held.lock();
        held.kept.back().map(|last| Arc::clone(&last.snapshot))
    }

    /// What to answer to who has the snapshots of `tags`, and says with `deltas` whether he takes
    /// a delta.
    pub fn answer(&self, tags: &[&str], deltas: bool) -> SourceAnswer {
        let mut held = self.held.lock();
        let Some(newest) = held.kept.back().cloned() else {
            return SourceAnswer::Missing;
        };
        let tag = newest.tag.clone();
        if tags.iter().any(|&known| known == tag || known == "*") {
            return SourceAnswer::Unchanged { tag };
        }
        let bases = tags.iter().filter(|_| deltas);
        for &base in bases {
            if let Some(bytes) = self.delta(&mut held, base, &newest) {
                let base = base.to_owned();
                return SourceAnswer::Delta { tag, base, bytes };
            }
        }
        let bytes = newest.whole;
        SourceAnswer::Whole { tag, bytes }
    }

    /// The delta from the kept snapshot of that tag. Made under the lock: who asks for the same
    /// meanwhile waits, and finds it.
    fn delta(&self, held: &mut Held, base: &str, newest: &Kept) -> Option<Bytes> {
        if let Some(known) = held.deltas.get(base) {
            return known.clone();
        }
        let kept = held.kept.iter().find(|kept| kept.tag == base)?;
        let delta = kept.snapshot.delta(&newest.snapshot).ok()?.encode();
        self.counts.encoded.fetch_add(1, Ordering::Relaxed);
        let smaller = (delta.len() < newest.whole.len()).then(|| Bytes::from(delta));
        held.deltas.insert(base.to_owned(), smaller.clone());
        smaller
    }

    /// Says what trouble there is where snapshots come from.
    pub fn trouble(&self, trouble: Option<String>) {
        self.held.lock().trouble = trouble;
    }

    /// What was last said of trouble.
    pub fn last_trouble(&self) -> Option<String> {
        self.held.lock().trouble.clone()
    }

    /// Answers who waits, and lets nobody wait any more.
    pub fn close(&self) {
        self.news.send_modify(|news| news.closed = true);
    }

    /// What was counted so far.
    pub fn figures(&self) -> SourceFigures {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        SourceFigures {
            whole: count(&self.counts.whole),
            deltas: count(&self.counts.deltas),
            unchanged: count(&self.counts.unchanged),
            encoded: count(&self.counts.encoded),
            waiting: count(&self.counts.waiting),
        }
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<News> {
        self.news.subscribe()
    }

    /// Counts an answer that goes out.
    pub(super) fn count(&self, answer: &SourceAnswer) {
        let count = match answer {
            SourceAnswer::Missing => return,
            SourceAnswer::Unchanged { .. } => &self.counts.unchanged,
            SourceAnswer::Whole { .. } => &self.counts.whole,
            SourceAnswer::Delta { .. } => &self.counts.deltas,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// One more waits, until what this answers is dropped.
    pub(super) fn waiting(&self) -> impl Drop {
        struct Waiting<'s>(&'s AtomicU64);
        impl Drop for Waiting<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        self.counts.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(&self.counts.waiting)
    }
}

impl Held {
    /// Lets the oldest go while there are too many; the newest stays.
    fn forget(&mut self) {
        let mut bytes: usize = self.kept.iter().map(|kept| kept.whole.len()).sum();
        let newest = self.kept.back().map_or(0, |kept| kept.whole.len());
        while self.kept.len() > 1 && (self.kept.len() > KEPT || bytes - newest > KEPT_BYTES_MAX) {
            bytes -= self.kept.pop_front().map_or(0, |kept| kept.whole.len());
        }
    }
}
