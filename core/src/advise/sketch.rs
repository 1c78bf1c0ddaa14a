//! Two sketches of fixed size: the keys that come most often, and how many there are.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::hash::xxh3;

/// The keys that come most often (the space-saving algorithm of Metwally, Agrawal and El Abbadi).
///
/// Of `n` counted, any key that came more than `n / k` times is among its `k`; and of each, the true
/// count is at most `count`, and at least `count - error`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopKeys {
    kept: Vec<(u64, Counted)>,
    room: usize,
}

/// A key and how often it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The key.
    pub key: Vec<u8>,
    /// At most so often.
    pub count: u64,
    /// By how much that may be too high.
    pub error: u64,
}

impl TopKeys {
    /// Room for `k` keys, at least 1.
    #[must_use]
    pub fn new(k: usize) -> Self {
        let room = k.max(1);
        Self {
            kept: Vec::with_capacity(room),
            room,
        }
    }

    /// Counts `key` so many times more.
    pub fn add(&mut self, key: &[u8], times: u64) {
        let hash = xxh3(key, 0);
        let known = |(of, counted): &&mut (u64, Counted)| *of == hash && counted.key == key;
        if let Some((_, counted)) = self.kept.iter_mut().find(known) {
            counted.count = counted.count.saturating_add(times);
            return;
        }
        let mut new = Counted {
            key: key.to_vec(),
            count: times,
            error: 0,
        };
        if self.kept.len() < self.room {
            self.kept.push((hash, new));
            return;
        }
        // The rarest gives way. Whoever comes may have come as often as it did, unseen.
        if let Some(rarest) = self.kept.iter_mut().min_by_key(|(_, kept)| kept.count) {
            new.error = rarest.1.count;
            new.count = rarest.1.count.saturating_add(times);
            *rarest = (hash, new);
        }
    }

    /// Halves all counts: what was, counts half as much as what comes.
    pub fn halve(&mut self) {
        for (_, counted) in &mut self.kept {
            counted.count /= 2;
            // Rounded up, so that the bound still holds.
            counted.error = counted.error.div_ceil(2).min(counted.count);
        }
        self.kept.retain(|(_, counted)| counted.count > 0);
    }

    /// The keys, the most frequent first.
    pub fn top(&self) -> Vec<Counted> {
        let mut top: Vec<Counted> = self.kept.iter().map(|(_, kept)| kept.clone()).collect();
        top.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.key.cmp(&b.key)));
        top
    }
}

/// About how many different keys there are, from the smallest of their hashes.
///
/// Exact below its size; above, off by about `100 / sqrt(size)` per cent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distinct {
    smallest: BTreeSet<u64>,
    size: usize,
    seed: u64,
}

impl Distinct {
    /// Keeps `size` hashes, at least 2, under `seed`.
    #[must_use]
    pub fn new(size: usize, seed: u64) -> Self {
        Self {
            smallest: BTreeSet::new(),
            size: size.max(2),
            seed,
        }
    }

    /// Sees a key.
    pub fn add(&mut self, key: &[u8]) {
        let hash = xxh3(key, self.seed);
        if self.smallest.len() == self.size && self.smallest.last().is_some_and(|&l| hash >= l) {
            return;
        }
        self.smallest.insert(hash);
        if self.smallest.len() > self.size {
            self.smallest.pop_last();
        }
    }

    /// About how many different ones it has seen.
    pub fn estimate(&self) -> u64 {
        match self.smallest.last() {
            Some(&largest) if self.smallest.len() == self.size => {
                let others = (self.size as u128 - 1) << 64;
                u64::try_from(others / (u128::from(largest) + 1)).unwrap_or(u64::MAX)
            }
            _ => self.smallest.len() as u64,
        }
    }
}
