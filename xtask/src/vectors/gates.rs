//! `gates.json`: what a coordinator judges by, question by question: gates, hours, the pace of
//! copying, the risk checklist.

use ringshift::migration::{
    Calendar, Checklist, Gates, Health, Item, OwnFacts, Pace, Settings, Throttle, WallClock,
};
use ringshift::{Instant, ShardId};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Section;

const MINUTE_MS: i64 = 60_000;

pub(super) fn sections() -> Result<Vec<Section>, String> {
    Ok(vec![
        Section {
            name: "verdicts",
            about: "What `gates` find in `health` (null: nobody has said) and in what the coordinator knows itself (`own`), for a wave between `shards`; `holds` says whether a verdict holds the migration back.",
            cases: verdicts()?,
        },
        Section {
            name: "hours",
            about: "What `calendar` allows when the clock on the wall shows `unix_ms` (null: there is no clock), local time being `utc_offset_min` ahead of UTC.",
            cases: hours()?,
        },
        Section {
            name: "no_calendars",
            about: "What names no hours, no day or no date: refused as `argument`.",
            cases: ["25:00-26:00", "2-6", "", "02:00-06:60", "02:00"]
                .map(|text| json!({"calendar": {"hours": [text]}}))
                .into_iter()
                .chain(
                    ["2026-02-29", "2026-13-01", "26-01-01"]
                        .map(|text| json!({"calendar": {"dates_off": [text]}})),
                )
                .chain([
                    json!({"calendar": {"days_off": ["monday"]}}),
                    json!({"calendar": {"noon": 1}}),
                ])
                .collect(),
        },
        Section {
            name: "paces",
            about: "The pace of copying within the bounds of `throttle`. Each event is handed in, then the pace says its `rate` (null: no limit), the rate `under` a cap of 700 rows a second, and when it is `ready_at`, in milliseconds. `p99` is [the moment, the p99, what it must stay below, what it was before], `spend` [the moment, the rate, the rows].",
            cases: paces()?,
        },
        Section {
            name: "checklists",
            about: "Where each item of the risk checklist stands, after the words `ticks`, under `settings`.",
            cases: checklists()?,
        },
    ])
}

fn of<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
    serde_json::from_value(value.clone()).map_err(|e| format!("{e} in {value}"))
}

fn verdicts() -> Result<Vec<Value>, String> {
    let gates = [
        json!({}),
        json!({"unknown": "wait"}),
        json!({"error_ppm_limit": 5, "p99_percent_limit": 120, "p99_us_limit": 1100,
               "mirror_failures_ppm_limit": 1, "shadow_mismatches_max": 2}),
    ];
    let health = [
        Value::Null,
        json!({}),
        json!({"error_ppm": 9_999, "p99_us": 1_499, "baseline_p99_us": 1_000, "mirror_failures_ppm": 9_999,
               "shadow_compared": 100, "shadow_mismatches": 7,
               "stores": [{"shard": 1, "healthy": true}, {"shard": 2, "healthy": false}]}),
        json!({"error_ppm": 10_000, "p99_us": 1_500, "baseline_p99_us": 1_000, "mirror_failures_ppm": 10_000,
               "shadow_mismatches": 10}),
        json!({"error_ppm": 4, "p99_us": 1_100, "mirror_failures_ppm": 0, "shadow_mismatches": 9}),
        json!({"p99_us": 4_294_967_295_u32, "baseline_p99_us": 4_294_967_295_u32,
               "stores": [{"shard": 3, "healthy": false}]}),
    ];
    let own = [
        json!({}),
        json!({"mismatches": 1, "shadow_base": 7}),
        json!({"shadow_base": 100}),
    ];
    let mut cases = Vec::new();
    for ((gates, health), n) in gates
        .iter()
        .flat_map(|gates| health.iter().map(move |health| (gates, health)))
        .zip(0..)
    {
        let own = own.get(n % own.len()).ok_or("no facts")?;
        let shards: &[u32] = if n % 4 == 3 { &[] } else { &[1, 2, 70_000] };
        let (judge, known): (Gates, Option<Health>) = (of(gates)?, of(health)?);
        let facts: OwnFacts = of(own)?;
        let ids: Vec<_> = shards.iter().copied().map(ShardId).collect();
        let verdicts = judge.judge(known.as_ref(), facts, &ids).into_iter();
        let verdicts = verdicts.map(|verdict| {
            json!({"gate": verdict.gate, "state": verdict.state, "found": verdict.found,
                   "limit": verdict.limit, "holds": judge.holds(&verdict)})
        });
        cases.push(json!({
            "gates": gates, "health": health, "own": own, "shards": shards,
            "verdicts": verdicts.collect::<Vec<_>>(),
        }));
    }
    Ok(cases)
}

fn hours() -> Result<Vec<Value>, String> {
    let calendars = [
        json!({}),
        json!({"hours": ["02:00-06:00"], "peak": ["08:00-20:00"], "peak_rows_per_s_max": 100}),
        json!({"hours": ["22:00-06:00", "12:00-12:30"], "days_off": ["sat", "sun"], "off_peak_rows_per_s_max": 5000}),
        json!({"days_off": ["mon", "tue", "wed", "thu", "fri"], "dates_off": ["2026-11-21", "2028-02-29"]}),
        json!({"hours": ["00:00-24:00"], "peak": ["23:00-01:00"], "dates_off": ["2026-12-31", "2027-01-01"]}),
        json!({"hours": ["07:00-07:00"], "days_off": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]}),
    ];
    // Days since 1970, minutes of the day, milliseconds of the minute, minutes ahead of UTC: a
    // Saturday, new year's eve, a 29th of February, and the first day of all.
    let moments: [(i64, i64, i64, i16); 14] = [
        (20_778, 119, 59_999, 0),
        (20_778, 120, 0, 0),
        (20_778, 359, 1, 60),
        (20_778, 360, 0, 60),
        (20_779, 1_320, 0, -210),
        (20_777, 1_439, 59_999, 840),
        (20_780, 0, 0, -720),
        (20_818, 1_380, 0, 0),
        (20_818, 1_379, 0, 0),
        (20_819, 60, 0, 330),
        (21_243, 750, 500, 0),
        (21_244, 0, 0, 0),
        (20_781, 480, 0, 120),
        (1, 0, 0, 0),
    ];
    let mut cases = Vec::new();
    for text in &calendars {
        let calendar: Calendar = of(text)?;
        let clocks = moments.iter().map(|&(day, minute, ms, offset)| {
            let local = day * 24 * 60 + minute;
            (Some((local - i64::from(offset)) * MINUTE_MS + ms), offset)
        });
        for (unix_ms, offset) in clocks.chain([(None, 0)]) {
            let now = Instant::ZERO;
            let clock = unix_ms.map(|unix_ms| WallClock {
                at: now,
                unix_ms,
                utc_offset_min: offset,
            });
            let clock = clock.as_ref();
            cases.push(json!({
                "calendar": text, "unix_ms": unix_ms, "utc_offset_min": offset,
                "allowed": {
                    "open": calendar.is_open(clock, now),
                    "opens_in_ms": calendar.opens_in_ms(clock, now),
                    "rows_per_s_max": calendar.rows_per_s_max(clock, now),
                },
            }));
        }
    }
    Ok(cases)
}

fn paces() -> Result<Vec<Value>, String> {
    let throttles = [
        json!({}),
        json!({"rows_per_s_min": 100, "rows_per_s_start": 1_000, "rows_per_s_max": 1_300, "adjust_ms": 500}),
        json!({"rows_per_s_min": 5_000, "rows_per_s_max": 900, "adjust_ms": 0}),
        json!({"rows_per_s_max": 0}),
    ];
    let p99s: [(u64, u64, u64, Option<u64>); 13] = [
        (0, 800, 1_000, None),
        (0, 801, 1_000, None),
        (499, 900, 1_000, None),
        (500, 900, 1_000, None),
        (1_000, 2_000, 1_000, Some(500)),
        (1_600, 400, 1_000, None),
        (2_200, 399, 1_000, None),
        (2_700, 1_099, 1_500, Some(1_000)),
        (3_900, 1_100, 1_500, Some(1_000)),
        (5_000, 1, 1_500, Some(9_000)),
        (6_000, 1, 1, None),
        (7_000, 0, 0, Some(0)),
        (9_000, 5_000_000_000, 4_000_000_000, Some(1)),
    ];
    let mut cases = Vec::new();
    for text in &throttles {
        let throttle: Throttle = of(text)?;
        let mut pace = Pace::default();
        let mut events = Vec::new();
        for (n, &(at, p99, limit, baseline)) in (1_u32..).zip(&p99s) {
            let now = Instant::from_millis(at);
            pace.handle_p99(now, &throttle, p99, limit, baseline);
            let rate = pace.rate(&throttle, None);
            let under = pace.rate(&throttle, Some(700));
            events.push(json!({
                "p99": [at, p99, limit, baseline], "rate": rate, "under": under,
                "ready_at": pace.ready_at().as_millis(),
            }));
            let (rate, rows) = (if n % 3 == 0 { under } else { rate }, n * 37);
            pace.spend(now, rate, rows);
            events.push(json!({
                "spend": [at, rate, rows], "rate": pace.rate(&throttle, None), "under": under,
                "ready_at": pace.ready_at().as_millis(),
            }));
        }
        cases.push(json!({"throttle": text, "events": events}));
    }
    Ok(cases)
}

fn checklists() -> Result<Vec<Value>, String> {
    let tick = |item: &str, waived: bool| json!({"item": item, "by": "ann", "unix_ms": 1_763_700_000_000_u64, "waived": waived});
    let ticks = [
        json!({}),
        json!({"marks": [tick("backup-verified", false), tick("load-tested", true)]}),
        json!({"marks": [tick("counts-compared", false), tick("old-copy-kept", true), tick("load-tested", true),
                         tick("load-tested", false)]}),
    ];
    let settings = [
        json!({}),
        json!({"verify": false, "reversed_ms": 604_799_999, "checks": {"keys_per_minute": 0}}),
        json!({"reversed_ms": 5, "gates": {"finish": "asked"}}),
        json!({"reversed_ms": 2_592_000_001_u64}),
    ];
    let mut cases = Vec::new();
    for (ticks, settings) in ticks
        .iter()
        .flat_map(|ticks| settings.iter().map(move |settings| (ticks, settings)))
    {
        let (list, by): (Checklist, Settings) = (of(ticks)?, of(settings)?);
        let items = Item::ALL.iter();
        let items = items.map(|&item| json!({"item": item, "state": list.state(item, &by)}));
        cases.push(
            json!({"ticks": ticks, "settings": settings, "items": items.collect::<Vec<_>>()}),
        );
    }
    Ok(cases)
}
