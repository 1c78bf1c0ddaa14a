//! How long things took, in buckets that grow with what they hold.

use alloc::vec;
use alloc::vec::Vec;

/// Buckets for each doubling, as a power of two.
const SUB_BITS: u32 = 4;
/// The same, as a number.
const SUBS: u32 = 1 << SUB_BITS;
/// All of them: one for each microsecond below 16, then 16 for each doubling up to 2^32.
const BUCKETS: usize = (SUBS * (32 - SUB_BITS + 1)) as usize;

/// A histogram of microseconds, of fixed size.
///
/// What it answers is never below the truth, and above it by less than a sixteenth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Latencies {
    counts: Vec<u32>,
}

impl Latencies {
    pub(super) fn new() -> Self {
        Self {
            counts: vec![0; BUCKETS],
        }
    }

    pub(super) fn add(&mut self, us: u32) {
        if let Some(count) = self.counts.get_mut(bucket(us)) {
            *count = count.saturating_add(1);
        }
    }

    pub(super) fn clear(&mut self) {
        self.counts.fill(0);
    }
}

/// The smallest number that at least 99 of 100 of what all of these hold don't exceed, and of how
/// many; `None` where they hold nothing.
pub(super) fn p99<'l>(all: &(impl Iterator<Item = &'l Latencies> + Clone)) -> (Option<u32>, u64) {
    let held = |at: usize| -> u64 {
        let counts = all.clone().filter_map(|one| one.counts.get(at));
        counts.map(|&count| u64::from(count)).sum()
    };
    let total: u64 = (0..BUCKETS).map(held).sum();
    // Of 100 it is the 99th, of fewer the highest.
    let rank = total - total / 100;
    let mut below = 0;
    for at in 0..BUCKETS {
        below += held(at);
        if below >= rank && below > 0 {
            return (Some(highest(at)), total);
        }
    }
    (None, total)
}

fn bucket(us: u32) -> usize {
    if us < SUBS {
        return us as usize;
    }
    let doubling = us.ilog2() - SUB_BITS;
    let sub = (us >> doubling) - SUBS;
    (SUBS * (doubling + 1) + sub) as usize
}

/// The highest number that falls into a bucket.
fn highest(bucket: usize) -> u32 {
    let bucket = u32::try_from(bucket).unwrap_or(u32::MAX);
    if bucket < SUBS {
        return bucket;
    }
    let doubling = bucket / SUBS - 1;
    let above = u64::from(SUBS + bucket % SUBS + 1) << doubling;
    u32::try_from(above - 1).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_buckets_follow_each_other_without_a_gap() {
        let mut next = 0_u64;
        for at in 0..BUCKETS {
            let lowest = u32::try_from(next).unwrap_or(u32::MAX);
            assert_eq!(bucket(lowest), at, "the bucket of {lowest}");
            assert_eq!(bucket(highest(at)), at);
            next = u64::from(highest(at)) + 1;
        }
        assert_eq!(next, 1 << 32);
    }

    proptest! {
        #[test]
        fn the_p99_is_within_its_stated_error(
            mut took in proptest::collection::vec(
                prop_oneof![0..100_u32, 0..100_000_u32, any::<u32>()], 1..400),
            parts in 1..5_usize,
        ) {
            let mut all = vec![Latencies::new(); parts];
            for (at, &us) in took.iter().enumerate() {
                if let Some(part) = all.get_mut(at % parts) {
                    part.add(us);
                }
            }
            took.sort_unstable();
            let rank = (took.len() * 99).div_ceil(100);
            let exact = took.get(rank - 1).copied().unwrap_or_default();
            let (found, total) = p99(&all.iter());
            let found = found.unwrap_or_default();
            prop_assert_eq!(total, took.len() as u64);
            prop_assert!(found >= exact, "{found} is below {exact}");
            prop_assert!(found - exact <= exact / 16, "{found} is far above {exact}");
        }
    }
}
