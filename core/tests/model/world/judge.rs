//! What must hold.

use std::sync::Arc;

use ringshift::migration::Ending;
use ringshift::{Access, Fence, Operation, Outcome, Snapshot, Step};
use stateright::Property;
use stateright::semantics::ConsistencyTester;
use stateright::semantics::register::{RegisterOp, RegisterRet};

use super::{Start, State, World, shard_at};
use crate::kept::Kept;
use crate::shard::{Content, Key, NOTHING, Shard, Value};

/// What has gone wrong, once and for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Wrong {
    /// What clients saw of a key fits no order.
    History,
    /// Two shards would order writes of a key.
    TwoAuthorities,
    /// An epoch, a term or a guard is lower than it was.
    WentBack,
    /// Two writes of a key have one version.
    VersionTwice,
    /// Somebody built on a restored file.
    Trusted,
    /// A shard that has kept its file was shut.
    ShutForNothing,
}

impl World {
    pub(super) fn all_properties() -> Vec<Property<Self>> {
        vec![
            Property::always("linearizable", |_, state: &State| {
                state.ghost.wrong != Some(Wrong::History)
            }),
            Property::always("one authority", |_, state: &State| {
                state.ghost.wrong != Some(Wrong::TwoAuthorities)
            }),
            Property::always("only forward", |_, state: &State| {
                state.ghost.wrong != Some(Wrong::WentBack)
            }),
            Property::always("restored files are shut, others not", |_, state: &State| {
                let wrong = state.ghost.wrong;
                !matches!(
                    wrong,
                    Some(Wrong::VersionTwice | Wrong::Trusted | Wrong::ShutForNothing)
                )
            }),
            Property::always("nothing lost", Self::is_complete),
            Property::always("not stuck", |_, state: &State| {
                state.leaders.iter().all(|leader| {
                    !matches!(leader.ending(), Some(Ending::Stuck(_)))
                        || leader.is_stuck_with_restored()
                })
            }),
            Property::always("everything ends", |world: &World, state: &State| {
                !world.is_at_rest(state) || world.has_ended(state)
            }),
            Property::sometimes("ended", |world: &World, state: &State| {
                world.has_ended(state)
            }),
        ]
    }

    /// Nothing may happen any more but faults.
    fn is_at_rest(&self, state: &State) -> bool {
        if !state.network.is_empty() {
            return false;
        }
        let mut steps = Vec::new();
        self.steps(state, &mut steps);
        steps.is_empty()
    }

    /// All that was begun is over, as it was meant to.
    fn has_ended(&self, state: &State) -> bool {
        let clients = state.clients.iter().zip(&self.scripts);
        let paused = |start: &Start| matches!(start, Start::Paused(_));
        let pauses = self.starts.iter().any(paused);
        let leaders = state.leaders.iter().all(|leader| leader.has_ended());
        let leaders = leaders && (pauses || !state.leaders.is_empty());
        leaders
            && clients
                .into_iter()
                .all(|(client, script)| client.is_idle() && client.at() == script.len())
    }

    /// While no operation is under way and no migration: a reader with the map in force sees what
    /// the history allows, of every key.
    fn is_complete(&self, state: &State) -> bool {
        let quiet = state.clients.iter().all(|client| client.is_idle())
            && state.leaders.iter().all(|leader| leader.has_ended());
        // A shard that is shut answers nobody until somebody readmits it.
        let shut = state.shards.iter().any(|shard| shard.guard.is_shut());
        if !quiet || shut || state.ghost.lost || state.ghost.restored.is_some() {
            return true;
        }
        let mut shards: Vec<Shard> = state.shards.iter().map(|s| Shard::clone(s)).collect();
        self.keys.iter().all(|&key| {
            let Some(value) = self.looks(state, &mut shards, key) else {
                // It has to wait for an install that is on its way.
                return !state.network.is_empty();
            };
            let mut history = state.histories[self.history(key)].clone();
            history.change(|history| {
                history.on_invoke(u8::MAX, RegisterOp::Read).unwrap();
                let seen = RegisterRet::ReadOk(value);
                history.on_return(u8::MAX, seen).unwrap();
                history.is_consistent()
            })
        })
    }

    /// What a reader sees who is alone.
    fn looks(&self, state: &State, shards: &mut [Shard], key: Key) -> Option<Value> {
        let map: &Arc<Snapshot> = &state.store.snapshot;
        let renewed = self.timed.then_some(state.now);
        let plan = Self::plan(map, renewed, key);
        let mut operation = Operation::read(plan, self.policy, state.now);
        let mut found = Vec::new();
        for _ in 0..8 {
            match operation.poll() {
                Step::Send(attempt) => {
                    let given = attempt.found_by().and_then(|id| {
                        let mut found = found.iter();
                        found.find(|(found, _)| *found == id).map(|(_, c)| *c)
                    });
                    let content = given.unwrap_or(Content::default());
                    let shard = &mut shards[shard_at(attempt.shard)];
                    let (reply, content) = shard.attempt(&attempt, key, content);
                    found.push((attempt.id, content));
                    let _ = operation.handle_reply(state.now, attempt.id, reply);
                }
                Step::Done(Outcome::Value { from, .. }) => {
                    let mut found = found.iter();
                    return found.find(|(id, _)| *id == from).map(|(_, c)| c.value);
                }
                Step::Done(Outcome::Missing) => return Some(NOTHING),
                Step::Done(_) | Step::Refresh { .. } | Step::Wait { .. } => return None,
            }
        }
        None
    }

    /// Shards that would order a write of `key` by some fence: by any, or, where a restored file was
    /// readmitted, by one that some map in use has for it. Such a file may still hold slots that were
    /// others' by the time of its copy's end; nobody is sent there.
    pub(super) fn authorities(&self, state: &State, key: Key) -> usize {
        let (keyspace, slot) = (self.places.keyspace, (self.places.slot_of)(key));
        let maps = state.clients.iter().map(|client| &client.map);
        let maps: Vec<_> = maps.chain([&state.store.snapshot]).collect();
        let used = |fence: Fence| {
            !state.ghost.readmitted
                || maps
                    .iter()
                    .any(|map| Self::plan(map, None, key).fence == fence)
        };
        let orders = |shard: &Kept<Shard>| {
            shard.guard.rows().any(|row| {
                let fence = Fence {
                    domain: row.domain,
                    epoch: row.epoch,
                };
                let guard = &shard.guard;
                let admitted = guard.admit(keyspace, slot, &[key], fence, Access::Write);
                admitted.is_ok() && used(fence)
            })
        };
        let shards = state.shards.iter().enumerate();
        shards
            .filter(|(at, shard)| state.ghost.restored != Some(*at) && orders(shard))
            .count()
    }
}
