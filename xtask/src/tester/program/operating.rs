//! Programs about operations, comparisons and the gate.

use serde_json::{Value, json};

use super::Maker;
use crate::tester::Failed;

/// An operation in a program, as its maker sees it.
struct Open {
    name: String,
    key: Value,
    is_write: bool,
    /// The attempt that was sent last.
    last: u64,
    until: u64,
    is_over: bool,
}

impl Maker<'_> {
    pub(super) fn operating(&mut self) -> Result<(), Failed> {
        let (router, keyspace) = self.router()?;
        let mut open = Vec::new();
        for _ in 0..=self.rng.below(2) {
            open.push(self.begin(&keyspace)?);
        }
        for operation in &mut open {
            self.drain(operation)?;
        }
        for _ in 0..3 + self.rng.below(20) {
            let place = self.rng.index(open.len());
            let Some(operation) = open.get_mut(place) else {
                break;
            };
            if operation.is_over && self.rng.chance(70) {
                continue;
            }
            self.event(&router, &keyspace, operation)?;
            self.drain(operation)?;
        }
        let sampled = open.first().filter(|operation| !operation.is_write);
        if let Some(name) = sampled.map(|operation| operation.name.clone()) {
            self.compare(&name)?;
        }
        Ok(())
    }

    fn begin(&mut self, keyspace: &str) -> Result<Open, Failed> {
        let mut open = Open {
            name: self.name("o"),
            key: self.key(),
            is_write: self.rng.chance(60),
            last: 1,
            until: self.now,
            is_over: false,
        };
        let kind = if open.is_write { "write" } else { "read" };
        let (policy, now) = (self.policy(), self.now);
        let begin = |key: &Value| json!({"do": kind, "as": open.name, "on": keyspace, "key": key, "policy": policy, "now": now});
        let (_, said) = self.call(begin(&open.key))?;
        if !said.is_null() {
            // The key was refused: once more, with a good one.
            let key = json!({"text": "user:42"});
            self.call(begin(&key))?;
            open.key = key;
        }
        Ok(open)
    }

    /// Polls until it waits or is over; now and then once more, or not at all.
    fn drain(&mut self, open: &mut Open) -> Result<(), Failed> {
        if self.rng.chance(5) {
            return Ok(());
        }
        for _ in 0..6 {
            let (_, step) = self.call(json!({"do": "poll", "on": open.name}))?;
            if let Some(id) = step["send"]["id"].as_u64() {
                open.last = id;
            } else if let Some(wait) = step.get("wait") {
                open.until = wait["until"].as_u64().unwrap_or(self.now + 1_000);
                return Ok(());
            } else if step.get("refresh").is_none() {
                open.is_over = true;
                return Ok(());
            }
        }
        Ok(())
    }

    fn event(&mut self, router: &str, keyspace: &str, open: &mut Open) -> Result<(), Failed> {
        let name = &open.name;
        match self.rng.below(20) {
            0..11 => {
                let now = self.later();
                let id = match self.rng.below(12) {
                    0 => self.rng.below(5),
                    1 => 4_294_967_295,
                    _ => open.last,
                };
                let reply = self.reply(open.is_write);
                self.call(
                    json!({"do": "reply", "on": name, "now": now, "id": id, "reply": reply}),
                )?;
            }
            11..14 => {
                self.now = self.now.max(open.until.min(self.now + 10_000));
                let now = self.now;
                self.call(json!({"do": "timeout", "on": name, "now": now}))?;
            }
            14 => {
                let now = self.later();
                self.call(json!({"do": "timeout", "on": name, "now": now}))?;
            }
            15..18 => {
                let bytes = self.rng.index(self.pool.demos);
                self.call(json!({"do": "install", "on": router, "bytes": bytes}))?;
                let now = self.later();
                self.call(json!({"do": "learn", "on": name, "now": now, "keyspace": keyspace, "key": open.key}))?;
            }
            18 => {
                let (now, key) = (self.later(), self.key());
                self.call(json!({"do": "learn", "on": name, "now": now, "keyspace": keyspace, "key": key}))?;
            }
            19 if self.rng.chance(50) => self.misuse(open)?,
            _ => {
                let key = self.key();
                self.call(json!({"do": "describe", "on": keyspace, "key": key}))?;
            }
        }
        Ok(())
    }

    /// A call with a number that no type of its takes.
    fn misuse(&mut self, open: &Open) -> Result<(), Failed> {
        let (name, now, id) = (&open.name, self.now, open.last);
        let bad = if self.rng.chance(50) {
            json!(-1)
        } else {
            json!("soon")
        };
        let over = |of: &str| json!({"refused": {of: {"current": 1_u64 << 31}}});
        match self.rng.below(4) {
            0 => self.call(json!({"do": "timeout", "on": name, "now": bad})),
            1 => self.call(json!({"do": "reply", "on": name, "now": bad, "id": id, "reply": "missing"})),
            2 => self.call(json!({"do": "reply", "on": name, "now": now, "id": 1_u64 << 32, "reply": "missing"})),
            _ => self.call(json!({"do": "reply", "on": name, "now": now, "id": id, "reply": over("not_ready")})),
        }?;
        Ok(())
    }

    /// A reply, more often one that a store would give.
    pub(super) fn reply(&mut self, is_write: bool) -> Value {
        let version = self.version();
        let usual = if is_write {
            json!({"written": {"version": version}})
        } else {
            json!({"found": {"version": version}})
        };
        match self.rng.below(16) {
            0..4 => usual,
            4 => json!({"found": {"version": version}}),
            5 => json!({"deleted": {"version": version}}),
            6 => json!("missing"),
            7 => json!({"written": {"version": version}}),
            8 => json!("superseded"),
            9 => {
                json!({"conflict": {"found": if self.rng.chance(50) { json!(version) } else { Value::Null }}})
            }
            10..14 => json!({"refused": self.refusal()}),
            _ => {
                json!({"failed": self.rng.pick(&["not_sent", "maybe_applied", "rejected"], "not_sent")})
            }
        }
    }

    fn refusal(&mut self) -> Value {
        let current = match self.rng.below(10) {
            0 => (1 << 31) - 1,
            1 => 0,
            _ => 3 + self.rng.below(18),
        };
        let name = ["not_ready", "wrong_role", "lease_over"];
        match self.rng.below(8) {
            0..3 => {
                let drained = self.rng.below(current + 1);
                json!({"stale_epoch": {"current": current, "drained": drained}})
            }
            3..6 => json!({self.rng.pick(&name, "not_ready"): {"current": current}}),
            6 => json!("not_owner"),
            _ => json!({"stale_term": {"seen": self.rng.below(1 << 32)}}),
        }
    }

    pub(super) fn comparing(&mut self) -> Result<(), Failed> {
        let (_, keyspace) = self.router()?;
        for _ in 0..6 {
            let name = self.name("o");
            let key = json!({"text": format!("user:{}", self.rng.below(60))});
            let now = self.now;
            self.call(json!({"do": "read", "as": name, "on": keyspace, "key": key, "now": now}))?;
            self.compare(&name)?;
        }
        let (key, version) = (
            format!("{:x}{:x}", self.rng.next() | 1 << 63, 0xab),
            self.version(),
        );
        let value = if self.rng.chance(50) {
            json!("00ff")
        } else {
            Value::Null
        };
        self.call(json!({"do": "digest", "key": key, "version": version, "value": value}))?;
        Ok(())
    }

    /// A comparison of the key of that operation, to its end or nearly.
    fn compare(&mut self, operation: &str) -> Result<(), Failed> {
        let name = self.name("h");
        let (policy, now) = (self.policy(), self.now);
        let (_, sampled) = self.call(
            json!({"do": "shadow", "as": name, "on": operation, "policy": policy, "now": now}),
        )?;
        if sampled != json!(true) {
            return Ok(());
        }
        // What the two shards have, mostly.
        let version = self.version();
        let rows = [
            (version.clone(), "0"),
            (version, self.rng.pick(&["0", "1"], "0")),
            (self.version(), "2"),
        ];
        let sides = [self.rng.index(3), self.rng.index(3)];
        for _ in 0..10 {
            let (_, step) = self.call(json!({"do": "shadow_poll", "on": name}))?;
            if step.get("done").is_some() {
                break;
            }
            if let Some(until) = step["wait"]["until"].as_u64() {
                self.now = until.min(self.now + 6_000);
                let now = self.now;
                self.call(json!({"do": "shadow_timeout", "on": name, "now": now}))?;
                continue;
            }
            let id = step["send"]["id"].as_u64().unwrap_or(0);
            let id = if self.rng.chance(5) { id + 1 } else { id };
            let side = usize::from(step["send"]["shard"] == json!(1));
            let row = sides.get(side).and_then(|row| rows.get(*row));
            let (version, digest) = row.cloned().unwrap_or_default();
            let (reply, digest) = match self.rng.below(24) {
                0 => (self.reply(false), Value::Null),
                1 => (
                    json!({"found": {"version": self.version()}}),
                    json!(u64::MAX.to_string()),
                ),
                _ if digest == "2" && side == 1 => (json!("missing"), Value::Null),
                2 => (json!({"deleted": {"version": version}}), json!(digest)),
                _ => (json!({"found": {"version": version}}), json!(digest)),
            };
            let now = self.later();
            self.call(json!({"do": "shadow_reply", "on": name, "now": now, "id": id, "reply": reply, "digest": digest}))?;
        }
        Ok(())
    }

    pub(super) fn gate(&mut self) -> Result<(), Failed> {
        let name = self.name("g");
        let (have, gap) = (
            self.rng.below(6),
            self.rng.pick(&[0, 1, 10, 1_000, 4_294_967_295_u64], 10),
        );
        let seed = self.rng.next().to_string();
        self.call(json!({"do": "gate", "as": name, "have": have, "gap_ms": gap, "seed": seed}))?;
        for _ in 0..10 + self.rng.below(20) {
            let (now, epoch) = (self.later(), self.rng.below(8));
            match self.rng.below(10) {
                0..6 => {
                    let (_, step) = self
                        .call(json!({"do": "want", "on": name, "now": now, "newer_than": epoch}))?;
                    if let Some(until) = step["wait"]["until"].as_u64()
                        && self.rng.chance(50)
                    {
                        self.now = self.now.max(until.min(1 << 50));
                    }
                }
                6 if self.rng.chance(20) => {
                    let over =
                        json!({"do": "want", "on": name, "now": now, "newer_than": 1_u64 << 31});
                    self.call(over)?;
                }
                6..8 => {
                    self.call(json!({"do": "fetched", "on": name, "now": now, "epoch": epoch}))?;
                }
                8 => {
                    self.call(json!({"do": "failed", "on": name, "now": now}))?;
                }
                _ => {
                    self.call(json!({"do": "begun", "on": name}))?;
                }
            }
        }
        Ok(())
    }
}
