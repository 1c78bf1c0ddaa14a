//! How a migration is carried out.

use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::migration::calendar::Calendar;
use crate::migration::checker::Checks;
use crate::migration::checklist::ChecklistRule;
use crate::migration::gates::Gates;
use crate::migration::throttle::Throttle;
use crate::wave::PPM;

/// What a coordinator goes by.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a choice of its own, by name in JSON"
)]
pub struct Settings {
    /// Whether writes in double-write and reversed are answered after both shards have them. In
    /// read-new they always are. A step back without `to` ends that until `to` is back and has caught
    /// up.
    pub strict: bool,
    /// Keys of a million whose reads are compared in shadow-read; 0 skips the phase.
    pub shadow_ppm: u32,
    /// How long shadow-read lasts at least.
    pub shadow_ms: u64,
    /// Whether the two sides are compared, slot by slot, before reads move.
    pub verify: bool,
    /// The steps of read-new, in keys of a million. A whole million comes last, named or not.
    pub ramps_ppm: Vec<u32>,
    /// How long each of them lasts at least.
    pub ramp_ms: u64,
    /// How long reversed lasts: the rollback window.
    pub reversed_ms: u64,
    /// Rows of a chunk of backfill, catch-up or purge.
    pub chunk_rows: u32,
    /// A barrier begins when a chunk of catch-up had no more rows than this.
    pub lag_rows_max: u32,
    /// After so many chunks the cursor is written down.
    pub checkpoint_chunks: u32,
    /// A barrier that takes longer is aborted, where its phase allows that.
    pub barrier_ms: u64,
    /// How long to wait before asking again who didn't answer.
    pub retry_ms: u64,
    /// Whether writes of a wave are held from before the copy until the switch: one barrier leads
    /// from double-write to reversed, and copies and compares behind the closed guards.
    pub offline: bool,
    /// An offline barrier that takes longer is aborted, and the migration goes back.
    pub offline_ms: u64,
    /// Whether each wave ends, and its rollback window with it, before the next begins.
    pub finish_each: bool,
    /// What must hold before a wave advances.
    pub gates: Gates,
    /// How fast rows are copied and removed.
    pub throttle: Throttle,
    /// When the migration may work.
    pub calendar: Calendar,
    /// How many keys are compared all the while.
    pub checks: Checks,
    /// What an open item of the risk checklist does.
    pub checklist: ChecklistRule,
    /// How long `to` answers reads in read-new without being asked for again, and how long a
    /// coordinator acts without having renewed its lead. A lease needs somebody who renews it, so
    /// it is for agents, of which one stands by. 0, the default: without a lease, for ever; then a
    /// `to` that dies in read-new holds its keys until it is back.
    pub lease_ms: u32,
    /// How much longer than a lease to wait before it is taken as over: for clocks that don't go
    /// alike.
    pub margin_ms: u64,
    /// A shard that hasn't answered for so long is gone: what doesn't need it goes on without.
    pub patience_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            strict: false,
            shadow_ppm: 10_000,
            shadow_ms: 60_000,
            verify: true,
            ramps_ppm: vec![50_000, 100_000, 250_000, 500_000, 750_000, PPM],
            ramp_ms: 300_000,
            reversed_ms: 7 * 24 * 3_600_000,
            chunk_rows: 500,
            lag_rows_max: 100,
            checkpoint_chunks: 16,
            barrier_ms: 2_000,
            retry_ms: 20,
            offline: false,
            offline_ms: 4 * 3_600_000,
            finish_each: false,
            gates: Gates::default(),
            throttle: Throttle::default(),
            calendar: Calendar::default(),
            checks: Checks::default(),
            checklist: ChecklistRule::Advise,
            lease_ms: 0,
            margin_ms: 500,
            patience_ms: 500,
        }
    }
}

impl Settings {
    /// The step of the ramp after `ppm`, or `None` at its end.
    pub(crate) fn ramp_after(&self, ppm: u32) -> Option<u32> {
        if ppm >= PPM {
            return None;
        }
        let next = self
            .ramps_ppm
            .iter()
            .copied()
            .filter(|&step| step > ppm)
            .min();
        Some(next.unwrap_or(PPM).min(PPM))
    }

    /// The step of the ramp before `ppm`, or `None` where there is none.
    pub(crate) fn ramp_before(&self, ppm: u32) -> Option<u32> {
        let steps = self.ramps_ppm.iter().copied();
        steps.filter(|&step| step > 0 && step < ppm).max()
    }
}
