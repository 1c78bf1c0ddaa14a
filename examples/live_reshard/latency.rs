//! How long operations take, before and during the migration, and how long a client ever waits.

use std::time::Duration;

use hdrhistogram::{CreationError, Histogram};

/// Two digits after the first: a figure is right to 0.1 %.
const DIGITS: u8 = 3;
const NANOS_MAX: u64 = 60_000_000_000;

/// A distribution of durations in nanoseconds, up to a minute; longer ones count as a minute.
#[derive(Clone, Debug)]
pub(crate) struct Latency {
    histogram: Histogram<u64>,
}

impl Latency {
    pub(crate) fn new() -> Result<Self, CreationError> {
        let histogram = Histogram::new_with_bounds(1, NANOS_MAX, DIGITS)?;
        Ok(Self { histogram })
    }

    pub(crate) fn record(&mut self, nanos: u64) {
        self.histogram.saturating_record(nanos.max(1));
    }

    /// Adds another client's durations.
    pub(crate) fn merge(&mut self, other: &Self) {
        // Both have the same bounds, so there is nothing that could not be added.
        _ = self.histogram.add(&other.histogram);
    }

    pub(crate) fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// The duration that this share of all (0.99, say) stays within; 0 if there is none.
    pub(crate) fn quantile_ms(&self, share: f64) -> f64 {
        millis(self.histogram.value_at_quantile(share))
    }

    /// The longest.
    pub(crate) fn max_ms(&self) -> f64 {
        millis(self.histogram.max())
    }
}

/// A part of the run that has figures of its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Window {
    /// Steady traffic, nothing migrates.
    Before,
    /// From the first step of the migration to the last.
    During,
}

/// What one client measures; the run's figures are all of them merged.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    before: Latency,
    during: Latency,
    last_ns: Option<u64>,
    gap_ns_max: u64,
}

impl Meter {
    pub(crate) fn new() -> Result<Self, CreationError> {
        Ok(Self {
            before: Latency::new()?,
            during: Latency::new()?,
            last_ns: None,
            gap_ns_max: 0,
        })
    }

    /// An operation is over, in a window or outside of both (warm-up, cool-down).
    ///
    /// The gap since the client's last completion counts if this one is `During`.
    pub(crate) fn completed(&mut self, window: Option<Window>, invoke_ns: u64, complete_ns: u64) {
        let took = complete_ns.saturating_sub(invoke_ns);
        match window {
            Some(Window::Before) => self.before.record(took),
            Some(Window::During) => {
                self.during.record(took);
                let last_ns = self.last_ns.unwrap_or(invoke_ns);
                self.gap_ns_max = self.gap_ns_max.max(complete_ns.saturating_sub(last_ns));
            }
            None => {}
        }
        self.last_ns = Some(complete_ns);
    }

    /// Adds another client's figures; of the gaps the longer one stays.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.before.merge(&other.before);
        self.during.merge(&other.during);
        self.gap_ns_max = self.gap_ns_max.max(other.gap_ns_max);
    }

    pub(crate) fn latency(&self, window: Window) -> &Latency {
        match window {
            Window::Before => &self.before,
            Window::During => &self.during,
        }
    }

    /// The longest time between two completions of one client during the migration.
    pub(crate) fn gap_ms_max(&self) -> f64 {
        millis(self.gap_ns_max)
    }
}

fn millis(nanos: u64) -> f64 {
    Duration::from_nanos(nanos).as_secs_f64() * 1_000.0
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[track_caller]
    fn near(figure: f64, expected: f64) {
        assert!((figure / expected - 1.0).abs() < 0.002, "{figure}");
    }

    #[test]
    fn quantiles_are_right_to_a_thousandth() {
        let mut latency = Latency::new().expect("good bounds");
        for ms in 1..=1_000 {
            latency.record(ms * MS);
        }
        near(latency.quantile_ms(0.5), 500.0);
        near(latency.quantile_ms(0.99), 990.0);
        near(latency.quantile_ms(0.999), 999.0);
        near(latency.max_ms(), 1_000.0);
        latency.record(u64::MAX);
        near(latency.max_ms(), 60_000.0);
    }

    #[test]
    fn nothing_recorded_is_zero() {
        let latency = Latency::new().expect("good bounds");
        assert_eq!(latency.count(), 0);
        assert!(latency.quantile_ms(0.99) < f64::EPSILON);
    }

    #[test]
    fn windows_are_apart_and_a_gap_counts_where_it_ends() {
        let mut one = Meter::new().expect("good bounds");
        one.completed(None, 0, MS);
        one.completed(Some(Window::Before), 50 * MS, 51 * MS);
        one.completed(Some(Window::During), 60 * MS, 62 * MS);
        one.completed(None, 500 * MS, 501 * MS);
        near(one.gap_ms_max(), 11.0);
        let mut two = Meter::new().expect("good bounds");
        two.completed(Some(Window::During), 5 * MS, 25 * MS);
        near(two.gap_ms_max(), 20.0);
        one.merge(&two);
        near(one.gap_ms_max(), 20.0);
        assert_eq!(one.latency(Window::Before).count(), 1);
        assert_eq!(one.latency(Window::During).count(), 2);
        near(one.latency(Window::During).max_ms(), 20.0);
    }
}
