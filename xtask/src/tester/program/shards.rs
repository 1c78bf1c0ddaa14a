//! Programs about the shard's side.

use serde_json::{Value, json};

use super::Maker;
use crate::tester::Failed;

impl Maker<'_> {
    pub(super) fn guarding(&mut self) -> Result<(), Failed> {
        let name = self.name("u");
        self.call(json!({"do": "guard", "as": name}))?;
        let rows: Vec<_> = (0..5).map(|_| self.install_row()).collect();
        self.call(json!({"do": "guard_install", "on": name, "term": 1, "rows": rows}))?;
        for _ in 0..8 + self.rng.below(20) {
            let (domain, epoch) = (1 + self.rng.below(3), 1 + self.rng.below(3));
            // Mostly one that is let through.
            let term = if self.rng.chance(70) {
                3
            } else {
                self.rng.below(5)
            };
            match self.rng.below(12) {
                0..3 => {
                    let count = self.rng.below(3);
                    let rows: Vec<_> = (0..count).map(|_| self.install_row()).collect();
                    self.call(json!({"do": "guard_install", "on": name, "term": term, "rows": rows}))
                }
                3 => self.call(json!({"do": "guard_close", "on": name, "term": term, "domain": domain, "epoch": epoch})),
                4 => self.call(json!({"do": "guard_claim", "on": name, "term": term})),
                5 => self.call(json!({"do": "guard_rows", "on": name})),
                _ => {
                    let access = match self.rng.below(6) {
                        0 => json!("read"),
                        1 => json!("write"),
                        2 => json!("apply"),
                        _ => json!({self.rng.pick(&["copy", "purge", "collect"], "copy"): term}),
                    };
                    let (slot, keyspace) = (self.rng.below(16), self.rng.below(2));
                    let key = self.rng.pick(&["", "00", "6b"], "00");
                    self.call(json!({
                        "do": "admit", "on": name, "keyspace": keyspace, "slot": slot, "key": key,
                        "domain": domain, "epoch": epoch, "access": access,
                    }))
                }
            }?;
        }
        Ok(())
    }

    fn install_row(&mut self) -> Value {
        let roles = ["none", "authority", "mirror", "readable-mirror"];
        let start = self.rng.below(16);
        let end = start + 1 + self.rng.below(16 - start);
        let all = json!([{"start": start, "end": end}]);
        let claims = match self.rng.below(8) {
            0 => json!([]),
            1 => json!([{"Scope": [{"start": [107], "end": [107, 0]}, all]}]),
            2 => json!([{"Release": [{"start": [107], "end": [107, 0]}, all]}]),
            3 => json!([{"Slots": all}, {"Scope": [{"start": [0], "end": []}, all]}]),
            _ => json!([{"Slots": [{"start": start, "end": end}]}]),
        };
        let epoch = 1 + self.rng.below(3);
        json!({"row": {
            "domain": 1 + self.rng.below(3), "keyspace": self.rng.below(2), "epoch": epoch,
            "role": self.rng.pick(&roles, "none"), "closed": false,
            "drained": self.rng.below(epoch), "in_wave": self.rng.chance(50),
            "authority_epoch": 1 + self.rng.below(epoch),
        }, "claims": claims})
    }

    /// Attempts as an operation makes them, and the number of the call that has each.
    fn attempts(&mut self) -> Result<Vec<(u64, Value)>, Failed> {
        let (_, keyspace) = self.router()?;
        let mut attempts = Vec::new();
        for kind in ["read", "write", "write"] {
            let name = self.name("o");
            let (now, user) = (self.now, self.rng.below(30));
            let key = json!({"text": format!("user:{user}")});
            self.call(json!({"do": kind, "as": name, "on": keyspace, "key": key, "now": now}))?;
            let (number, step) = self.call(json!({"do": "poll", "on": name}))?;
            let id = step["send"]["id"].clone();
            attempts.push((number, step["send"].clone()));
            // A write's second attempt: an apply to its mirror, or a confirm.
            let reply = if self.rng.chance(60) {
                json!({"written": {"version": self.version()}})
            } else {
                json!({"failed": "maybe_applied"})
            };
            if kind == "write" {
                self.call(
                    json!({"do": "reply", "on": name, "now": now, "id": id, "reply": reply}),
                )?;
                let (mut number, mut step) = self.call(json!({"do": "poll", "on": name}))?;
                if let Some(until) = step["wait"]["until"].as_u64() {
                    self.call(json!({"do": "timeout", "on": name, "now": until}))?;
                    (number, step) = self.call(json!({"do": "poll", "on": name}))?;
                }
                if step.get("send").is_some() {
                    attempts.push((number, step["send"].clone()));
                }
            }
        }
        Ok(attempts)
    }

    fn op(&mut self) -> String {
        format!("{:032x}", self.rng.below(4))
    }

    /// What goes with an attempt of that kind; now and then something else.
    pub(super) fn content(&mut self, kind: &Value) -> Value {
        let op = self.op();
        let value = format!("{:04x}", self.rng.below(1 << 16));
        let found = kind["apply"]["payload"].get("found_by").is_some();
        match (kind.as_str(), self.rng.below(12)) {
            (_, 0) | (Some("read"), 1..11) => Value::Null,
            (_, 1) => json!({"row": {"value": value, "op": op}}),
            (_, 2) if found => json!({"row": {"value": null, "op": op}}),
            (_, _) if found => json!({"row": {"value": value, "op": op}}),
            (_, 2..=4) => json!({"own": {"change": "delete", "op": op}}),
            (_, 5..8) => {
                let version = self.version();
                let expected = if self.rng.chance(50) {
                    json!(version)
                } else {
                    Value::Null
                };
                json!({"own": {"change": {"put_if": {"expected": expected, "value": value}}, "op": op}})
            }
            _ => json!({"own": {"change": {"put": {"value": value}}, "op": op}}),
        }
    }

    pub(super) fn deciding(&mut self) -> Result<(), Failed> {
        let attempts = self.attempts()?;
        for _ in 0..6 + self.rng.below(10) {
            let place = self.rng.index(attempts.len());
            let Some((number, attempt)) = attempts.get(place) else {
                break;
            };
            let (content, look) = (self.content(&attempt["kind"]), self.look(attempt));
            self.call(json!({"do": "decide", "of": number, "content": content, "look": look}))?;
        }
        Ok(())
    }

    /// The columns of a look that fits the attempt, or nearly.
    fn look(&mut self, attempt: &Value) -> Value {
        let number = |name: &str| attempt[name].as_u64().unwrap_or(0);
        let near = |maker: &mut Self, exact: u64| match maker.rng.below(16) {
            0 => exact + 1,
            1 => exact.saturating_sub(1),
            _ => exact,
        };
        let role = match attempt["kind"].as_str() {
            Some("read" | "confirm") => 1 + self.rng.below(3),
            Some(_) => 1,
            None => 2,
        };
        let (epoch, domain) = (number("epoch"), number("domain"));
        let mut look = vec![
            Some(self.rng.below(5)),
            Some(self.rng.below(1 << 53)),
            self.rng.chance(60).then_some(4),
            Some(near(self, domain)),
            self.rng
                .chance(40)
                .then(|| self.version().parse().unwrap_or(0)),
            Some(number("keyspace")),
            Some(near(self, epoch)),
            Some(near(self, role)),
            Some(u64::from(self.rng.chance(15))),
            Some(epoch.saturating_sub(1)),
            Some(u64::from(self.rng.chance(50))),
            Some(near(self, epoch)),
        ];
        let present = self.rng.chance(60);
        look.push(present.then(|| self.version().parse().unwrap_or(0)));
        look.push(None);
        look.push(present.then(|| self.rng.below(2)));
        if self.rng.chance(6) {
            // A shard that was damaged, or never heard of the domain.
            let column = self.rng.index(look.len());
            if column != ringshift::store::LOOK_OP
                && let Some(column) = look.get_mut(column)
            {
                *column = self
                    .rng
                    .pick(&[None, Some(1 << 40), Some(u64::MAX >> 1)], None);
            }
        }
        let mut look: Vec<Value> = look
            .into_iter()
            .map(|column| column.map_or(Value::Null, |number| json!(number.to_string())))
            .collect();
        if let (true, Some(op)) = (present, look.get_mut(ringshift::store::LOOK_OP)) {
            *op = json!(self.op());
        }
        json!(look)
    }

    /// Attempts at a shard in memory, some of which it admits.
    pub(super) fn storing(&mut self) -> Result<(), Failed> {
        let attempts = self.attempts()?;
        let (shard, chunks) = (self.name("m"), self.name("x"));
        self.call(json!({"do": "shard", "as": shard}))?;
        self.call(json!({"do": "chunks", "as": chunks}))?;
        for (_, attempt) in &attempts {
            let role = if attempt["kind"].is_object() {
                "mirror"
            } else {
                "authority"
            };
            let row = json!({
                "domain": attempt["domain"], "keyspace": attempt["keyspace"], "epoch": attempt["epoch"],
                "role": role, "closed": false, "drained": 0, "in_wave": self.rng.chance(50),
                "authority_epoch": attempt["epoch"],
            });
            let rows = json!([{"row": row, "claims": [{"Slots": [{"start": 0, "end": 16}]}]}]);
            if self.rng.chance(60) {
                let command = json!({"install": {"shard": 1, "term": 1, "rows": rows}});
                self.call(
                    json!({"do": "command", "on": shard, "chunks": chunks, "command": command}),
                )?;
            }
        }
        for _ in 0..8 + self.rng.below(10) {
            let place = self.rng.index(attempts.len());
            let Some((number, attempt)) = attempts.get(place) else {
                break;
            };
            if self.rng.chance(20) {
                let command = self.shard_command(attempt);
                self.call(
                    json!({"do": "command", "on": shard, "chunks": chunks, "command": command}),
                )?;
                continue;
            }
            let content = self.content(&attempt["kind"]);
            let key = format!("{:02x}", self.rng.below(3));
            self.call(
                json!({"do": "attempt", "on": shard, "of": number, "key": key, "content": content}),
            )?;
        }
        Ok(())
    }

    fn shard_command(&mut self, attempt: &Value) -> Value {
        let fence = json!({"domain": attempt["domain"], "epoch": attempt["epoch"]});
        let term = self.rng.below(3);
        let (limit, chunk) = (self.rng.below(4), self.rng.below(3));
        let after = self.rng.below(4);
        match self.rng.below(12) {
            0 => json!({"claim": {"shard": 1, "term": term}}),
            1 => json!({"guards": {"shard": 1}}),
            2 => json!({"close": {"shard": 1, "term": term, "fence": fence}}),
            3 => json!({"revision": {"shard": 1, "fence": fence}}),
            4 => {
                json!({"changes": {"shard": 1, "fence": fence, "after": after, "limit": limit, "chunk": chunk}})
            }
            5 => json!({"apply": {"shard": 1, "term": term, "fence": fence, "chunk": chunk}}),
            6 => json!({"count": {"shard": 1, "fence": fence}}),
            7 => json!({"collect": {"shard": 1, "term": term, "fence": fence, "limit": limit}}),
            8 => json!({"digests": {"shard": 1, "fence": fence}}),
            9 => {
                json!({"sample": {"shard": 1, "fence": fence, "keyspace": 0, "slots": [attempt["slot"]], "seed": 7, "limit": limit}})
            }
            10 => {
                json!({"look": {"shard": 1, "fence": fence, "keyspace": 0, "slots": [attempt["slot"]], "keys": [[0], [2]]}})
            }
            _ => {
                json!({"keys": {"shard": 1, "fence": fence, "keyspace": 0, "slots": [0, 3, attempt["slot"]]}})
            }
        }
    }
}
