//! Shadow reads: remembered when a sampled read has been answered, carried out later by whoever has
//! the time, so that no caller ever waits for one.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use ringshift::driver::drive_shadow;
use ringshift::{Compared, KeyspaceId, Reply, Shadow, row_digest};

use crate::client::Client;
use crate::client::keyspace::{ClientKeyspace, World, block_on};
use crate::store::Found;

/// Comparisons that wait at most; more sampled reads than that are not compared.
const WAITING_MAX: usize = 1_024;

/// The comparisons of a client.
#[derive(Debug, Default)]
pub(super) struct Shadows {
    waiting: Mutex<VecDeque<(KeyspaceId, Vec<u8>, Shadow)>>,
    same: AtomicU64,
    mismatches: AtomicU64,
    unsure: AtomicU64,
    dropped: AtomicU64,
}

/// What came of a client's comparisons so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShadowFigures {
    /// The two sides were the same.
    pub same: u64,
    /// They differed, twice.
    pub mismatches: u64,
    /// It couldn't be said.
    pub unsure: u64,
    /// Not compared, since too many were waiting.
    pub dropped: u64,
}

impl Shadows {
    pub(super) fn remember(&self, keyspace: KeyspaceId, key: &[u8], shadow: Shadow) {
        let mut waiting = self.waiting.lock();
        if waiting.len() < WAITING_MAX {
            waiting.push_back((keyspace, key.to_vec(), shadow));
        } else {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Client {
    /// Carries out one comparison of those that wait, and says whether there was one. Call it from
    /// a thread of its own: it sleeps between looks.
    pub fn compare_one(&self) -> bool {
        let Some((id, key, mut shadow)) = self.shadows.waiting.lock().pop_front() else {
            return false;
        };
        let keyspace = ClientKeyspace::new(self, id);
        let Ok(fallback) = keyspace.plan(&self.router(), &key) else {
            return true;
        };
        let world = World {
            keyspace: &keyspace,
            key: &key,
            content: None,
            fallback,
            trailing: Mutex::default(),
        };
        let digest = |reply: Reply, found: &Found| match reply {
            Reply::Found { version } | Reply::Deleted { version } => {
                Some(row_digest(&key, version, found.value.as_deref()))
            }
            _ => None,
        };
        let figure = match block_on(drive_shadow(&mut shadow, &world, digest)) {
            Compared::Same => &self.shadows.same,
            Compared::Mismatch(_) => &self.shadows.mismatches,
            Compared::Unsure => &self.shadows.unsure,
        };
        figure.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// What came of the comparisons so far.
    pub fn shadow_figures(&self) -> ShadowFigures {
        let figure = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        ShadowFigures {
            same: figure(&self.shadows.same),
            mismatches: figure(&self.shadows.mismatches),
            unsure: figure(&self.shadows.unsure),
            dropped: figure(&self.shadows.dropped),
        }
    }
}
