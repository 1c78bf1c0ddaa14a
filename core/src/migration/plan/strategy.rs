//! Strategies: how a migration is carried out, as presets over the same phases.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::migration::settings::Settings;
use crate::wave::PPM;

/// A way to carry a migration out. `docs/STRATEGIES.md` compares them.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// All phases, reads by percentage, a wave a pair of shards. Nobody waits for more than a
    /// barrier.
    #[default]
    Online,
    /// Writes of a wave are held while it is copied and compared; reads go on.
    MaintenanceWindow,
    /// Every read compared for a long time, then all reads at once.
    Shadow,
    /// Small waves, each one over and done with before the next begins.
    Incremental,
    /// 0.1 %, 1 %, 10 % of what moves, then the rest; all of it can be taken back until the end.
    Canary,
    /// One wave a pair, all reads at once, no soak before.
    BigBang,
    /// Whole slots to another shard, some at a time, all reads of them at once.
    OverShardMove,
    /// Off a placement that somebody else made: every read compared, strict writes, small waves.
    Adopt,
}

/// How what moves is cut into waves.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cut {
    /// One wave a pair of shards.
    Pairs,
    /// A wave a pair of shards, with at most so many slots each.
    Slots(u32),
    /// So many waves of about equal size a keyspace, at least one a pair.
    Parts(u32),
    /// Waves whose slots together are these shares of a million of all slots that move, one after
    /// the other; then the rest.
    Shares(Vec<u32>),
}

/// How reads go over, where a strategy leaves the choice.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Cutover {
    /// All reads in one step.
    AtOnce,
    /// By shares of the keys; the default is 5, 10, 25, 50, 75 and 100 %, 300 s each.
    Percentage {
        /// Keys of a million, rising.
        #[serde(default = "steps_ppm")]
        steps_ppm: Vec<u32>,
        /// How long each lasts, in milliseconds.
        #[serde(default = "soak_ms")]
        soak_ms: u64,
    },
    /// Range by range of slots: small waves, each with all its reads at once.
    Ranges {
        /// Slots of a wave at most.
        slots: u32,
    },
    /// All reads in one step, and the writes only after this long.
    ReadsFirst {
        /// How long reads go to the new shard before it orders the writes, in milliseconds.
        soak_ms: u64,
    },
}

fn steps_ppm() -> Vec<u32> {
    Settings::default().ramps_ppm
}

fn soak_ms() -> u64 {
    Settings::default().ramp_ms
}

const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

impl Strategy {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Online,
        Self::MaintenanceWindow,
        Self::Shadow,
        Self::Incremental,
        Self::Canary,
        Self::BigBang,
        Self::OverShardMove,
        Self::Adopt,
    ];

    /// The name that people see and write.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::MaintenanceWindow => "maintenance-window",
            Self::Shadow => "shadow",
            Self::Incremental => "incremental",
            Self::Canary => "canary",
            Self::BigBang => "big-bang",
            Self::OverShardMove => "over-shard-move",
            Self::Adopt => "adopt",
        }
    }

    /// The strategy of that name.
    ///
    /// ```
    /// use ringshift::migration::Strategy;
    /// assert_eq!(Strategy::from_name("big-bang"), Some(Strategy::BigBang));
    /// assert_eq!(Strategy::from_name("hope"), None);
    /// ```
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|one| one.name() == name)
    }

    /// What a coordinator goes by under this strategy.
    pub fn settings(self) -> Settings {
        let default = Settings::default();
        let at_once = Settings {
            shadow_ppm: 0,
            shadow_ms: 0,
            ramps_ppm: vec![PPM],
            ramp_ms: 0,
            ..Settings::default()
        };
        match self {
            Self::Online | Self::Canary => default,
            Self::MaintenanceWindow => Settings {
                offline: true,
                ..at_once
            },
            Self::Shadow => Settings {
                shadow_ppm: PPM,
                shadow_ms: 7 * DAY_MS,
                ramps_ppm: vec![PPM],
                ..default
            },
            Self::Incremental => Settings {
                finish_each: true,
                reversed_ms: DAY_MS,
                ..default
            },
            Self::BigBang => at_once,
            Self::OverShardMove => Settings {
                ramp_ms: 5 * MINUTE_MS,
                ..at_once
            },
            Self::Adopt => Settings {
                strict: true,
                shadow_ppm: PPM,
                shadow_ms: DAY_MS,
                ..default
            },
        }
    }

    /// How it cuts what moves into waves.
    pub fn cut(self) -> Cut {
        match self {
            Self::Online | Self::MaintenanceWindow | Self::Shadow | Self::BigBang => Cut::Pairs,
            Self::Incremental | Self::Adopt => Cut::Parts(16),
            Self::Canary => Cut::Shares(vec![1_000, 10_000, 100_000]),
            Self::OverShardMove => Cut::Slots(64),
        }
    }

    /// Whether writes are held for as long as copying takes.
    pub const fn holds_writes(self) -> bool {
        matches!(self, Self::MaintenanceWindow)
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Cutover {
    /// Changes `settings` and `cut` to this way of moving the reads.
    pub(super) fn apply(&self, settings: &mut Settings, cut: &mut Cut) {
        match self {
            Self::AtOnce => {
                settings.ramps_ppm = vec![PPM];
                settings.ramp_ms = 0;
            }
            Self::Percentage { steps_ppm, soak_ms } => {
                settings.ramps_ppm.clone_from(steps_ppm);
                settings.ramp_ms = *soak_ms;
            }
            Self::Ranges { slots } => {
                settings.ramps_ppm = vec![PPM];
                settings.ramp_ms = 0;
                *cut = Cut::Slots(*slots);
            }
            Self::ReadsFirst { soak_ms } => {
                settings.ramps_ppm = vec![PPM];
                settings.ramp_ms = *soak_ms;
            }
        }
    }
}
