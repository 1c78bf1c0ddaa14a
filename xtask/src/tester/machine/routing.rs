//! Snapshots, routers and keyspaces.

use std::sync::Arc;

use ringshift::record::snapshot_in;
use ringshift::{Installed, Router, Snapshot, Topology};
use serde_json::{Value, json};

use super::{Machine, Object, Refused, Said};
use crate::tester::read::{bytes, small, text};
use crate::vectors::hex;
use crate::vectors::placement::typed::made;

impl Machine<'_> {
    pub(super) fn routing(&mut self, call: &Value) -> Said {
        match text(call, "do")? {
            "snapshot" => {
                let snapshot = self.bytes_of(call)?;
                let said = told(&snapshot);
                self.make(call, Object::Snapshot(snapshot))?;
                Ok(said)
            }
            "topology" => {
                let topology = serde_json::from_value::<Topology>(call["topology"].clone());
                let topology = topology.map_err(|_| Refused::Slug("topology"))?;
                let snapshot = topology.snapshot().map_err(|e| Refused::from(e.code()))?;
                let said = told(&snapshot);
                self.make(call, Object::Snapshot(Arc::new(snapshot)))?;
                Ok(said)
            }
            "owners" => self.owners(call),
            "equals" => {
                let (ours, theirs) = (self.snapshot(call, "on")?, self.snapshot(call, "other")?);
                Ok(json!(ours == theirs))
            }
            "encode" => Ok(json!(hex(&self.snapshot(call, "on")?.encode()))),
            "router" => {
                let snapshot = self.given(call)?;
                let epoch = snapshot.epoch();
                self.make(call, Object::Router(Router::new(snapshot)))?;
                Ok(json!({"epoch": epoch}))
            }
            "install" => self.install(call),
            "keyspace" => {
                let (router, name) = (text(call, "on")?.to_owned(), text(call, "name")?);
                let Some(Object::Router(of)) = self.objects.get(&router) else {
                    return Err(Refused::Missing);
                };
                let found = of.keyspace(name).map_err(|e| Refused::from(e.code()))?;
                let said = json!({"name": name, "id": found.id()});
                self.make(call, Object::Keyspace(router, name.to_owned()))?;
                Ok(said)
            }
            _ => self.looked_up(call),
        }
    }

    /// The snapshot in the bytes that the call names by number.
    pub(super) fn bytes_of(&self, call: &Value) -> Result<Arc<Snapshot>, Refused> {
        let own;
        let bytes = if call["bytes"].is_string() {
            own = bytes(&call["bytes"])?;
            &own
        } else {
            let pooled = self.pool.get(small::<usize>(call, "bytes")?);
            pooled.ok_or("no such bytes")?
        };
        snapshot_in(bytes).map_err(|e| e.code().into())
    }

    fn given(&self, call: &Value) -> Result<Arc<Snapshot>, Refused> {
        if call.get("bytes").is_some() {
            self.bytes_of(call)
        } else {
            self.snapshot(call, "snapshot")
        }
    }

    fn owners(&self, call: &Value) -> Said {
        let snapshot = self.snapshot(call, "on")?;
        let name = text(call, "keyspace")?;
        let router = Router::new(snapshot);
        let keyspace = router.keyspace(name).map_err(|e| Refused::from(e.code()))?;
        Ok(json!(keyspace.owners()))
    }

    fn install(&mut self, call: &Value) -> Said {
        if !matches!(self.objects.get(text(call, "on")?), Some(Object::Router(_))) {
            return Err(Refused::Missing);
        }
        let snapshot = self.given(call)?;
        let Some(Object::Router(router)) = self.objects.get_mut(text(call, "on")?) else {
            return Err(Refused::Missing);
        };
        let installed = router
            .install(snapshot)
            .map_err(|e| Refused::from(e.code()));
        let epoch = router.snapshot().epoch();
        Ok(match installed? {
            Installed::Replaced => json!({"installed": "replaced", "epoch": epoch}),
            Installed::Same => json!({"installed": "same", "epoch": epoch}),
        })
    }

    fn looked_up(&self, call: &Value) -> Said {
        let keyspace = self.keyspace(call, "on")?;
        let snapshot = keyspace.snapshot();
        let name = |index| {
            let shard = snapshot.content().shard_at(index);
            shard.map(|shard| shard.name.as_str()).unwrap_or_default()
        };
        if let Some(keys) = call.get("keys").and_then(Value::as_array) {
            let keys = keys.iter().map(|typed| {
                // The first key that is refused says why, whether it is no key or can't be routed.
                let key = key(typed)?;
                keyspace.route(&key).map_err(|e| Refused::from(e.code()))?;
                Ok(key)
            });
            let keys = keys.collect::<Result<Vec<_>, Refused>>()?;
            let keys_in = || keys.iter().map(Vec::as_slice);
            if text(call, "do")? == "route_many" {
                let mut out = vec![ringshift::ShardIndex(0); keys.len()];
                let routed = keyspace.route_many(keys_in(), &mut out);
                routed.map_err(|e| Refused::from(e.code()))?;
                return Ok(json!(out));
            }
            let groups = keyspace.group_by_shard(keys_in());
            let groups = groups.map_err(|e| Refused::from(e.code()))?.by_shard;
            let named = groups
                .iter()
                .map(|(shard, places)| json!([name(*shard), places]));
            return Ok(named.collect());
        }
        if text(call, "do")? == "shards" {
            let shares = keyspace.shards().map(|(shard, share)| {
                let phase = share.phase.map(ringshift::Phase::name);
                json!({"name": shard.name, "slots": share.slots, "mirrored": share.mirrored, "phase": phase})
            });
            return Ok(shares.collect());
        }
        let key = key(&call["key"])?;
        let refused = |e: ringshift::KeyError| Refused::from(e.code());
        match text(call, "do")? {
            "route" => Ok(json!(keyspace.route(&key).map_err(refused)?.shard)),
            "shard_of" => Ok(json!(name(keyspace.route(&key).map_err(refused)?.shard))),
            "replicas" => {
                let shards = keyspace.replicas(&key, small(call, "count")?);
                let shards = shards.map_err(refused)?;
                Ok(shards.into_iter().map(|shard| json!(name(shard))).collect())
            }
            "describe" => {
                let said = keyspace.explain(&key).map_err(refused)?;
                Ok(json!({
                    "shard": said.authority, "slot": said.slot, "domain": said.domain,
                    "epoch": said.domain_epoch, "phase": said.phase,
                }))
            }
            "explain" => {
                let said = keyspace.explain(&key).map_err(refused)?;
                let part = hex(&said.routing_part);
                let mut said = serde_json::to_value(said).map_err(|e| e.to_string())?;
                if let Some(said) = said.as_object_mut() {
                    said.insert("routing_part".to_owned(), json!(part));
                }
                Ok(said)
            }
            other => Err(format!("`{other}` isn't looked up").into()),
        }
    }
}

/// A key's bytes, as a binding makes them of what was typed.
pub(super) fn key(typed: &Value) -> Result<Vec<u8>, Refused> {
    made(typed)?.map_err(Refused::Slug)
}

pub(super) fn told(snapshot: &Snapshot) -> Value {
    let content = snapshot.content();
    let shards = content.shards.iter().map(|shard| {
        json!({
            "id": shard.id, "name": shard.name,
            "weight": f64::from(shard.weight.thousandths()) / 1_000.0, "endpoint": shard.endpoint, "zone": shard.zone,
            "tags": shard.tags, "state": shard.state, "unfenced": shard.unfenced,
        })
    });
    json!({
        "epoch": snapshot.epoch(), "cluster": snapshot.cluster(),
        "digest": snapshot.digest().to_string(),
        "shards": shards.collect::<Vec<_>>(),
        "keyspaces": content.keyspaces.iter().map(|k| k.name.as_str()).collect::<Vec<_>>(),
    })
}

/// Data that the core writes.
pub(super) fn written(value: &impl serde::Serialize) -> Said {
    serde_json::to_value(value).map_err(|e| e.to_string().into())
}
