//! What a coordinator judges by, one question at a time: gates, hours, the pace of copying, the
//! risk checklist, the choice of a strategy. Facts come in as JSON, answers go out as plain data.

use ringshift::migration::{
    self, Calendar, Checklist, Circumstances, Gate, GateState, Gates, Health, Item, ItemState,
    OwnFacts, Settings, Throttle, WallClock,
};
use ringshift::{ErrorCode, Instant, ShardId};
use serde::Serialize;
use wasm_bindgen::prelude::*;

use crate::convert::{instant, moment, plain};
use crate::error::{Answer, Fault};

fn parse<T: serde::de::DeserializeOwned>(json: &str) -> Answer<T> {
    serde_json::from_str(json).map_err(|error| Fault::json(ErrorCode::Argument, &error))
}

#[derive(Serialize)]
struct Judged {
    gate: Gate,
    state: GateState,
    found: Option<u64>,
    limit: Option<u64>,
    holds: bool,
}

/// The verdict of each gate, and whether it holds the migration back.
#[wasm_bindgen]
pub fn judge(gates: &str, health: Option<String>, own: &str, shards: &[u32]) -> Answer {
    let gates: Gates = parse(gates)?;
    let health: Option<Health> = health.as_deref().map(parse).transpose()?;
    let own: OwnFacts = parse(own)?;
    let shards: Vec<ShardId> = shards.iter().copied().map(ShardId).collect();
    let verdicts = gates.judge(health.as_ref(), own, &shards).into_iter();
    let judged = verdicts.map(|verdict| Judged {
        holds: gates.holds(&verdict),
        gate: verdict.gate,
        state: verdict.state,
        found: verdict.found,
        limit: verdict.limit,
    });
    plain(&judged.collect::<Vec<_>>())
}

#[derive(Serialize)]
struct Allowed {
    open: bool,
    opens_in_ms: Option<u64>,
    rows_per_s_max: Option<u32>,
}

/// What a calendar allows at a moment of the clock on the wall, or without one.
#[wasm_bindgen]
pub fn allowed(calendar: &str, unix_ms: Option<i64>, utc_offset_min: i16) -> Answer {
    let calendar: Calendar = parse(calendar)?;
    let now = Instant::ZERO;
    let clock = unix_ms.map(|unix_ms| WallClock {
        at: now,
        unix_ms,
        utc_offset_min,
    });
    let clock = clock.as_ref();
    plain(&Allowed {
        open: calendar.is_open(clock, now),
        opens_in_ms: calendar.opens_in_ms(clock, now),
        rows_per_s_max: calendar.rows_per_s_max(clock, now),
    })
}

/// How fast rows are copied.
#[wasm_bindgen]
pub struct Pace {
    settings: Throttle,
    pace: migration::Pace,
}

#[wasm_bindgen]
impl Pace {
    /// Within those bounds.
    #[wasm_bindgen(constructor)]
    pub fn new(throttle: &str) -> Answer<Pace> {
        let settings = parse(throttle)?;
        let pace = migration::Pace::default();
        Ok(Self { settings, pace })
    }

    /// Rows a second at present, under a cap.
    pub fn rate(&self, cap: Option<u32>) -> Option<u32> {
        self.pace.rate(&self.settings, cap)
    }

    /// Takes the operations' p99.
    pub fn p99(&mut self, now: f64, p99_us: u64, limit_us: u64, baseline_us: Option<u64>) {
        let now = instant(now);
        self.pace
            .handle_p99(now, &self.settings, p99_us, limit_us, baseline_us);
    }

    /// Rows have been copied at that rate.
    pub fn spend(&mut self, now: f64, rate: Option<u32>, rows: u32) {
        self.pace.spend(instant(now), rate, rows);
    }

    /// When the next rows may be copied.
    #[wasm_bindgen(js_name = readyAt)]
    pub fn ready_at(&self) -> f64 {
        moment(self.pace.ready_at())
    }
}

#[derive(Serialize)]
struct Stands {
    item: Item,
    state: ItemState,
}

/// Where each item of the risk checklist stands.
#[wasm_bindgen]
pub fn checklist(ticks: &str, settings: &str) -> Answer {
    let (list, settings): (Checklist, Settings) = (parse(ticks)?, parse(settings)?);
    let stands = |&item: &Item| Stands {
        item,
        state: list.state(item, &settings),
    };
    plain(&Item::ALL.iter().map(stands).collect::<Vec<_>>())
}

/// Which strategy fits, and why.
#[wasm_bindgen(js_name = adviseStrategy)]
pub fn advise_strategy(circumstances: &str) -> Answer {
    let facts: Circumstances = parse(circumstances)?;
    plain(&migration::advise_strategy(&facts))
}
