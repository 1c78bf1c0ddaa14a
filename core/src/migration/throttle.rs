//! How fast rows are copied and removed: slower when live traffic suffers, faster when it doesn't.

use serde::{Deserialize, Serialize};

use crate::time::Instant;

/// The bounds of the copying rate. A barrier's drain is never throttled.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Throttle {
    /// Rows a second, at least: copying must end some day. 500 by default.
    pub rows_per_s_min: u32,
    /// Rows a second at the start; 0: as many as are allowed. 0 by default.
    pub rows_per_s_start: u32,
    /// Rows a second, at most; 0: as many as there come, whatever the latency. 200,000 by default.
    pub rows_per_s_max: u32,
    /// The rate changes at most once in so long. 1,000 by default.
    pub adjust_ms: u64,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            rows_per_s_min: 500,
            rows_per_s_start: 0,
            rows_per_s_max: 200_000,
            adjust_ms: 1_000,
        }
    }
}

impl Throttle {
    /// No throttle at all.
    pub const OFF: Self = Self {
        rows_per_s_min: 0,
        rows_per_s_start: 0,
        rows_per_s_max: 0,
        adjust_ms: 0,
    };

    fn bounded(&self, rate: u32) -> u32 {
        // A minimum above the maximum is one rate: the maximum.
        let min = self.rows_per_s_min.clamp(1, self.rows_per_s_max.max(1));
        rate.clamp(min, self.rows_per_s_max.max(min))
    }
}

/// The rate as it is, and when the next chunk may begin.
///
/// - Inputs: [`handle_p99`](Self::handle_p99), [`spend`](Self::spend).
/// - Getters: [`rate`](Self::rate), [`ready_at`](Self::ready_at).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Pace {
    /// Rows a second; `None` before the first adjustment.
    rate: Option<u32>,
    adjusted: Option<Instant>,
    /// In microseconds, so that small chunks add up.
    ready_us: u64,
}

impl Pace {
    /// Rows a second; `None` for no limit.
    pub fn rate(&self, settings: &Throttle, cap: Option<u32>) -> Option<u32> {
        let own = (settings.rows_per_s_max > 0).then(|| {
            let start = match settings.rows_per_s_start {
                0 => settings.rows_per_s_max,
                start => start,
            };
            settings.bounded(self.rate.unwrap_or(start))
        });
        own.into_iter().chain(cap).min()
    }

    /// The p99 is `p99_us`, and should stay below `limit_us`. Above 80 % of the limit, the target,
    /// the rate falls to 0.8 of itself; under half of the target it rises to 1.2 of itself. Where
    /// the baseline is above half of the target already, it rises under 1.1 of the baseline: a
    /// rate that has fallen must find a way up again.
    pub fn handle_p99(
        &mut self,
        now: Instant,
        settings: &Throttle,
        p99_us: u64,
        limit_us: u64,
        baseline_us: Option<u64>,
    ) {
        let early = |at| now.since(at) < settings.adjust_ms;
        let Some(rate) = self.rate(settings, None) else {
            return;
        };
        if self.adjusted.is_some_and(early) {
            return;
        }
        let target = limit_us.saturating_mul(4) / 5;
        let near_baseline = baseline_us.map_or(0, |us| us.saturating_mul(11) / 10);
        let low = (target / 2).max(near_baseline.min(target));
        let next = if p99_us > target {
            u64::from(rate) * 4 / 5
        } else if p99_us < low {
            // Rounded up, so that a small rate rises too.
            (u64::from(rate) * 6).div_ceil(5)
        } else {
            return;
        };
        self.adjusted = Some(now);
        self.rate = Some(settings.bounded(u32::try_from(next).unwrap_or(u32::MAX)));
    }

    /// `rows` were copied or removed by `now`.
    pub fn spend(&mut self, now: Instant, rate: Option<u32>, rows: u32) {
        let Some(rate) = rate else {
            return;
        };
        let us = u64::from(rows) * 1_000_000 / u64::from(rate.max(1));
        // Time that wasn't used isn't saved up: a burst is what the throttle is against.
        self.ready_us = now.as_millis().saturating_mul(1_000).max(self.ready_us);
        self.ready_us = self.ready_us.saturating_add(us);
    }

    /// When the next chunk may begin.
    pub fn ready_at(&self) -> Instant {
        Instant::from_millis(self.ready_us.div_ceil(1_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    #[test]
    fn it_slows_above_four_fifths_of_the_limit_and_hastens_under_half_of_that() {
        let settings = Throttle {
            rows_per_s_start: 1_000,
            ..Throttle::default()
        };
        let mut pace = Pace::default();
        let mut rate_after = |now, p99| {
            pace.handle_p99(at(now), &settings, p99, 1_000, None);
            pace.rate(&settings, None)
        };
        assert_eq!(rate_after(0, 800), Some(1_000), "at the target: as it was");
        assert_eq!(rate_after(0, 801), Some(800));
        assert_eq!(rate_after(999, 900), Some(800), "too early to judge");
        assert_eq!(rate_after(1_000, 900), Some(640));
        assert_eq!(rate_after(2_000, 400), Some(640), "half of the target");
        assert_eq!(rate_after(2_000, 399), Some(768));
    }

    #[test]
    fn near_its_baseline_it_rises_again() {
        let settings = Throttle::default();
        let mut pace = Pace::default();
        pace.handle_p99(at(0), &settings, 1_400, 1_500, Some(1_000));
        assert_eq!(pace.rate(&settings, None), Some(160_000));
        pace.handle_p99(at(1_000), &settings, 1_099, 1_500, Some(1_000));
        assert_eq!(pace.rate(&settings, None), Some(192_000));
    }

    #[test]
    fn chunks_are_spaced_by_the_rate_and_small_ones_add_up() {
        let mut pace = Pace::default();
        assert_eq!(pace.ready_at(), Instant::ZERO);
        for _ in 0..10 {
            pace.spend(at(100), Some(10_000), 1);
        }
        assert_eq!(pace.ready_at(), at(101));
        pace.spend(at(5_000), Some(100), 50);
        assert_eq!(pace.ready_at(), at(5_500));
        pace.spend(at(5_000), None, 50);
        assert_eq!(pace.ready_at(), at(5_500), "no rate, no wait");
    }

    #[test]
    fn a_cap_lowers_the_rate_but_never_raises_it() {
        let settings = Throttle::default();
        let pace = Pace::default();
        assert_eq!(pace.rate(&settings, Some(7)), Some(7));
        assert_eq!(pace.rate(&settings, Some(u32::MAX)), Some(200_000));
        assert_eq!(pace.rate(&Throttle::OFF, None), None);
        assert_eq!(pace.rate(&Throttle::OFF, Some(7)), Some(7));
    }

    proptest! {
        #[test]
        fn the_rate_never_leaves_its_bounds(
            (min, max, start) in (0..2_000_u32, 1..2_000_u32, 0..4_000_u32),
            p99s in proptest::collection::vec((0..3_000_u64, 0..3_000_u64, proptest::option::of(0..2_000_u64)), 0..60),
        ) {
            let settings = Throttle {
                rows_per_s_min: min,
                rows_per_s_max: max,
                rows_per_s_start: start,
                adjust_ms: 0,
            };
            let mut pace = Pace::default();
            for (i, (p99, limit, baseline)) in (0_u64..).zip(p99s) {
                let before = pace.rate(&settings, None).unwrap_or_default();
                pace.handle_p99(at(i), &settings, p99, limit, baseline);
                let rate = pace.rate(&settings, None).unwrap_or_default();
                prop_assert!(rate <= max && rate >= min.clamp(1, max), "{rate}");
                // Live traffic first: never faster above the target.
                prop_assert!(p99 <= limit * 4 / 5 || rate <= before);
            }
        }

        #[test]
        fn no_more_rows_than_the_rate_allows(
            rate in 1..5_000_u32,
            chunks in proptest::collection::vec((0..600_u32, 0..50_u64), 1..60),
        ) {
            let mut pace = Pace::default();
            let (mut now, mut rows, mut last) = (0_u64, 0_u64, 0_u64);
            for (chunk, late) in chunks {
                now = now.max(pace.ready_at().as_millis()) + late;
                // All but the chunk that begins now had their time.
                prop_assert!(rows.saturating_sub(last) * 1_000 <= (now + 1) * u64::from(rate) + last * 1_000);
                prop_assert!(rows * 1_000 <= (now + 1) * u64::from(rate));
                pace.spend(at(now), Some(rate), chunk);
                (rows, last) = (rows + u64::from(chunk), u64::from(chunk));
            }
        }
    }
}
