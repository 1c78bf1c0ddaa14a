//! How long a run's windows and soaks are: short enough to watch, where a real migration takes a
//! week.

use std::time::Duration;

use ringshift::migration::{Checks, Settings};

use crate::cluster::Settled;
use crate::options::Options;

/// How long clients run before the migration begins, and after it.
pub(crate) struct Windows {
    pub(crate) warm_up: Duration,
    pub(crate) before: Duration,
    pub(crate) after: Duration,
}

impl Windows {
    pub(crate) fn of(options: &Options) -> Self {
        let ms = if options.brisk {
            [20, 50, 20]
        } else {
            [1_000, 6_000, 300]
        };
        let [warm_up, before, after] = ms.map(Duration::from_millis);
        Self {
            warm_up,
            before,
            after,
        }
    }
}

/// The strategy's settings with shorter soaks; without one, the default's.
pub(crate) fn settings(options: &Options, settled: &Settled) -> Settings {
    let preset = settled.strategy.unwrap_or_default().settings();
    let soaks = if options.brisk {
        [5, 1, 10]
    } else {
        [500, 250, 1_000]
    };
    let [shadow_ms, ramp_ms, reversed_ms] = soaks;
    let shorter = Settings {
        shadow_ppm: match preset.shadow_ppm {
            ppm @ (0 | 1_000_000) => ppm,
            _ => 100_000,
        },
        shadow_ms: preset.shadow_ms.min(shadow_ms),
        ramp_ms: preset.ramp_ms.min(ramp_ms),
        reversed_ms: preset.reversed_ms.min(reversed_ms),
        ..preset
    };
    if !options.brisk {
        return shorter;
    }
    let mut ramps_ppm = shorter.ramps_ppm.clone();
    if ramps_ppm.len() > 2 {
        ramps_ppm = vec![250_000, 1_000_000];
    }
    Settings {
        ramps_ppm,
        chunk_rows: 4,
        lag_rows_max: 4,
        checkpoint_chunks: 2,
        // Rounds that come often enough to be met by a kill.
        checks: Checks {
            keys_per_minute: 120_000,
            keys_per_round: 8,
            seed: settled.seed,
        },
        ..shorter
    }
}
