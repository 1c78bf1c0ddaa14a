//! Which slots leave a shard that has too much.

use alloc::vec::Vec;

use crate::ids::Slot;

/// A slot and what it weighs: operations, or bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// The keyspace's place in the snapshot.
    pub(super) keyspace: usize,
    pub(super) slot: Slot,
    pub(super) weight: u64,
}

/// What shards have, and what would be fair; 0: nothing goes there.
#[derive(Clone, Debug)]
pub(super) struct Shares {
    pub(super) used: Vec<u64>,
    pub(super) fair: Vec<u64>,
}

impl Shares {
    /// `used`, against a fair share of it all by these weights.
    pub(super) fn new(used: Vec<u64>, weights: &[u64]) -> Self {
        let all: u128 = weights.iter().map(|&weight| u128::from(weight)).sum();
        let total: u128 = used.iter().map(|&used| u128::from(used)).sum();
        let fair = |&weight: &u64| {
            let fair = (total * u128::from(weight)).checked_div(all);
            u64::try_from(fair.unwrap_or(0)).unwrap_or(u64::MAX)
        };
        let fair = weights.iter().map(fair).collect();
        Self { used, fair }
    }

    pub(super) fn used(&self, at: usize) -> u64 {
        self.used.get(at).copied().unwrap_or(0)
    }

    pub(super) fn fair(&self, at: usize) -> u64 {
        self.fair.get(at).copied().unwrap_or(0)
    }

    /// Whether `at` has more than so many per cent of its fair share.
    pub(super) fn is_over(&self, at: usize, percent: u32) -> bool {
        let (used, fair) = (u128::from(self.used(at)), u128::from(self.fair(at)));
        fair > 0 && used * 100 > fair * u128::from(percent)
    }

    /// The shard that would be least full with `weight` more, if it would be less full than `from`
    /// is now: then nobody ends worse than it was.
    pub(super) fn room_for(&self, weight: u64, from: usize) -> Option<usize> {
        let fuller = |a: (u128, u128), b: (u128, u128)| (a.0 * b.1).cmp(&(b.0 * a.1));
        let with = |at: usize, more: u64| {
            let used = u128::from(self.used(at)) + u128::from(more);
            (used, u128::from(self.fair(at)))
        };
        let others = (0..self.fair.len()).filter(|&at| at != from && self.fair(at) > 0);
        let best = others.min_by(|&a, &b| fuller(with(a, weight), with(b, weight)))?;
        fuller(with(best, weight), with(from, 0))
            .is_lt()
            .then_some(best)
    }

    pub(super) fn shift(&mut self, weight: u64, from: usize, to: Option<usize>) {
        if let Some(used) = self.used.get_mut(from) {
            *used = used.saturating_sub(weight);
        }
        if let Some(used) = to.and_then(|to| self.used.get_mut(to)) {
            *used = used.saturating_add(weight);
        }
    }

    /// Takes pieces from `from`, the heaviest first and so the fewest, until it has its fair share:
    /// each with where it goes.
    pub(super) fn relieve(&mut self, mut pieces: Vec<Piece>, from: usize) -> Vec<(Piece, usize)> {
        pieces.sort_by(|a, b| {
            let place = |piece: &Piece| (piece.keyspace, piece.slot);
            b.weight.cmp(&a.weight).then(place(a).cmp(&place(b)))
        });
        let mut moves = Vec::new();
        for piece in pieces {
            // What weighs more than there is too much of would only be the next one's trouble.
            let excess = self.used(from).saturating_sub(self.fair(from));
            if excess == 0 || piece.weight == 0 {
                break;
            }
            if piece.weight / 2 > excess {
                continue;
            }
            if let Some(to) = self.room_for(piece.weight, from) {
                self.shift(piece.weight, from, Some(to));
                moves.push((piece, to));
            }
        }
        moves
    }
}
