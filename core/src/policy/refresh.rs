//! One refresh for many waiting operations.
//!
//! A thousand operations that learn at once that their map is old must not ask the topology store
//! a thousand times. A process has one gate; whoever needs a newer map asks it first.

use crate::hash::xxh3;
use crate::ids::Epoch;
use crate::route::Plan;
use crate::time::Instant;

/// A process's gate before the topology store.
///
/// - Commands: [`want`](Self::want).
/// - Inputs: [`fetched`](Self::fetched), [`renewed`](Self::renewed), [`failed`](Self::failed).
/// - Getters: [`lease`](Self::lease), [`begun`](Self::begun).
///
/// Calling any of them early, late or twice does no harm.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RefreshGate {
    /// The epoch of the map in hand.
    have: Epoch,
    in_flight: bool,
    /// Not before this moment.
    not_before: Instant,
    failures: u16,
    /// Refreshes begun; also what jitter is drawn from.
    begun: u64,
    gap_ms: u32,
    seed: u64,
    /// The last map that was known to be in force, and from when on.
    current: Option<(Epoch, Instant)>,
}

/// What an operation that needs a newer map is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshStep {
    /// The map in hand is new enough.
    InHand,
    /// Fetch, then say [`RefreshGate::fetched`] or [`RefreshGate::failed`]. The gate says so to
    /// one caller at a time.
    Fetch,
    /// Somebody is fetching: wait for that one.
    Join,
    /// Come back at this moment.
    Wait {
        /// When.
        until: Instant,
    },
}

impl RefreshGate {
    /// A gate for a process that has a map of epoch `have`; two fetches that found nothing newer
    /// are at least `gap_ms` apart, and `seed` spreads them over processes.
    pub const fn new(have: Epoch, gap_ms: u32, seed: u64) -> Self {
        Self {
            have,
            in_flight: false,
            not_before: Instant::ZERO,
            failures: 0,
            begun: 0,
            gap_ms,
            seed,
            current: None,
        }
    }

    /// Asks for a map past `newer_than`.
    #[must_use]
    pub fn want(&mut self, now: Instant, newer_than: Epoch) -> RefreshStep {
        if self.have > newer_than {
            return RefreshStep::InHand;
        }
        if self.in_flight {
            return RefreshStep::Join;
        }
        if now < self.not_before {
            return RefreshStep::Wait {
                until: self.not_before,
            };
        }
        self.in_flight = true;
        self.begun += 1;
        RefreshStep::Fetch
    }

    /// The fetch brought a map of epoch `epoch` (the same as before, when there is nothing newer).
    pub fn fetched(&mut self, now: Instant, epoch: Epoch) {
        self.in_flight = false;
        if epoch > self.have {
            // Something new: whoever needs more may ask at once.
            self.have = epoch;
            self.failures = 0;
            self.not_before = now;
        } else {
            self.hold_off(now);
        }
    }

    /// The fetch, whose request was sent at `sent`, has said that the map of `epoch` was in force
    /// when it was answered: the newer one that it brought, or the one that was in hand when there
    /// was nothing newer. Leases count from `sent`.
    ///
    /// Only for a source that looks into the topology store at each request. An answer that was kept
    /// somewhere may be older than its request, and renews nothing: say [`fetched`](Self::fetched).
    pub fn renewed(&mut self, now: Instant, sent: Instant, epoch: Epoch) {
        let known = self.current.unwrap_or((Epoch::ZERO, Instant::ZERO));
        self.current = Some((known.0.max(epoch), known.1.max(sent)));
        // Nothing newer is what was hoped for: the next may ask as soon as this one did.
        self.failures = 0;
        self.fetched(now, epoch);
        self.failures = 0;
    }

    /// `plan` with the end of its lease: that of the map that was last known to be in force, where
    /// the plan is by that one or a newer.
    ///
    /// ```
    /// # use ringshift::*;
    /// # let text = r#"{"cluster":"demo","keyspaces":{"k":{}},
    /// #   "client_lease":{"lease_ms":1000,"attempt_ms":200,"margin_ms":100},
    /// #   "shards":[{"id":1,"name":"theirs","unfenced":true}]}"#;
    /// # let topology: Topology = serde_json::from_str(text)?;
    /// # let router = Router::new(topology.snapshot()?.into());
    /// let plan = router.keyspace("k")?.plan(b"user:42")?;
    /// let mut gate = RefreshGate::new(plan.snapshot, 5, 0);
    /// let until = |plan: Plan| plan.leased.map(|leased| leased.until.as_millis());
    /// assert_eq!(until(gate.lease(plan)), Some(0), "nothing is sent before a refresh");
    ///
    /// // Asked at 7, answered at 40: there is nothing newer.
    /// gate.renewed(Instant::from_millis(40), Instant::from_millis(7), plan.snapshot);
    /// assert_eq!(until(gate.lease(plan)), Some(1_007));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn lease(&self, mut plan: Plan) -> Plan {
        if let (Some(leased), Some((epoch, sent))) = (&mut plan.leased, self.current)
            && plan.snapshot >= epoch
        {
            leased.until = sent.after(leased.lease_ms.into());
        }
        plan
    }

    /// The fetch failed.
    pub fn failed(&mut self, now: Instant) {
        self.in_flight = false;
        self.hold_off(now);
    }

    /// How many fetches were begun.
    pub const fn begun(&self) -> u64 {
        self.begun
    }

    fn hold_off(&mut self, now: Instant) {
        let gap = u64::from(self.gap_ms.max(1)) << self.failures.min(6);
        let jitter = xxh3(&self.begun.to_le_bytes(), self.seed) % (gap / 2 + 1);
        self.failures = self.failures.saturating_add(1);
        self.not_before = now.after(gap / 2 + jitter + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn e(n: u32) -> Epoch {
        Epoch::new(n).unwrap_or(Epoch::MAX)
    }

    #[test]
    fn race_11_a_thousand_stale_operations_make_one_refresh() {
        let mut gate = RefreshGate::new(e(1), 10, 7);
        let now = Instant::from_millis(100);
        let mut fetches = 0;
        for _ in 0..1_000 {
            match gate.want(now, e(1)) {
                RefreshStep::Fetch => fetches += 1,
                RefreshStep::Join => {}
                other => assert_eq!(other, RefreshStep::Join),
            }
        }
        assert_eq!(fetches, 1);
        gate.fetched(now, e(2));
        for _ in 0..1_000 {
            assert_eq!(gate.want(now, e(1)), RefreshStep::InHand);
        }
        assert_eq!(gate.begun(), 1);
    }

    #[test]
    fn race_11_a_store_without_news_is_asked_less_and_less() {
        let mut gate = RefreshGate::new(e(1), 10, 7);
        let mut now = Instant::ZERO;
        let mut waits = alloc::vec::Vec::new();
        for _ in 0..6 {
            assert_eq!(gate.want(now, e(1)), RefreshStep::Fetch);
            gate.failed(now);
            let until = match gate.want(now, e(1)) {
                RefreshStep::Wait { until } => until,
                _ => now,
            };
            assert!(until > now, "no wait after a failure");
            waits.push(until.since(now));
            now = until;
        }
        assert!(waits.first() < waits.last(), "{waits:?}");
    }

    #[test]
    fn waits_double_up_to_a_cap_and_are_spread_over_their_upper_half() {
        for gap_ms in [0, 1, 10] {
            let mut longest = 0;
            for seed in 0..32 {
                let mut gate = RefreshGate::new(e(1), gap_ms, seed);
                let mut now = Instant::from_millis(5);
                for failures in 0..9_u32 {
                    assert_eq!(gate.want(now, e(1)), RefreshStep::Fetch);
                    if failures % 2 == 0 {
                        gate.failed(now);
                    } else {
                        // It brought what was there already.
                        gate.fetched(now, e(1));
                    }
                    let until = match gate.want(now, e(1)) {
                        RefreshStep::Wait { until } => until,
                        _ => now,
                    };
                    let (wait, gap) = (until.since(now), gap_ms.max(1) << failures.min(6));
                    let gap = u64::from(gap);
                    assert!((gap / 2 + 1..=gap + 1).contains(&wait), "{wait} of {gap}");
                    longest = longest.max(wait);
                    now = until;
                }
                assert_eq!(gate.begun(), 9);
            }
            let gap = u64::from(gap_ms.max(1)) << 6;
            assert!(longest > gap / 2 + gap / 4, "all wait alike: {longest}");
        }
    }

    #[test]
    fn an_older_map_changes_nothing() {
        let mut gate = RefreshGate::new(e(5), 10, 7);
        gate.fetched(Instant::ZERO, e(3));
        assert_eq!(gate.want(Instant::ZERO, e(4)), RefreshStep::InHand);
    }
}
