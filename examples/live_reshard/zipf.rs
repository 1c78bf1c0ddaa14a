//! Chooses keys as YCSB does: a few very often, most of them rarely, the popular ones scattered.

use fastrand::Rng;

/// YCSB's skew.
pub(crate) const THETA: f64 = 0.99;

/// A Zipfian choice among `0..items`, after Gray et al., "Quickly generating billion-record
/// synthetic databases" (SIGMOD 1994), scrambled so that popular keys are not neighbours.
#[derive(Clone, Debug)]
pub(crate) struct Zipf {
    items: u32,
    scramble: u64,
    theta: f64,
    zeta: f64,
    alpha: f64,
    eta: f64,
}

impl Zipf {
    /// `None` if there is nothing to choose from. Clients that share a seed share the popular keys.
    pub(crate) fn new(items: u32, seed: u64) -> Option<Self> {
        Self::with_theta(items, seed, THETA)
    }

    /// `theta` from 0 (all alike) to just below 1.
    pub(crate) fn with_theta(items: u32, seed: u64, theta: f64) -> Option<Self> {
        if items == 0 || !(0.0..1.0).contains(&theta) {
            return None;
        }
        let zeta: f64 = (1..=items).map(|rank| f64::from(rank).powf(-theta)).sum();
        let zeta_of_two = 1.0 + 0.5_f64.powf(theta);
        let last_share = (2.0 / f64::from(items)).powf(1.0 - theta);
        Some(Self {
            items,
            scramble: mix(seed),
            theta,
            zeta,
            alpha: 1.0 / (1.0 - theta),
            eta: (1.0 - last_share) / (1.0 - zeta_of_two / zeta),
        })
    }

    /// The keys that are asked for most.
    pub(crate) fn hottest(&self, count: u32) -> impl Iterator<Item = u32> {
        (0..count.min(self.items)).map(|rank| self.key_of_rank(rank))
    }

    /// The next key.
    pub(crate) fn pick(&self, rng: &mut Rng) -> u32 {
        self.key_of_rank(self.rank(rng.f64()))
    }

    /// The rank, 0 for the most popular, that a number from 0 to 1 falls on.
    fn rank(&self, uniform: f64) -> u32 {
        let scaled = uniform * self.zeta;
        if scaled < 1.0 {
            return 0;
        }
        if scaled < 1.0 + 0.5_f64.powf(self.theta) {
            return 1.min(self.items - 1);
        }
        let base = (self.eta * uniform - self.eta + 1.0).max(0.0);
        let rank = f64::from(self.items) * base.powf(self.alpha);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "rank is from 0 to `items`, a u32, and the clamp below holds the edge"
        )]
        let rank = rank as u32;
        rank.min(self.items - 1)
    }

    /// As in YCSB, two ranks may fall on one key: the skew stays, the neighbourhood goes.
    fn key_of_rank(&self, rank: u32) -> u32 {
        let key = mix(u64::from(rank) ^ self.scramble) % u64::from(self.items);
        u32::try_from(key).unwrap_or_default()
    }
}

/// The finalizer of `SplitMix64`.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
#[expect(
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a test may fail loudly"
)]
mod tests {
    use super::*;

    #[test]
    fn the_first_ranks_get_their_shares() {
        let zipf = Zipf::new(10_000, 1).expect("there are items");
        let mut rng = Rng::with_seed(7);
        let mut hits = vec![0_u32; 10_000];
        let draws = 400_000_u32;
        for _ in 0..draws {
            hits[zipf.rank(rng.f64()) as usize] += 1;
        }
        // The first two are exact in this method; those after it come in steps of a curve.
        for (rank, tolerance) in [(0_u32, 0.03), (1, 0.03), (9, 0.3), (99, 0.3)] {
            let expected = f64::from(draws) / f64::from(rank + 1).powf(THETA) / zipf.zeta;
            let ratio = f64::from(hits[rank as usize]) / expected;
            assert!((ratio - 1.0).abs() < tolerance, "rank {rank}: {ratio}");
        }
    }

    #[test]
    fn a_seed_gives_the_same_keys_and_another_seed_others() {
        let draw = |seed| {
            let zipf = Zipf::new(1_000, seed).expect("there are items");
            let mut rng = Rng::with_seed(seed);
            (0..50).map(|_| zipf.pick(&mut rng)).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn small_and_impossible_sizes() {
        assert!(Zipf::new(0, 1).is_none());
        assert!(Zipf::with_theta(10, 1, 1.0).is_none());
        for items in 1..5 {
            let zipf = Zipf::new(items, 1).expect("there are items");
            let mut rng = Rng::with_seed(1);
            assert!((0..1_000).all(|_| zipf.pick(&mut rng) < items));
            assert!(zipf.rank(0.0) < items && zipf.rank(1.0) < items);
        }
    }
}
