//! Programs about what a coordinator judges by, about plans as data, and about deltas.

use ringshift::Snapshot;
use serde_json::{Value, json};

use super::Maker;
use crate::tester::Failed;
use crate::vectors::hex;

impl Maker<'_> {
    pub(super) fn judging(&mut self) -> Result<(), Failed> {
        for _ in 0..3 {
            let (gates, health) = (self.gates(), self.health());
            let own = json!({"mismatches": self.rng.below(2), "shadow_base": self.rng.below(9)});
            self.call(json!({"do": "judge", "gates": gates, "health": health, "own": own, "shards": [1, 3]}))?;
            let calendar = self.calendar();
            let unix_ms = self
                .rng
                .chance(90)
                .then(|| self.rng.below(4_000_000_000_000));
            let offset = i64::try_from(self.rng.below(1_680)).unwrap_or(0) - 840;
            self.call(json!({"do": "allowed", "calendar": calendar, "unix_ms": unix_ms, "utc_offset_min": offset}))?;
        }
        let items = [
            "backup-verified",
            "load-tested",
            "counts-compared",
            "old-copy-kept",
            "lunch",
        ];
        let marks: Vec<_> = (0..self.rng.below(4))
            .map(|at| json!({"item": self.rng.pick(&items, ""), "by": "ж", "unix_ms": at, "waived": self.rng.chance(50)}))
            .collect();
        let settings =
            json!({"verify": self.rng.chance(50), "reversed_ms": self.rng.below(4_000_000_000)});
        self.call(json!({"do": "checklist", "ticks": {"marks": marks}, "settings": settings}))?;
        let circumstances = json!({
            "bytes": self.rng.chance(70).then(|| self.rng.below(1 << 49)), "downtime_ms": self.rng.below(3) * 900_000,
            "copy_ms": self.rng.chance(50).then(|| self.rng.below(2_000_000)), "whole_slots": self.rng.chance(20),
            "risk": self.rng.pick(&["lowest", "low", "medium", "high", "none"], "low"), "adopts": self.rng.chance(10),
        });
        self.call(json!({"do": "advise", "circumstances": circumstances}))?;
        self.pacing()?;
        self.planning()?;
        self.following()
    }

    fn gates(&mut self) -> Value {
        json!({
            "error_ppm_limit": self.rng.below(3), "p99_us_limit": self.rng.chance(50).then(|| self.rng.below(1_500)),
            "p99_percent_limit": 50 + self.rng.below(200), "shadow_mismatches_max": self.rng.below(3),
            "unknown": self.rng.pick(&["pass", "wait", "shrug"], "pass"),
        })
    }

    pub(super) fn health(&mut self) -> Value {
        if self.rng.chance(10) {
            return Value::Null;
        }
        json!({
            "error_ppm": self.rng.chance(80).then(|| self.rng.below(4)),
            "p99_us": self.rng.chance(80).then(|| self.rng.below(2_000)),
            "baseline_p99_us": self.rng.chance(60).then(|| self.rng.below(1_000)),
            "mirror_failures_ppm": self.rng.chance(50).then(|| self.rng.below(20_000)),
            "shadow_mismatches": self.rng.chance(50).then(|| self.rng.below(12)),
            "stores": [{"shard": 1 + self.rng.below(3), "healthy": self.rng.chance(70)}],
        })
    }

    fn calendar(&mut self) -> Value {
        let hours = [
            "02:00-06:00",
            "22:00-06:00",
            "00:00-24:00",
            "07:00-07:00",
            "24:30-01:00",
        ];
        let days = ["mon", "wed", "sat", "sun"];
        json!({
            "hours": [self.rng.pick(&hours, ""), self.rng.pick(hours.get(..4).unwrap_or_default(), "")],
            "days_off": [self.rng.pick(&days, "mon")], "peak": [self.rng.pick(hours.get(..3).unwrap_or_default(), "")],
            "dates_off": ["2026-12-24"], "peak_rows_per_s_max": self.rng.below(9),
        })
    }

    fn pacing(&mut self) -> Result<(), Failed> {
        let name = self.name("v");
        let throttle = json!({
            "rows_per_s_min": self.rng.below(900), "rows_per_s_max": self.rng.below(2_000),
            "rows_per_s_start": self.rng.below(1_500), "adjust_ms": self.rng.below(50),
        });
        self.call(json!({"do": "pace", "as": name, "throttle": throttle}))?;
        for _ in 0..8 {
            let (now, cap) = (self.later(), self.rng.below(1_000));
            if self.rng.chance(50) {
                let baseline = self.rng.chance(50).then(|| self.rng.below(900));
                let (p99, limit) = (self.rng.below(2_000), self.rng.below(2_000));
                self.call(json!({"do": "pace_p99", "on": name, "now": now, "p99": p99, "limit": limit, "baseline": baseline, "cap": cap}))?;
            } else {
                let rate = self.rng.chance(80).then(|| self.rng.below(900));
                let rows = self.rng.below(500);
                self.call(json!({"do": "pace_spend", "on": name, "now": now, "rate": rate, "rows": rows, "cap": cap}))?;
            }
        }
        Ok(())
    }

    /// A wish, its plan as data, and whether that fits this snapshot and another.
    fn planning(&mut self) -> Result<(), Failed> {
        let (on, other) = (self.topology()?, self.topology()?);
        let changes = match self.rng.below(6) {
            0 => json!({"remove": [self.rng.below(3) * 7]}),
            1 => json!({"reweight": [{"id": 0, "weight": 0.25}], "balance": "keep"}),
            2 => json!({"move_slots": [{"keyspace": "orders", "slots": "0-3,9", "to": "s-0"}]}),
            3 => json!({"move_prefix": [{"keyspace": "orders", "prefix": "юзер:", "to": 0}]}),
            4 => json!({"add": [{"id": 90, "name": "n", "weight": 1.5}], "drain": [0]}),
            _ => json!({"add": [{"id": 90, "name": "n"}]}),
        };
        let strategies = [
            "online",
            "canary",
            "incremental",
            "shadow",
            "maintenance-window",
            "dance",
        ];
        let options = json!({
            "strategy": self.rng.pick(&strategies, "online"), "wave_slots_max": self.rng.below(6),
            "rate": {"rows_per_s": 1 + self.rng.below(900)}, "sizes": {"orders": {"keys": self.rng.below(9_000)}},
        });
        let (_, planned) = self
            .call(json!({"do": "plan_data", "on": on, "changes": changes, "options": options}))?;
        if let Some(plan) = planned.get("plan") {
            for on in [on, other] {
                self.call(json!({"do": "plan_check", "on": on, "plan": plan}))?;
            }
        }
        Ok(())
    }

    /// From one state of the cluster to another by a delta, or nowhere.
    fn following(&mut self) -> Result<(), Failed> {
        for _ in 0..3 {
            let (one, two) = (
                self.rng.index(self.pool.demos),
                self.rng.index(self.pool.demos),
            );
            let of = |at: usize| {
                self.pool
                    .bytes
                    .get(at)
                    .and_then(|bytes| Snapshot::decode(bytes).ok())
            };
            let delta = of(one)
                .zip(of(two))
                .and_then(|(one, two)| one.delta(&two).ok());
            let Some(delta) = delta else { continue };
            let (base, next, last) = (self.name("s"), self.name("s"), self.name("s"));
            let wrong = self.rng.index(self.pool.demos);
            let on = if self.rng.chance(15) { wrong } else { one };
            let delta = hex(&delta.encode());
            self.call(json!({"do": "snapshot", "as": base, "bytes": on}))?;
            self.call(json!({"do": "advance", "as": next, "on": base, "delta": delta}))?;
            self.call(json!({"do": "snapshot", "as": last, "bytes": two}))?;
            self.call(json!({"do": "equals", "on": next, "other": last}))?;
        }
        Ok(())
    }
}
