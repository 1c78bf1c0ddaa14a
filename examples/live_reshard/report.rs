//! The figures of a run: for machines through serde, for people through `Display`.
//!
//! Field names are stable; units and qualifiers come last.

mod render;
#[cfg(test)]
#[expect(clippy::expect_used, reason = "a test may fail loudly")]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::checker::Verdict;
use crate::latency::{Latency, Meter, Window};
use crate::outside::Figures;

/// Everything that the run has to say at its end.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) source: String,
    pub(crate) records: u64,
    pub(crate) clients: u64,
    pub(crate) shards_before: u64,
    pub(crate) shards_after: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) strategy: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) wish: Option<String>,
    /// Coordinators that took over from one that had died or was frozen.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) takeovers: u64,
    /// Keys that ended elsewhere than the plan says.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) misplaced: u64,
    /// Of a migration that was turned back: whether shards, slots and overrides are as before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) restored: Option<bool>,
    /// How the migration ended.
    pub(crate) ending: String,
    pub(crate) moved: Moved,
    pub(crate) before: Traffic,
    pub(crate) during: Traffic,
    /// Operations per second during the migration, as a share of those before.
    pub(crate) throughput_ratio: f64,
    pub(crate) barriers: Barriers,
    /// The longest time between two completions of one client during the migration.
    pub(crate) client_gap_ms_max: f64,
    pub(crate) retries: u64,
    pub(crate) refreshes: u64,
    pub(crate) catch_up_lag_rows_max: u64,
    /// Reads that were made on both sides and found the same.
    pub(crate) shadow_reads: u64,
    pub(crate) mismatches: u64,
    /// Clients in other languages, one by one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) outside: Vec<Figures>,
    pub(crate) checked: Checked,
    pub(crate) steps: Vec<Step>,
    pub(crate) duration_s: f64,
}

/// What moved, against what had to.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Moved {
    pub(crate) slots_total: u64,
    pub(crate) slots: u64,
    pub(crate) keys: u64,
    /// Shares of all keys, from 0 to 1: what moved, what no placement can do without, and what
    /// `hash % N` would have moved.
    pub(crate) keys_share: f64,
    pub(crate) keys_share_ideal: f64,
    pub(crate) keys_share_modulo: f64,
}

/// The traffic in one window.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Traffic {
    pub(crate) operations: u64,
    pub(crate) operations_per_s: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p999_ms: f64,
    pub(crate) latency_ms_max: f64,
}

/// How long writes paused.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Barriers {
    pub(crate) count: u64,
    pub(crate) pause_p50_ms: f64,
    pub(crate) pause_p99_ms: f64,
    pub(crate) pause_ms_max: f64,
}

/// What the checker found.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Checked {
    pub(crate) operations: u64,
    pub(crate) keys: u64,
    pub(crate) lost: u64,
    pub(crate) resurrected: u64,
    pub(crate) wrong_reads: u64,
    /// Keys that could not be judged; counts as a failure.
    pub(crate) undecided: u64,
    pub(crate) took_s: f64,
}

/// A step of the timeline.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Step {
    pub(crate) name: String,
    /// Since the run began.
    pub(crate) at_s: f64,
    pub(crate) took_s: f64,
}

impl Report {
    /// Fills in everything that the clients measured.
    pub(crate) fn set_traffic(&mut self, meter: &Meter, before_s: f64, during_s: f64) {
        self.before = Traffic::new(meter.latency(Window::Before), before_s);
        self.during = Traffic::new(meter.latency(Window::During), during_s);
        self.throughput_ratio = ratio(self.during.operations_per_s, self.before.operations_per_s);
        self.client_gap_ms_max = meter.gap_ms_max();
    }

    /// Whether the run kept its promise. A run that checked nothing has not shown it.
    pub(crate) fn is_clean(&self) -> bool {
        let checked = &self.checked;
        let wrong = [
            checked.lost,
            checked.resurrected,
            checked.wrong_reads,
            checked.undecided,
        ];
        let placed = self.misplaced == 0 && self.restored != Some(false);
        placed && checked.operations > 0 && wrong.iter().all(|count| *count == 0)
    }

    /// For people, with colour if `colour` says so: on a terminal.
    pub(crate) fn render(&self, colour: bool) -> impl fmt::Display + '_ {
        render::Rendered {
            report: self,
            colour,
        }
    }

    /// For machines, one line.
    pub(crate) fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.render(false).fmt(f)
    }
}

impl Traffic {
    pub(crate) fn new(latency: &Latency, seconds: f64) -> Self {
        Self {
            operations: latency.count(),
            operations_per_s: ratio(to_f64(latency.count()), seconds),
            p50_ms: latency.quantile_ms(0.5),
            p99_ms: latency.quantile_ms(0.99),
            p999_ms: latency.quantile_ms(0.999),
            latency_ms_max: latency.max_ms(),
        }
    }
}

impl Barriers {
    /// From the pauses of all barriers, one recorded each.
    pub(crate) fn new(pauses: &Latency) -> Self {
        Self {
            count: pauses.count(),
            pause_p50_ms: pauses.quantile_ms(0.5),
            pause_p99_ms: pauses.quantile_ms(0.99),
            pause_ms_max: pauses.max_ms(),
        }
    }
}

impl Checked {
    pub(crate) fn new(verdict: &Verdict, took_s: f64) -> Self {
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Self {
            operations: count(verdict.operations),
            keys: count(verdict.keys),
            lost: count(verdict.lost()),
            resurrected: count(verdict.resurrected()),
            wrong_reads: count(verdict.wrong_reads()),
            undecided: count(verdict.undecided.len()),
            took_s,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A part of a whole; 0 of nothing.
fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a count above 2^53 is out of reach"
)]
fn to_f64(count: u64) -> f64 {
    count as f64
}
