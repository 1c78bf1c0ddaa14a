//! Gates: what must hold before a migration goes on, judged from facts that are handed in.

use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::ShardId;

/// What is asked before a wave advances, and what follows when the answer stays no.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gates {
    /// Operations of a million that fail must be fewer than this. 10,000 (1 %) by default.
    pub error_ppm_limit: u32,
    /// The p99 must be below this many percent of the baseline. 150 by default.
    pub p99_percent_limit: u32,
    /// The p99 must also be below this many microseconds, where a limit is named. It is then the
    /// throttle's limit too.
    pub p99_us_limit: Option<u32>,
    /// Mirror writes of a million that fail must be fewer than this. 10,000 by default.
    pub mirror_failures_ppm_limit: u32,
    /// Mismatches that clients have found since the phase began may be so many. 0 by default.
    pub shadow_mismatches_max: u64,
    /// Health that is older than this isn't known any more. 60,000 by default.
    pub health_ms_max: u64,
    /// What a fact that isn't known does. It passes by default.
    pub unknown: Unknown,
    /// A gate that has failed is asked again after so long. 1,000 by default.
    pub recheck_ms: u64,
    /// A gate may go on failing for so long. 300,000 by default.
    pub patience_ms: u64,
    /// What is done then. The wave steps back by default.
    pub after_patience: AfterPatience,
    /// A wave that has stepped back so often, and fails again, takes the migration back. 3 by
    /// default.
    pub steps_back_max: u32,
    /// Whether *finish*, which has no way back, waits for somebody's word. It doesn't by default.
    pub finish: Consent,
    /// Whether whoever carries the commands out looks after the stores itself, and gates hear of
    /// it ([`StoreWatch`](crate::migration::StoreWatch)). It does by default.
    pub watch_stores: bool,
}

impl Default for Gates {
    fn default() -> Self {
        Self {
            error_ppm_limit: 10_000,
            p99_percent_limit: 150,
            p99_us_limit: None,
            mirror_failures_ppm_limit: 10_000,
            shadow_mismatches_max: 0,
            health_ms_max: 60_000,
            unknown: Unknown::Pass,
            recheck_ms: 1_000,
            patience_ms: 300_000,
            after_patience: AfterPatience::StepBack,
            steps_back_max: 3,
            finish: Consent::Automatic,
            watch_stores: true,
        }
    }
}

/// What a gate does about a fact that nobody has handed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unknown {
    /// It passes, and says that it doesn't know.
    #[default]
    Pass,
    /// It fails until the fact is known.
    Wait,
}

/// What is done about a gate that goes on failing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AfterPatience {
    /// The wave steps back: to a smaller ramp, to double-write, or the migration rolls back.
    #[default]
    StepBack,
    /// The migration pauses where it is.
    Pause,
    /// Nothing: it goes on waiting.
    Wait,
}

/// Who says that a migration may finish.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consent {
    /// The end of the rollback window.
    #[default]
    Automatic,
    /// Somebody: [`Coordinator::agree_to_finish`](crate::migration::Coordinator::agree_to_finish).
    Asked,
}

/// How the application and the stores are doing, as far as it is known. Rates are those of the
/// last while, a minute, say; what isn't known is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Health {
    /// Operations of a million that failed.
    pub error_ppm: Option<u32>,
    /// The 99th percentile of the operations' latency, in microseconds.
    pub p99_us: Option<u32>,
    /// The same before the migration began.
    pub baseline_p99_us: Option<u32>,
    /// Mirror writes of a million that failed.
    pub mirror_failures_ppm: Option<u32>,
    /// Reads that clients have compared in shadow-read, ever.
    pub shadow_compared: Option<u64>,
    /// Mismatches that they have confirmed, ever.
    pub shadow_mismatches: Option<u64>,
    /// The stores of which it is known whether they are healthy.
    pub stores: Vec<StoreHealth>,
}

impl Health {
    /// The same, with what was `seen` of the stores besides. Facts that are handed in come first,
    /// the p99 together with its baseline; a store is healthy if nobody says otherwise.
    #[must_use]
    pub fn with(mut self, seen: &Self) -> Self {
        if self.p99_us.is_none() {
            (self.p99_us, self.baseline_p99_us) = (seen.p99_us, seen.baseline_p99_us);
        }
        self.error_ppm = self.error_ppm.or(seen.error_ppm);
        self.mirror_failures_ppm = self.mirror_failures_ppm.or(seen.mirror_failures_ppm);
        for theirs in &seen.stores {
            match self.stores.iter_mut().find(|s| s.shard == theirs.shard) {
                Some(ours) => ours.healthy &= theirs.healthy,
                None => self.stores.push(*theirs),
            }
        }
        self
    }
}

/// Whether a shard's store is healthy: it answers, and has room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreHealth {
    /// The shard.
    pub shard: ShardId,
    /// Whether it is.
    pub healthy: bool,
}

/// One thing that must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Gate {
    /// Few operations fail.
    Errors,
    /// The p99 stays near its baseline.
    Latency,
    /// Few mirror writes fail.
    MirrorFailures,
    /// Clients find no mismatches.
    ShadowMismatches,
    /// The coordinator's own comparisons find none.
    Mismatches,
    /// A shard's store is healthy.
    Store(ShardId),
    /// The hour is one of those allowed.
    Hours,
    /// Somebody has agreed to the point of no return.
    Consent,
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Errors => "errors",
            Self::Latency => "latency",
            Self::MirrorFailures => "mirror-failures",
            Self::ShadowMismatches => "shadow-mismatches",
            Self::Mismatches => "mismatches",
            Self::Store(shard) => return write!(f, "store of shard {shard}"),
            Self::Hours => "hours",
            Self::Consent => "consent",
        })
    }
}

/// What a gate has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Verdict {
    /// The gate.
    pub gate: Gate,
    /// Whether it lets pass.
    pub state: GateState,
    /// What was found, in the gate's unit (a millionth, a microsecond, one mismatch), if known.
    pub found: Option<u64>,
    /// What it is held against.
    pub limit: Option<u64>,
}

/// Whether a gate lets pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateState {
    /// It does.
    Passes,
    /// It doesn't.
    Fails,
    /// It can't tell; the settings say what that does.
    Unknown,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gate = self.gate;
        match (gate, self.found, self.limit) {
            (Gate::Hours, _, _) => f.write_str("hours: not an hour or day that is allowed"),
            (Gate::Consent, _, _) => f.write_str("consent: nobody has agreed to finish yet"),
            (Gate::Store(_), Some(0), _) => write!(f, "{gate}: it isn't healthy"),
            (Gate::Store(_), Some(_), _) => write!(f, "{gate}: it is healthy"),
            (_, Some(found), Some(limit)) => {
                let unit = match gate {
                    Gate::Latency => " µs",
                    Gate::Errors | Gate::MirrorFailures => " ppm",
                    _ => "",
                };
                write!(f, "{gate}: {found}{unit}, the limit is {limit}{unit}")
            }
            (_, _, _) => write!(f, "{gate}: not known"),
        }
    }
}

/// What the coordinator knows by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OwnFacts {
    /// Mismatches that it has confirmed.
    pub mismatches: u64,
    /// [`Health::shadow_mismatches`] when the phase began.
    pub shadow_base: u64,
}

impl Gates {
    /// The verdict of each gate about health and mismatches, for a wave between `shards`.
    ///
    /// ```
    /// use ringshift::migration::{Gates, GateState, Health, OwnFacts};
    /// let health = Health { error_ppm: Some(10_000), ..Health::default() };
    /// let verdicts = Gates::default().judge(Some(&health), OwnFacts::default(), &[]);
    /// assert_eq!(verdicts[0].state, GateState::Fails);
    /// ```
    pub fn judge(
        &self,
        health: Option<&Health>,
        own: OwnFacts,
        shards: &[ShardId],
    ) -> Vec<Verdict> {
        let below = |gate, found: Option<u64>, limit: Option<u64>| Verdict {
            gate,
            state: match (found, limit) {
                (Some(found), Some(limit)) if found < limit => GateState::Passes,
                (Some(_), Some(_)) => GateState::Fails,
                (_, _) => GateState::Unknown,
            },
            found,
            limit,
        };
        let at_most = |gate, found: Option<u64>, max: u64| Verdict {
            limit: Some(max),
            ..below(gate, found, Some(max.saturating_add(1)))
        };
        let fact = |of: fn(&Health) -> Option<u32>| health.and_then(of).map(u64::from);
        let shadow = health.and_then(|health| health.shadow_mismatches);
        let mut verdicts = alloc::vec![
            below(
                Gate::Errors,
                fact(|h| h.error_ppm),
                Some(self.error_ppm_limit.into()),
            ),
            below(
                Gate::Latency,
                fact(|h| h.p99_us),
                health.and_then(|health| self.p99_limit(health)),
            ),
            below(
                Gate::MirrorFailures,
                fact(|h| h.mirror_failures_ppm),
                Some(self.mirror_failures_ppm_limit.into()),
            ),
            at_most(
                Gate::ShadowMismatches,
                shadow.map(|found| found.saturating_sub(own.shadow_base)),
                self.shadow_mismatches_max,
            ),
            at_most(Gate::Mismatches, Some(own.mismatches), 0),
        ];
        verdicts.extend(shards.iter().map(|&shard| {
            let known = health.and_then(|h| h.stores.iter().find(|store| store.shard == shard));
            Verdict {
                gate: Gate::Store(shard),
                state: match known.map(|store| store.healthy) {
                    Some(true) => GateState::Passes,
                    Some(false) => GateState::Fails,
                    None => GateState::Unknown,
                },
                found: known.map(|store| store.healthy.into()),
                limit: None,
            }
        }));
        verdicts
    }

    /// What the p99 must stay below, in microseconds: the smaller of the limit that is named and
    /// the share of the baseline; `None` where neither is known.
    pub fn p99_limit(&self, health: &Health) -> Option<u64> {
        let share = health
            .baseline_p99_us
            .map(|baseline| u64::from(baseline) * u64::from(self.p99_percent_limit) / 100);
        let named = self.p99_us_limit.map(u64::from);
        share.into_iter().chain(named).min()
    }

    /// Whether a verdict holds the migration back.
    pub fn holds(&self, verdict: &Verdict) -> bool {
        match (verdict.state, self.unknown) {
            (GateState::Fails, _) | (GateState::Unknown, Unknown::Wait) => true,
            (GateState::Passes, _) | (GateState::Unknown, Unknown::Pass) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn healthy() -> Health {
        Health {
            error_ppm: Some(9_999),
            p99_us: Some(1_499),
            baseline_p99_us: Some(1_000),
            mirror_failures_ppm: Some(9_999),
            shadow_compared: Some(100),
            shadow_mismatches: Some(7),
            stores: alloc::vec![StoreHealth {
                shard: ShardId(1),
                healthy: true
            }],
        }
    }

    fn held(gates: &Gates, health: Option<&Health>, own: OwnFacts) -> Vec<Gate> {
        let verdicts = gates.judge(health, own, &[ShardId(1)]);
        let held = verdicts.iter().filter(|verdict| gates.holds(verdict));
        held.map(|verdict| verdict.gate).collect()
    }

    #[test]
    fn each_gate_fails_from_its_limit_on() {
        let own = OwnFacts {
            mismatches: 0,
            shadow_base: 7,
        };
        let gates = Gates::default();
        assert_eq!(held(&gates, Some(&healthy()), own), []);
        for gate in [
            Gate::Errors,
            Gate::Latency,
            Gate::MirrorFailures,
            Gate::ShadowMismatches,
            Gate::Store(ShardId(1)),
        ] {
            let mut health = healthy();
            match gate {
                Gate::Errors => health.error_ppm = Some(10_000),
                Gate::Latency => health.p99_us = Some(1_500),
                Gate::MirrorFailures => health.mirror_failures_ppm = Some(10_000),
                Gate::ShadowMismatches => health.shadow_mismatches = Some(8),
                _ => health.stores.iter_mut().for_each(|s| s.healthy = false),
            }
            assert_eq!(held(&gates, Some(&health), own), [gate]);
        }
        let own = OwnFacts {
            mismatches: 1,
            ..own
        };
        assert_eq!(held(&gates, Some(&healthy()), own), [Gate::Mismatches]);
    }

    #[test]
    fn what_is_not_known_passes_or_waits_as_the_settings_say() {
        let mut gates = Gates::default();
        assert_eq!(held(&gates, None, OwnFacts::default()), []);
        gates.unknown = Unknown::Wait;
        let all = held(&gates, None, OwnFacts::default());
        assert_eq!(all.len(), 5, "{all:?}");
        assert!(!all.contains(&Gate::Mismatches), "that is always known");
    }

    #[test]
    fn what_is_handed_in_comes_before_what_was_seen_but_a_sick_store_is_sick() {
        let seen = Health {
            error_ppm: Some(3),
            p99_us: Some(7),
            baseline_p99_us: Some(5),
            stores: [1, 2]
                .map(|id| StoreHealth {
                    shard: ShardId(id),
                    healthy: false,
                })
                .to_vec(),
            ..Health::default()
        };
        let both = healthy().with(&seen);
        assert_eq!(both.error_ppm, Some(9_999));
        assert_eq!(
            (both.p99_us, both.baseline_p99_us),
            (Some(1_499), Some(1_000))
        );
        assert_eq!(both.stores, seen.stores);
        assert_eq!(Health::default().with(&seen), seen);
        // The limit of one source is nothing to the other's figure.
        let mut alone = healthy();
        alone.baseline_p99_us = None;
        assert_eq!(alone.with(&seen).baseline_p99_us, None);
    }

    #[test]
    fn the_smaller_limit_of_the_p99_counts() {
        let gates = Gates {
            p99_us_limit: Some(1_200),
            ..Gates::default()
        };
        assert_eq!(gates.p99_limit(&healthy()), Some(1_200));
        let mut health = healthy();
        health.baseline_p99_us = Some(100);
        assert_eq!(gates.p99_limit(&health), Some(150));
        health.baseline_p99_us = None;
        assert_eq!(gates.p99_limit(&health), Some(1_200));
        assert_eq!(Gates::default().p99_limit(&health), None);
    }
}
