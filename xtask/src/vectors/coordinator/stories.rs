//! What happens to each coordinator of `coordinator.json`.

use serde_json::{Value, json};

/// One story.
pub(super) struct Story {
    pub(super) name: &'static str,
    pub(super) topology: Value,
    /// The wish that is planned; null: nothing new.
    pub(super) changes: Value,
    pub(super) wave_slots: u32,
    pub(super) settings: Value,
    /// How many rows there are.
    pub(super) rows: u32,
    pub(super) happens: Vec<(When, Does)>,
}

/// When the next thing happens.
pub(super) enum When {
    /// It is about to be told to do this: a goal and a stage, as they are written; any stage.
    Asked(&'static str, &'static str),
    /// So many answers later.
    After(u32),
    /// It waits.
    Waits,
    /// It is over, in a pause say.
    Over,
}

/// What happens.
pub(super) enum Does {
    RollBack(&'static str),
    Pause(&'static str),
    Resume,
    Agree,
    Health(Value),
    Clock(i64, i16),
    /// Somebody asks for something in the topology store.
    Asks(Value),
    /// The shard doesn't answer any more, and again.
    Cut(u32),
    Heals,
    /// From now on this shard's first row is another than the one that was copied.
    Spoils(u32),
    /// So many answers don't come.
    Loses(u32),
    /// This one dies, and the next takes over; the trace begins anew with it.
    Succeeds,
    /// Another one leads by now.
    Deposed,
}

use Does::{
    Agree, Asks, Clock, Cut, Deposed, Heals, Health, Loses, Pause, Resume, RollBack, Spoils,
    Succeeds,
};
use When::{After, Asked, Over, Waits};

fn two() -> Value {
    json!({"cluster": "two", "keyspaces": {"orders": {"bits": 4}},
           "shards": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]})
}

fn quick() -> Value {
    json!({"shadow_ms": 5, "shadow_ppm": 10_000, "ramps_ppm": [250_000, 1_000_000], "ramp_ms": 3,
           "reversed_ms": 10, "chunk_rows": 3, "lag_rows_max": 2, "checkpoint_chunks": 2, "retry_ms": 4,
           "checks": {"keys_per_minute": 0}})
}

fn with(more: &Value) -> Value {
    let mut settings = quick();
    if let (Some(settings), Some(more)) = (settings.as_object_mut(), more.as_object()) {
        settings.extend(more.clone());
    }
    settings
}

fn story(name: &'static str, settings: &Value, happens: Vec<(When, Does)>) -> Story {
    Story {
        name,
        topology: two(),
        changes: json!({"add": [{"id": 3, "name": "c"}]}),
        wave_slots: 0,
        settings: with(settings),
        rows: 14,
        happens,
    }
}

/// All of them.
pub(super) fn all() -> Vec<Story> {
    let ramp = || Asked("ramp", "");
    vec![
        story("a shard more, in small waves", &json!({}), vec![]).waves_of(2),
        story("strict, compared, checked all the while", &json!({
            "strict": true, "checks": {"keys_per_minute": 60_000, "keys_per_round": 4, "seed": 5},
        }), vec![]),
        story("the comparison finds a row that differs, and it goes back", &json!({"strict": true}), vec![
            (Asked("verify", "digest-from"), Spoils(3)),
        ]),
        story("a check finds one behind the switch, and it is paused", &json!({
            "reversed_ms": 60_000, "checks": {"keys_per_minute": 60_000, "keys_per_round": 4, "seed": 5},
        }), vec![(Asked("switch", "install-other"), Spoils(1))]),
        story("told to go on before it has read that it is paused", &json!({}), vec![
            (Asked("copy", "apply"), Pause("lunch")), (Over, Succeeds), (Asked("take-over", "lead"), Resume),
        ]),
        story("answers are lost", &json!({"verify": false}), vec![
            (Asked("copy", "read"), Loses(2)),  (ramp(), Loses(3)),
            (Asked("switch", "swap"), Loses(1)), (Asked("finish", "swap"), Loses(2)),
        ]),
        story("taken back from read-new", &json!({}), vec![(ramp(), RollBack("пора назад"))]),
        story("taken back from reversed", &json!({"reversed_ms": 60_000}), vec![
            (Asked("switch", "install-other"), RollBack("")),
        ]),
        story("paused, and resumed by a request", &json!({"ramp_ms": 4_000, "reversed_ms": 9_000}), vec![
            (Asked("copy", "apply"), Pause("lunch")), (Over, Resume),
            (ramp(), Asks(json!({"pause": {"reason": "tea"}}))), (Over, Resume),

        ]),
        story("a new shard dies while it is read from, and comes back", &json!({
            "lease_ms": 2_000, "ramp_ms": 3_000, "reversed_ms": 3_000,
        }), vec![(ramp(), Health(json!({}))), (After(12), Cut(3)), (After(250), Heals)]),
        story("bad health holds it, then turns it back", &json!({
            "ramp_ms": 3_000, "gates": {"patience_ms": 3_000, "recheck_ms": 1_000, "steps_back_max": 1},
        }), vec![
            (Asked("mirror", ""), Health(json!({"error_ppm": 1, "p99_us": 900, "baseline_p99_us": 1_000}))),
            (ramp(), Health(json!({"error_ppm": 20_000, "stores": [{"shard": 3, "healthy": false}]}))),
        ]),
        story("only at night, and slower by day", &json!({
            "calendar": {"hours": ["22:00-06:00"], "peak": ["05:00-07:00"], "peak_rows_per_s_max": 2,
                         "off_peak_rows_per_s_max": 100},
            "throttle": {"rows_per_s_min": 1, "rows_per_s_start": 50, "rows_per_s_max": 200, "adjust_ms": 5},
            "gates": {"p99_us_limit": 1_000},
        }), vec![
            (Waits, Clock(1_763_758_800_000, 60)), (Asked("copy", ""), Health(json!({"p99_us": 1_500}))),
            (After(5), Health(json!({"p99_us": 10}))), (ramp(), Clock(1_763_786_000_000, 60)),
            (Waits, Clock(1_763_845_200_000, 60)),
        ]),
        story("somebody has to agree to the end", &json!({
            "gates": {"finish": "asked", "after_patience": "wait", "recheck_ms": 50},
        }), vec![(Asked("switch", "install-other"), Health(json!({"error_ppm": 0}))), (After(25), Agree)]),
        story("it dies, and another one goes on", &json!({}), vec![(ramp(), Succeeds)]),
        story("another one leads", &json!({"ramp_ms": 2_000}), vec![(ramp(), Deposed)]),
        story("a tenant moves", &json!({"strict": true}), vec![])
            .wishing(json!({"move_prefix": [{"keyspace": "orders", "prefix": "user:1", "to": "b"}]})),
        story("a range is pinned, and taken back", &json!({}), vec![(Asked("switch", ""), RollBack("no"))])
            .wishing(json!({"move_range": [{"keyspace": "orders", "start": "user:2", "end": "user:5", "to": 2}]})),
        story("writes are held while it is copied", &json!({"offline": true, "offline_ms": 60_000}), vec![]),
        story("a shard goes, wave after wave", &json!({"finish_each": true}), vec![])
            .wishing(json!({"remove": [1]})).waves_of(3),
        story("more slots", &json!({}), vec![])
            .wishing(json!({"grow_bits": [{"keyspace": "orders", "bits": 6}]})),
        story("the checklist is strict", &json!({"checklist": "strict"}), vec![]),
        story("nothing to do", &json!({}), vec![]).wishing(Value::Null),
    ]
}

impl Story {
    fn waves_of(mut self, slots: u32) -> Self {
        self.wave_slots = slots;
        self
    }

    fn wishing(mut self, changes: Value) -> Self {
        self.changes = changes;
        self
    }
}
