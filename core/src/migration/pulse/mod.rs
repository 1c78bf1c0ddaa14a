//! Health that is measured: what operations and requests took and how they ended, over the last
//! while, as the facts that gates ask for.

mod latencies;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::ids::ShardId;
use crate::migration::gates::{Health, StoreHealth};
use crate::migration::pulse::latencies::{Latencies, p99};
use crate::snapshot::Snapshot;
use crate::time::Instant;

/// The window is counted in so many parts; the oldest goes when a new one begins.
const PARTS: u64 = 10;
/// Requests of a shard that are remembered: how each ended, as one bit.
const REQUESTS: u32 = 16;
/// Fewer requests than this say nothing of a shard.
const REQUESTS_MIN: u32 = 4;

/// What a [`Pulse`] holds samples against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PulseOptions {
    /// How far back it looks, at least 10. 30,000 by default.
    pub window_ms: u64,
    /// Fewer operations than this in the window say nothing. 20 by default.
    pub samples_min: u64,
    /// A request that takes longer than this is as bad for its store as one that fails. 1,000,000
    /// by default.
    pub slow_us: u32,
    /// A baseline below this counts as this: so near to nothing, a multiple says more of the
    /// scheduler than of the stores. 10,000 by default.
    pub baseline_us_min: u32,
}

impl Default for PulseOptions {
    fn default() -> Self {
        Self {
            window_ms: 30_000,
            samples_min: 20,
            slow_us: 1_000_000,
            baseline_us_min: 10_000,
        }
    }
}

/// Measures health: told what happened, it says how things are.
///
/// Its p99 is never below the true one of the window, and above it by less than a sixteenth. It
/// takes about 20 KB, and a few bytes for each shard; a sample allocates nothing, but for the first
/// one of a shard.
///
/// - Inputs, in any order: [`handle_operation`](Self::handle_operation),
///   [`handle_request`](Self::handle_request), [`handle_mirror`](Self::handle_mirror).
/// - Commands: [`handle_snapshot`](Self::handle_snapshot) takes the baseline when a wave begins;
///   [`take_baseline`](Self::take_baseline) and [`drop_baseline`](Self::drop_baseline) do it by
///   hand.
/// - Getter: [`health`](Self::health).
///
/// ```
/// use ringshift::migration::{Pulse, PulseOptions};
/// use ringshift::{Instant, ShardId};
/// let mut pulse = Pulse::new(PulseOptions::default());
/// for ms in 0..100 {
///     let now = Instant::from_millis(ms);
///     pulse.handle_request(now, ShardId(1), 15_000, false);
///     pulse.handle_operation(now, 15_000, ms == 7);
/// }
/// pulse.take_baseline();
/// let health = pulse.health();
/// assert_eq!(health.error_ppm, Some(10_000));
/// assert_eq!(health.p99_us, Some(15_359)); // less than a sixteenth above
/// assert_eq!(health.baseline_p99_us, health.p99_us);
/// assert!(health.stores[0].healthy);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulse {
    options: PulseOptions,
    now: Instant,
    parts: Vec<Part>,
    shards: BTreeMap<ShardId, Requests>,
    baseline: Option<u32>,
    /// Whether a wave is in the newest snapshot.
    moving: bool,
}

/// What happened in one part of the window.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    /// Which stretch of time it is, counted from the clock's origin.
    number: u64,
    latencies: Latencies,
    failed: u64,
    mirrors: u64,
    mirrors_failed: u64,
}

/// How a shard's last requests ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Requests {
    /// One bit each, the newest lowest: whether it was bad.
    bad: u16,
    seen: u32,
    at: Instant,
}

impl Pulse {
    /// One that has seen nothing.
    #[must_use]
    pub fn new(options: PulseOptions) -> Self {
        let part = Part {
            number: u64::MAX,
            latencies: Latencies::new(),
            failed: 0,
            mirrors: 0,
            mirrors_failed: 0,
        };
        Self {
            options,
            now: Instant::ZERO,
            parts: (0..PARTS).map(|_| part.clone()).collect(),
            shards: BTreeMap::new(),
            baseline: None,
            moving: false,
        }
    }

    /// An operation of the application's has ended: it took `took_us` microseconds, all attempts
    /// and waits together, and failed or not. What it found, a conflict too, is no failure.
    pub fn handle_operation(&mut self, now: Instant, took_us: u32, failed: bool) {
        if let Some(part) = self.part(now) {
            part.latencies.add(took_us);
            part.failed += u64::from(failed);
        }
    }

    /// A request to a shard's store has ended: `failed` if there was no answer, or one that the
    /// store is broken. A guard's refusal is an answer.
    pub fn handle_request(&mut self, now: Instant, shard: ShardId, took_us: u32, failed: bool) {
        self.now = self.now.max(now);
        let bad = failed || took_us > self.options.slow_us;
        let requests = self.shards.entry(shard).or_default();
        requests.bad = (requests.bad << 1) | u16::from(bad);
        requests.seen = (requests.seen + 1).min(REQUESTS);
        requests.at = self.now;
    }

    /// A mirror write has ended. It is a request to its shard as well: say that beside this.
    pub fn handle_mirror(&mut self, now: Instant, failed: bool) {
        if let Some(part) = self.part(now) {
            part.mirrors += 1;
            part.mirrors_failed += u64::from(failed);
        }
    }

    /// A snapshot is in force. The first one with a wave takes the baseline: what was seen before
    /// it. The first one without drops it.
    pub fn handle_snapshot(&mut self, now: Instant, snapshot: &Snapshot) {
        self.now = self.now.max(now);
        let keyspaces = &snapshot.content().keyspaces;
        let moving = keyspaces.iter().any(|keyspace| !keyspace.waves.is_empty());
        match (self.moving, moving) {
            (false, true) => self.take_baseline(),
            (true, false) => self.drop_baseline(),
            (true, true) | (false, false) => {}
        }
        self.moving = moving;
    }

    /// What the window has now is what is usual. Does nothing where it has too little.
    pub fn take_baseline(&mut self) {
        self.baseline = self.p99().or(self.baseline);
    }

    /// Nothing is usual.
    pub fn drop_baseline(&mut self) {
        self.baseline = None;
    }

    /// Whether there is a baseline.
    pub fn has_baseline(&self) -> bool {
        self.baseline.is_some()
    }

    /// Time has passed: what is older than the window is forgotten.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    /// How things are, as of the last input. What too few samples say, and shards of which the
    /// window has no request, are not known. Shadow reads are for others to fill in.
    pub fn health(&self) -> Health {
        let operations = p99(&self.live().map(|part| &part.latencies)).1;
        let failed = self.live().map(|part| part.failed).sum();
        let mirrors = self.live().map(|part| part.mirrors).sum();
        let mirrors_failed = self.live().map(|part| part.mirrors_failed).sum();
        let known = |(&shard, requests): (&ShardId, &Requests)| {
            let fresh = self.now.since(requests.at) <= self.options.window_ms;
            let healthy = requests.healthy().filter(|_| fresh)?;
            Some(StoreHealth { shard, healthy })
        };
        Health {
            error_ppm: self.ppm(failed, operations),
            p99_us: self.p99(),
            baseline_p99_us: self.baseline.map(|us| us.max(self.options.baseline_us_min)),
            mirror_failures_ppm: self.ppm(mirrors_failed, mirrors),
            shadow_compared: None,
            shadow_mismatches: None,
            stores: self.shards.iter().filter_map(known).collect(),
        }
    }

    fn p99(&self) -> Option<u32> {
        let (p99, operations) = p99(&self.live().map(|part| &part.latencies));
        p99.filter(|_| operations >= self.options.samples_min)
    }

    fn ppm(&self, part: u64, of: u64) -> Option<u32> {
        let ppm = part.saturating_mul(1_000_000).checked_div(of)?;
        (of >= self.options.samples_min).then(|| u32::try_from(ppm).unwrap_or(u32::MAX))
    }

    /// The number of the stretch that a moment is in.
    fn number(&self, at: Instant) -> u64 {
        at.as_millis() / (self.options.window_ms / PARTS).max(1)
    }

    /// The parts that are in the window.
    fn live(&self) -> impl Iterator<Item = &Part> + Clone {
        let newest = self.number(self.now);
        let parts = self.parts.iter();
        parts.filter(move |part| part.number <= newest && newest - part.number < PARTS)
    }

    /// The part of now, emptied if it was of another stretch.
    fn part(&mut self, now: Instant) -> Option<&mut Part> {
        self.now = self.now.max(now);
        let number = self.number(self.now);
        let part = self
            .parts
            .get_mut(usize::try_from(number % PARTS).unwrap_or(0))?;
        if part.number != number {
            part.number = number;
            part.latencies.clear();
            (part.failed, part.mirrors, part.mirrors_failed) = (0, 0, 0);
        }
        Some(part)
    }
}

impl Requests {
    /// Whether fewer than half of the last ones were bad.
    fn healthy(&self) -> Option<bool> {
        let bad = self.bad.count_ones();
        (self.seen >= REQUESTS_MIN).then_some(bad * 2 < self.seen)
    }
}

#[cfg(test)]
mod tests;
