//! What a coordinator judges by, plans as data, and deltas.

use ringshift::migration::{
    Calendar, Checklist, Circumstances, Gates, Health, Item, OwnFacts, Pace, Plan, PlanOptions,
    Settings, Throttle, WallClock, advise_strategy, plan_with,
};
use ringshift::record::advance;
use ringshift::{Instant, ShardId};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::routing::{told, written};
use super::{Machine, Object, Refused, Said};
use crate::tester::read::{bytes, data, now, number, small, text};

/// Data that somebody has written, perhaps wrongly.
fn given<T: DeserializeOwned>(value: &Value) -> Result<T, Refused> {
    serde_json::from_value(value.clone()).map_err(|_| Refused::Slug("argument"))
}

fn small_or_none<N: TryFrom<u64>>(call: &Value, field: &str) -> Result<Option<N>, Refused> {
    match call[field] {
        Value::Null => Ok(None),
        _ => small(call, field).map(Some),
    }
}

impl Machine<'_> {
    pub(super) fn judging(&mut self, call: &Value) -> Said {
        match text(call, "do")? {
            "judge" => {
                let gates: Gates = given(&call["gates"])?;
                let health: Option<Health> = given(&call["health"])?;
                let own: OwnFacts = given(&call["own"])?;
                let shards: Vec<ShardId> = data(&call["shards"])?;
                let verdicts = gates.judge(health.as_ref(), own, &shards).into_iter();
                Ok(verdicts
                    .map(|verdict| {
                        json!({"gate": verdict.gate, "state": verdict.state, "found": verdict.found,
                               "limit": verdict.limit, "holds": gates.holds(&verdict)})
                    })
                    .collect())
            }
            "allowed" => {
                let calendar: Calendar = given(&call["calendar"])?;
                let (at, utc_offset_min) = (Instant::ZERO, data(&call["utc_offset_min"])?);
                let clock = data::<Option<i64>>(&call["unix_ms"])?.map(|unix_ms| WallClock {
                    at,
                    unix_ms,
                    utc_offset_min,
                });
                let clock = clock.as_ref();
                Ok(json!({
                    "open": calendar.is_open(clock, at), "opens_in_ms": calendar.opens_in_ms(clock, at),
                    "rows_per_s_max": calendar.rows_per_s_max(clock, at),
                }))
            }
            "checklist" => {
                let list: Checklist = given(&call["ticks"])?;
                let settings: Settings = given(&call["settings"])?;
                let items = Item::ALL.iter();
                Ok(items
                    .map(|&item| json!({"item": item, "state": list.state(item, &settings)}))
                    .collect())
            }
            "advise" => {
                let facts: Circumstances = given(&call["circumstances"])?;
                written(&advise_strategy(&facts))
            }
            "advance" => {
                let next = advance(&*self.snapshot(call, "on")?, &bytes(&call["delta"])?);
                let next = next.map_err(|e| Refused::from(e.code()))?;
                let said = told(&next);
                self.make(call, Object::Snapshot(next))?;
                Ok(said)
            }
            "plan_data" => {
                let snapshot = self.snapshot(call, "on")?;
                let changes = serde_json::from_value(call["changes"].clone());
                let changes = changes.map_err(|_| Refused::Slug("plan"))?;
                let options: PlanOptions = given(&call["options"])?;
                let planned = plan_with(&snapshot, &changes, &options);
                let planned = planned.map_err(|e| Refused::from(e.code()))?;
                Ok(json!({"plan": written(&planned)?, "text": planned.to_string()}))
            }
            "plan_check" => {
                let snapshot = self.snapshot(call, "on")?;
                let kept: Plan = given(&call["plan"])?;
                let checked = kept.check(&snapshot);
                checked.map_err(|e| Refused::from(e.code()))?;
                Ok(Value::Null)
            }
            "pace" => {
                let throttle: Throttle = given(&call["throttle"])?;
                self.make(call, Object::Pace(Pace::default(), throttle))?;
                Ok(Value::Null)
            }
            _ => self.pacing(call),
        }
    }

    fn pacing(&mut self, call: &Value) -> Said {
        let Some(Object::Pace(pace, throttle)) = self.objects.get_mut(text(call, "on")?) else {
            return Err(Refused::Missing);
        };
        if text(call, "do")? == "pace_p99" {
            let baseline = small_or_none(call, "baseline")?;
            let (p99, limit) = (number(call, "p99")?, number(call, "limit")?);
            pace.handle_p99(now(call)?, throttle, p99, limit, baseline);
        } else {
            pace.spend(
                now(call)?,
                small_or_none(call, "rate")?,
                small(call, "rows")?,
            );
        }
        Ok(json!({
            "rate": pace.rate(throttle, None), "under": pace.rate(throttle, small_or_none(call, "cap")?),
            "ready_at": pace.ready_at().as_millis(),
        }))
    }
}
