//! Programs about transactions.

use serde_json::{Value, json};

use super::Maker;
use crate::tester::Failed;
use crate::vectors::hex;

impl Maker<'_> {
    pub(super) fn together(&mut self) -> Result<(), Failed> {
        let (name, bytes) = (self.name("t"), self.rng.index(self.pool.demos));
        let count = 1 + self.rng.below(3);
        let keys: Vec<_> = (0..count)
            .map(|_| hex(format!("user:{}", self.rng.below(30)).as_bytes()))
            .collect();
        let (policy, again, now) = (self.policy(), self.rng.chance(50), self.now);
        self.call(json!({"do": "transaction", "as": name, "bytes": bytes, "keys": keys, "again": again, "policy": policy, "now": now}))?;
        let mut last = Value::Null;
        for _ in 0..30 {
            let (_, step) = self.call(json!({"do": "transaction_poll", "on": name}))?;
            if step["send"]["blocking"] == json!(true) {
                last = step["send"].clone();
            }
            let now = self.later();
            if step == json!("work") {
                let uses: Vec<_> = (0..count)
                    .map(|_| [self.rng.chance(60), self.rng.chance(60)])
                    .collect();
                let call = if self.rng.chance(90) {
                    json!({"do": "transaction_commit", "on": name, "now": now, "uses": uses})
                } else {
                    json!({"do": "transaction_roll_back", "on": name})
                };
                self.call(call)?;
            } else if step.get("refresh").is_some() {
                let bytes = self.rng.index(self.pool.demos);
                self.call(
                    json!({"do": "transaction_learn", "on": name, "now": now, "bytes": bytes}),
                )?;
            } else if let Some(until) = step["wait"]["until"].as_u64() {
                if last.is_null() || self.rng.chance(15) {
                    self.now = self.now.max(until);
                    let now = self.now;
                    self.call(json!({"do": "transaction_timeout", "on": name, "now": now}))?;
                } else {
                    let reply = self.batch_reply(&last);
                    let id = if self.rng.chance(5) {
                        json!(77)
                    } else {
                        last["id"].clone()
                    };
                    self.call(json!({"do": "transaction_reply", "on": name, "now": now, "id": id, "reply": reply}))?;
                    last = Value::Null;
                }
            } else if step.get("done").is_some() {
                break;
            }
        }
        Ok(())
    }

    fn batch_reply(&mut self, batch: &Value) -> Value {
        let parts = batch["parts"].as_array().map_or(0, Vec::len);
        let epoch = 5 + self.rng.below(16);
        match self.rng.below(14) {
            0 => json!({"conflict": {"part": self.rng.index(parts), "found": self.version()}}),
            1 => json!({"conflict": {"part": 0, "found": null}}),
            2 => json!({"refused": {"stale_epoch": {"current": epoch, "drained": epoch - 1}}}),
            3 => json!({"refused": {"not_ready": {"current": epoch}}}),
            4 => json!({"refused": "not_owner"}),
            5 => {
                json!({"failed": self.rng.pick(&["not_sent", "maybe_applied", "rejected"], "not_sent")})
            }
            _ => {
                let begins = batch["begins"] == json!(true);
                let replies: Vec<_> = (0..parts)
                    .map(|_| match self.rng.below(5) {
                        0 => json!("missing"),
                        1 => json!("superseded"),
                        _ if begins => json!({"found": {"version": self.version()}}),
                        _ => json!({"written": {"version": self.version()}}),
                    })
                    .collect();
                json!({"done": replies})
            }
        }
    }
}
