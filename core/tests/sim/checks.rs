//! What must hold, at each step and in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ringshift::{Epoch, Fence, ReadPlace, Router, ShardId, Slot, Version};

use crate::client::K;
use crate::history::{Call, End, is_linearizable};
use crate::message::Event;
use crate::network::Node;
use crate::story::About;
use crate::world::{Failure, World};

/// Where clients of any map send each key's writes, and who has ordered them.
pub(crate) struct Authorities {
    sent: Vec<BTreeSet<(ShardId, Slot, Fence)>>,
    /// Every shard that a map has named for a key.
    named: Vec<BTreeSet<ShardId>>,
    /// Who has given a key versions of an authority epoch.
    ordered: BTreeMap<(usize, Epoch), ShardId>,
}

impl Authorities {
    pub(crate) fn new(keys: usize) -> Self {
        Self {
            sent: vec![BTreeSet::new(); keys],
            named: vec![BTreeSet::new(); keys],
            ordered: BTreeMap::new(),
        }
    }

    /// A map comes into force.
    pub(crate) fn learn(&mut self, keys: &[Arc<[u8]>], router: &Router) {
        let keyspace = router.keyspace_at(K).unwrap();
        for (at, key) in keys.iter().enumerate() {
            let plan = keyspace.plan(key).unwrap();
            self.sent[at].insert((plan.authority, plan.slot, plan.fence));
            self.named[at].insert(plan.authority);
            self.named[at].extend(plan.mirror);
            match plan.read {
                ReadPlace::One(shard) => self.named[at].extend([shard]),
                ReadPlace::Fallback { first, second } => self.named[at].extend([first, second]),
            }
        }
    }

    pub(crate) fn sent(&self, key: usize) -> impl Iterator<Item = &(ShardId, Slot, Fence)> {
        self.sent[key].iter()
    }
}

impl World {
    /// A shard has given a write of a key its version.
    pub(crate) fn ordered(&mut self, key: usize, shard: ShardId, version: Version) {
        if self.restored.is_some() {
            return;
        }
        let ordered = &mut self.authorities.ordered;
        let first = *ordered.entry((key, version.epoch)).or_insert(shard);
        if first != shard {
            let what = format!(
                "shards {first} and {shard} both order it at {}",
                version.epoch
            );
            self.fail(Some(key), what);
        }
    }

    /// All is over: every key is read by two clients, one of them with an old map.
    pub(crate) fn ask_final_reads(&mut self) {
        if self.finals {
            return;
        }
        self.finals = true;
        self.tell(About::All, || "the final reads".to_owned());
        let stale = self.dice.index(self.clients.len());
        self.abandon(stale);
        self.clients[stale].up = false;
        self.clients[stale].life += 1;
        self.restart(Node::Client(stale));
        let other = (stale + 1) % self.clients.len();
        for client in [stale, other] {
            self.clients[client].todo = (0..self.draw.keys.len()).collect();
            let life = self.clients[client].life;
            for worker in 0..self.clients[client].workers.len() {
                self.at(
                    self.now,
                    Event::Begin {
                        client,
                        life,
                        worker,
                    },
                );
            }
        }
    }

    pub(crate) fn final_reads_are_asked(&self) -> bool {
        self.finals
    }

    /// Long after the faults something still goes on.
    pub(crate) fn unsettled(&mut self) {
        let running = |call: &&Call| call.end == End::Running;
        let calls = self.calls.iter().filter(running).count();
        let doing: Vec<String> = self
            .leaders
            .iter()
            .filter_map(|leader| Some(format!("{:?}", leader.coordinator()?.status().doing)))
            .collect();
        let log = &self.record.log;
        let what = format!(
            "{} ms after the faults {calls} calls are open, the log is {log:?}, the leaders do {doing:?}",
            self.now - self.draw.storm_ms
        );
        self.fail(None, what);
    }

    /// What all that happened comes to.
    pub(crate) fn judge(&mut self) -> Result<(), Failure> {
        if !self.finals || !self.is_quiet() {
            self.unsettled();
            return self.failure.clone().map_or(Ok(()), Err);
        }
        for key in 0..self.draw.keys.len() {
            let calls: Vec<&Call> = self.calls.iter().filter(|call| call.key == key).collect();
            let mut upto = u64::MAX;
            if let Some((shard, moment)) = self.restored
                && self.authorities.named[key].contains(&shard)
            {
                // What the backup lacks is lost: the key is judged up to then.
                upto = moment;
                self.counts.add("keys judged up to a restore");
            }
            self.counts.add("keys judged");
            if !is_linearizable(&calls, upto) {
                return Err(Failure {
                    key: Some(key),
                    what: "no order of its calls explains what was answered".to_owned(),
                });
            }
        }
        Ok(())
    }
}
