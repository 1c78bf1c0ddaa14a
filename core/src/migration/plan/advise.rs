//! Which strategy fits, and why: a pure function of the circumstances.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::migration::plan::strategy::Strategy;

/// One terabyte.
const TB: u64 = 1_000_000_000_000;
/// Below this a migration is over before anybody looks.
const TINY_BYTES: u64 = 1_000_000_000;

/// How careful to be.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Risk {
    /// A mistake must be seen before anybody meets it.
    Lowest,
    /// A mistake may meet few.
    Low,
    /// The usual care.
    #[default]
    Medium,
    /// Speed counts more.
    High,
}

/// What a strategy is chosen by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Circumstances {
    /// Bytes that move, where known.
    pub bytes: Option<u64>,
    /// How long copying takes, in milliseconds, where known.
    pub copy_ms: Option<u64>,
    /// For how long writes may be held, in milliseconds; 0: not at all.
    pub downtime_ms: u64,
    /// How careful to be.
    pub risk: Risk,
    /// Only whole slots move, by hand, to shards that are told.
    pub whole_slots: bool,
    /// The placement was somebody else's.
    pub adopts: bool,
}

/// A strategy, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advice {
    /// The one that fits best.
    pub strategy: Strategy,
    /// Why, the weightiest first.
    pub reasons: Vec<String>,
    /// Why not the others that come to mind.
    pub against: Vec<(Strategy, String)>,
}

/// Which strategy fits.
///
/// ```
/// use ringshift::migration::{Circumstances, Strategy, advise_strategy};
/// let small = Circumstances { bytes: Some(50_000_000_000), copy_ms: Some(600_000),
///                             downtime_ms: 3_600_000, ..Circumstances::default() };
/// assert_eq!(advise_strategy(&small).strategy, Strategy::MaintenanceWindow);
/// let no_downtime = Circumstances { downtime_ms: 0, ..small };
/// assert_eq!(advise_strategy(&no_downtime).strategy, Strategy::Online);
/// ```
pub fn advise_strategy(facts: &Circumstances) -> Advice {
    let mut against = Vec::new();
    let window = window(facts);
    if let Err(reason) = &window {
        against.push((Strategy::MaintenanceWindow, reason.clone()));
    }
    let huge = facts.bytes.is_some_and(|bytes| bytes > 100 * TB);
    let tiny = facts.bytes.is_some_and(|bytes| bytes <= TINY_BYTES);
    if !tiny {
        let size = match facts.bytes {
            Some(bytes) => format!(
                "{} move, and all of it at once if something is wrong",
                tell(bytes)
            ),
            None => "how much moves isn't known".into(),
        };
        against.push((Strategy::BigBang, size));
    }
    let (strategy, reason) = match (facts, window) {
        (Circumstances { adopts: true, .. }, _) => (
            Strategy::Adopt,
            "the old placement isn't ours: every read is compared before one moves".into(),
        ),
        (_, Ok(reason)) if facts.risk > Risk::Lowest => (Strategy::MaintenanceWindow, reason),
        _ if huge => (
            Strategy::Incremental,
            format!(
                "{} move: in small waves a fault meets one of them, and the double load is that of one",
                tell(facts.bytes.unwrap_or(0))
            ),
        ),
        _ if facts.risk == Risk::Lowest => (
            Strategy::Shadow,
            "every read is compared for days before one moves, and going back is free until then".into(),
        ),
        _ if facts.risk == Risk::Low => (
            Strategy::Canary,
            "0.1 %, 1 % and 10 % go first: a fault meets few, and all of it can be taken back".into(),
        ),
        _ if tiny && facts.risk == Risk::High => (
            Strategy::BigBang,
            format!("{} are copied before a soak would be over", tell(facts.bytes.unwrap_or(0))),
        ),
        _ if facts.whole_slots => (
            Strategy::OverShardMove,
            "only whole slots move, to shards that are named: each is copied once and handed over".into(),
        ),
        _ => (
            Strategy::Online,
            match facts.bytes {
                Some(bytes) if bytes >= TB => {
                    format!("{} move, which no window has room for", tell(bytes))
                }
                _ => "nobody waits, and reads move by percentage, each step of which can be taken back".into(),
            },
        ),
    };
    against.retain(|(other, _)| *other != strategy);
    let mut reasons = Vec::from([reason]);
    if facts.downtime_ms == 0 && strategy != Strategy::MaintenanceWindow {
        reasons.push("no downtime is allowed, and it has none".into());
    }
    Advice {
        strategy,
        reasons,
        against,
    }
}

/// Whether a window in which writes are held has room for the copy.
fn window(facts: &Circumstances) -> Result<String, String> {
    let allowed = facts.downtime_ms;
    if allowed == 0 {
        return Err("no downtime is allowed".into());
    }
    if facts.bytes.is_some_and(|bytes| bytes >= TB) {
        return Err("it is for less than 1 TB: all of it is copied while writes wait".into());
    }
    match facts.copy_ms {
        None => Err("how long copying takes isn't known; give sizes and a rate".into()),
        Some(ms) if ms > allowed => Err(format!(
            "copying takes {}, and {} are allowed",
            duration(ms),
            duration(allowed)
        )),
        Some(ms) => Ok(format!(
            "copying takes {} of the {} for which writes may wait, and it is the simplest",
            duration(ms),
            duration(allowed)
        )),
    }
}

/// Bytes for people: 1.5 TB.
pub(super) fn tell(bytes: u64) -> String {
    const UNITS: [(&str, u64); 4] = [
        ("TB", TB),
        ("GB", 1_000_000_000),
        ("MB", 1_000_000),
        ("kB", 1_000),
    ];
    for (unit, size) in UNITS {
        if bytes >= size {
            let tenths = bytes / (size / 10);
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
    }
    format!("{bytes} B")
}

/// A duration for people: 3 d 4 h, 12 min, 8 s.
pub(super) fn duration(ms: u64) -> String {
    let s = ms.div_ceil(1000);
    let two = |a: u64, unit: &str, b: u64, small: &str| {
        if b == 0 {
            format!("{a} {unit}")
        } else {
            format!("{a} {unit} {b} {small}")
        }
    };
    match s {
        0..60 => format!("{s} s"),
        60..3_600 => two(s / 60, "min", s % 60, "s"),
        3_600..86_400 => two(s / 3_600, "h", s % 3_600 / 60, "min"),
        _ => two(s / 86_400, "d", s % 86_400 / 3_600, "h"),
    }
}
