//! Programs about snapshots, routers and keyspaces.

use serde_json::json;

use super::Maker;
use crate::tester::Failed;

impl Maker<'_> {
    pub(super) fn routing(&mut self) -> Result<(), Failed> {
        let mut snapshots = Vec::new();
        for _ in 0..=self.rng.below(3) {
            let name = self.name("s");
            let bytes = self.rng.index(self.pool.bytes.len());
            self.call(json!({"do": "snapshot", "as": name, "bytes": bytes}))?;
            snapshots.push(name);
        }
        if self.rng.chance(30) {
            snapshots.push(self.topology()?);
        }
        let router = self.name("r");
        let of = if self.rng.chance(60) {
            self.pool.demos
        } else {
            self.pool.bad
        };
        let good = self.rng.index(of);
        self.call(json!({"do": "router", "as": router, "bytes": good}))?;
        let mut keyspaces = Vec::new();
        for of in ["orders", "users", "k"] {
            let name = self.name("k");
            let keyspace = json!({"do": "keyspace", "as": name, "on": router, "name": of});
            if self.call(keyspace)?.1.get("error").is_none() {
                keyspaces.push(name);
            }
        }
        for _ in 0..2 + self.rng.below(14) {
            let snapshot = snapshots.get(self.rng.index(snapshots.len())).cloned();
            let snapshot = snapshot.unwrap_or_default();
            match self.rng.below(12) {
                0 => {
                    let of = self.rng.pick(&["orders", "k", "users", "none"], "k");
                    self.call(json!({"do": "owners", "on": snapshot, "keyspace": of}))
                }
                1 => {
                    let other = snapshots.get(self.rng.index(snapshots.len())).cloned();
                    self.call(
                        json!({"do": "equals", "on": snapshot, "other": other.unwrap_or_default()}),
                    )
                }
                2 => self.call(json!({"do": "encode", "on": snapshot})),
                3 => self.call(json!({"do": "install", "on": router, "snapshot": snapshot})),
                4 => {
                    let bytes = self.rng.index(self.pool.bytes.len());
                    self.call(json!({"do": "install", "on": router, "bytes": bytes}))
                }
                5..8 => {
                    let name = self.name("k");
                    let of = [
                        "orders", "orders", "users", "chats", "carts", "k", "none", "",
                    ];
                    let of = self.rng.pick(&of, "orders");
                    keyspaces.push(name.clone());
                    self.call(json!({"do": "keyspace", "as": name, "on": router, "name": of}))
                }
                _ => {
                    let on = keyspaces.get(self.rng.index(keyspaces.len())).cloned();
                    self.look_up(&on.unwrap_or_default())?;
                    continue;
                }
            }?;
        }
        for keyspace in keyspaces {
            for _ in 0..2 {
                self.look_up(&keyspace)?;
            }
        }
        Ok(())
    }

    fn look_up(&mut self, on: &str) -> Result<(), Failed> {
        let key = self.key();
        match self.rng.below(10) {
            0..2 => self.call(json!({"do": "route", "on": on, "key": key})),
            2 => self.call(json!({"do": "shard_of", "on": on, "key": key})),
            3 => self.call(json!({"do": "describe", "on": on, "key": key})),
            4..6 => self.call(json!({"do": "explain", "on": on, "key": key})),
            6 => {
                let count = self.rng.below(5);
                self.call(json!({"do": "replicas", "on": on, "key": key, "count": count}))
            }
            7 => self.call(json!({"do": "shards", "on": on})),
            other => {
                let length = self.rng.below(6);
                let mut keys: Vec<_> = (0..length).map(|_| self.key()).collect();
                if self.rng.chance(5) {
                    // Two halves that are no whole.
                    keys.extend([json!({"utf16": "0061d83d"}), json!({"utf16": "dddd0062"})]);
                }
                let name = if other == 8 { "route_many" } else { "group" };
                self.call(json!({"do": name, "on": on, "keys": keys}))
            }
        }?;
        Ok(())
    }

    /// A small cluster as people write it; now and then with a mistake.
    pub(super) fn topology(&mut self) -> Result<String, Failed> {
        let count = 1 + self.rng.below(5);
        let mut shards: Vec<_> = (0..count)
            .map(|id| json!({"id": id * 7, "name": format!("s-{id}"), "weight": 0.5 + 0.25 * f64::from(u8::try_from(self.rng.below(8)).unwrap_or(0))}))
            .collect();
        if self.rng.chance(20) {
            shards.push(json!({"id": 0, "name": "again"}));
        }
        let bits = self.rng.pick(&[4, 6, 10, 3, 21], 4);
        let name = self.name("s");
        let topology = json!({
            "cluster": "typed", "keyspaces": {"orders": {"bits": bits, "seed": self.rng.next().to_string()}},
            "shards": shards,
        });
        self.call(json!({"do": "topology", "as": name, "topology": topology}))?;
        Ok(name)
    }
}
