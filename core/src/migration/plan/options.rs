//! What may be said to the planner beside the wish: strategy, sizes, rates.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::ids::SlotRange;
use crate::migration::plan::advise::{Circumstances, Risk};
use crate::migration::plan::strategy::{Cutover, Strategy};
use crate::migration::settings::Settings;

/// How to plan. Everything has a default, and JSON has these names.
///
/// ```
/// use ringshift::migration::{PlanOptions, Strategy};
/// let text = r#"{"strategy":"canary","rate":{"rows_per_s":20000},
///                "sizes":{"users":{"keys":1000000,"bytes":2000000000}}}"#;
/// let options: PlanOptions = serde_json::from_str(text)?;
/// assert_eq!(options.strategy, Some(Strategy::Canary));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlanOptions {
    /// How to carry it out; online unless told.
    pub strategy: Option<Strategy>,
    /// In place of the strategy's settings.
    pub settings: Option<Settings>,
    /// In place of the strategy's way to move reads.
    pub cutover: Option<Cutover>,
    /// No wave has more slots than this; 0: no limit but the strategy's.
    pub wave_slots_max: u32,
    /// What there is, for figures of keys and bytes.
    pub sizes: Sizes,
    /// How fast copying is, for figures of time.
    pub rate: Rate,
    /// For how long writes may be held, in milliseconds.
    pub downtime_ms: u64,
    /// How careful to be.
    pub risk: Risk,
}

/// What each keyspace holds, by its name. One that isn't here has unknown sizes.
pub type Sizes = BTreeMap<String, KeyspaceSizes>;

/// What a keyspace holds: as a whole, spread evenly, or slot by slot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeyspaceSizes {
    /// Keys in all; counts only without `slots`.
    pub keys: u64,
    /// Bytes in all; counts only without `slots`.
    pub bytes: u64,
    /// Slots that hold something.
    pub slots: Vec<SlotSize>,
}

/// What a slot holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlotSize {
    /// The slot.
    pub slot: u32,
    /// Its keys.
    pub keys: u64,
    /// Its bytes.
    #[serde(default)]
    pub bytes: u64,
}

/// Keys and bytes together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Amount {
    /// Keys.
    pub keys: u64,
    /// Bytes.
    pub bytes: u64,
}

/// How fast copying is. The slower of the two counts where both are given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rate {
    /// Rows a second.
    pub rows_per_s: Option<u64>,
    /// Bytes a second.
    pub bytes_per_s: Option<u64>,
}

impl Rate {
    /// How long `amount` takes, in milliseconds, rounded up; `None` without a rate.
    pub fn ms(&self, amount: Amount) -> Option<u64> {
        let at = |count: u64, per_s: Option<u64>| {
            let per_s = u128::from(per_s.filter(|&rate| rate > 0)?);
            u64::try_from((u128::from(count) * 1000).div_ceil(per_s)).ok()
        };
        at(amount.keys, self.rows_per_s).max(at(amount.bytes, self.bytes_per_s))
    }
}

impl KeyspaceSizes {
    /// What `ranges` of a keyspace of `slots` slots hold.
    pub fn of(&self, ranges: &[SlotRange], slots: u32) -> Amount {
        if self.slots.is_empty() {
            let count: u64 = ranges.iter().map(|range| u64::from(range.len())).sum();
            let part = |whole: u64| {
                let part = u128::from(whole) * u128::from(count) / u128::from(slots.max(1));
                u64::try_from(part).unwrap_or(u64::MAX)
            };
            return Amount {
                keys: part(self.keys),
                bytes: part(self.bytes),
            };
        }
        let inside = |size: &&SlotSize| {
            let after = ranges.partition_point(|range| range.start <= size.slot);
            let range = after.checked_sub(1).and_then(|at| ranges.get(at));
            range.is_some_and(|range| size.slot < range.end)
        };
        self.slots
            .iter()
            .filter(inside)
            .fold(Amount::default(), |sum, size| Amount {
                keys: sum.keys.saturating_add(size.keys),
                bytes: sum.bytes.saturating_add(size.bytes),
            })
    }
}

impl PlanOptions {
    /// The circumstances of a plan that moves `amount`.
    pub(super) fn circumstances(&self, amount: Option<Amount>, whole_slots: bool) -> Circumstances {
        Circumstances {
            bytes: amount.map(|amount| amount.bytes).filter(|&bytes| bytes > 0),
            copy_ms: amount.and_then(|amount| self.rate.ms(amount)),
            downtime_ms: self.downtime_ms,
            risk: self.risk,
            whole_slots,
            adopts: self.strategy == Some(Strategy::Adopt),
        }
    }
}
