//! Others who have a hand in it: another writer of the topology, who puts a shard's file back, and
//! who says that it may be used.

use std::sync::Arc;

use ringshift::migration::{Answer, Command, CommandId, home_installs};
use ringshift::{Entry, Match, ShardId, Snapshot, Target, Term, slot_runs};

use super::{Faults, Message, State, World, Wrong};
use crate::kept::Kept;

/// Nobody hears the answers to these.
const NOBODY: u8 = u8::MAX;

impl World {
    /// Another writer pins a key where it is: the shard's home, whose key it was, and the new
    /// override get a new epoch, and the shard is told of these two and of nothing else. `None`:
    /// it has to wait.
    pub(super) fn edit(&self, state: &mut State) -> Option<()> {
        let key = self.pinned;
        let plan = Self::plan(&state.store.snapshot, None, key);
        let (shard, slot) = (plan.authority, plan.slot);
        let mut draft = state.store.snapshot.next_draft().unwrap();
        let (epoch, domain) = (draft.epoch, draft.take_domain());
        let index = draft.index_of(shard).unwrap();
        let keyspace = draft.keyspace_mut(self.places.keyspace).unwrap();
        if keyspace
            .directory
            .iter()
            .any(|entry| entry.matches.contains(&[key]))
        {
            return None;
        }
        keyspace.directory.push(Entry {
            matches: Match::Exact(vec![key]),
            slots: slot_runs([slot]),
            target: Target::Shard(shard),
            domain,
            epoch,
        });
        keyspace.home_mut(index).unwrap().epoch = epoch;
        let snapshot = Arc::new(Snapshot::build(draft).unwrap());
        let term = state.store.term();
        let swap = Command::Swap {
            expected: state.store.snapshot.epoch(),
            term,
            snapshot: snapshot.clone(),
            log: state.store.log.clone(),
        };
        assert_eq!(self.at_store(state, &swap), Some(Answer::Swapped));
        let mut rows = home_installs(&snapshot, shard);
        rows.retain(|install| install.row.epoch == epoch);
        assert_eq!(rows.len(), 2, "the override, and the home");
        state.network.push(Kept::new(Message::Command {
            by: NOBODY,
            id: CommandId(0),
            command: Command::Install { shard, term, rows },
            rows: Vec::new(),
        }));
        Some(())
    }

    /// A copy of a shard's file is made.
    pub(super) fn copy(state: &mut State, at: usize) {
        state.ghost.copy = Some((at, state.shards[at].clone()));
    }

    /// Whether the copy could be put back, and would be told from the file.
    pub(super) fn may_restore(state: &State) -> bool {
        let Some((at, copy)) = &state.ghost.copy else {
            return false;
        };
        let known = state
            .store
            .mark_of(ShardId(u32::try_from(*at).unwrap() + 1));
        known.is_some_and(|known| known.answers > copy.answers)
    }

    /// The copy is put back. What was on its way to the shard is lost with its connections, the
    /// coordinator dies, and clients don't reach the shard before it is shut: until somebody has
    /// claimed it, it answers by its old guards, and nothing is promised.
    pub(super) fn restore(&self, state: &mut State) -> Option<()> {
        let (at, copy) = state.ghost.copy.take()?;
        let (was, is) = (&state.shards[at], &copy);
        state.ghost.lost |= was.rows != is.rows || was.revision != is.revision;
        state.shards[at] = copy;
        state.ghost.restored = Some(at);
        let mut silent = Vec::new();
        state.network.retain(|message| {
            let goes_there = message.shard() == Some(at);
            if let (true, Message::Attempt { client, .. }) = (goes_there, &**message) {
                silent.push(*client);
            }
            !goes_there
        });
        for client in silent {
            // Of what isn't waited for, nobody hears.
            let _ = self.silence(state, client);
        }
        self.crash(state);
        Some(())
    }

    pub(super) fn crash(&self, state: &mut State) {
        state.leaders.pop();
        let term = Term(state.office.0.0 + 1);
        self.appoint(state, term, false);
    }

    /// A shard's guards, and the map, only go forward, whatever happened in between.
    pub(super) fn compare(&self, last: &State, state: &mut State) {
        let mut back = state.store.snapshot.epoch() < last.store.snapshot.epoch()
            || state.store.term() < last.store.term();
        for (was, is) in last.clients.iter().zip(&state.clients) {
            back |= is.map.epoch() < was.map.epoch();
        }
        let mut changed = false;
        for (was, is) in last.shards.iter().zip(&state.shards) {
            if was.guard == is.guard {
                continue;
            }
            changed = true;
            back |= was.guard.rows().any(|old| {
                let new = is.guard.row(old.domain);
                new.is_none_or(|new| (new.epoch, new.closed) < (old.epoch, old.closed))
            });
        }
        let put_back = state.faults.restores < last.faults.restores;
        if back && !put_back {
            state.ghost.wrong = Some(Wrong::WentBack);
        }
        if changed
            && self
                .keys
                .iter()
                .any(|&key| self.authorities(state, key) > 1)
        {
            state.ghost.wrong = Some(Wrong::TwoAuthorities);
        }
        if self.marks && self.faults.restores == state.faults.restores {
            let shut = state.shards.iter().any(|shard| shard.guard.is_shut());
            if shut {
                state.ghost.wrong = Some(Wrong::ShutForNothing);
            }
        }
    }
}

impl Faults {
    /// One fewer of them. `None` where none is left.
    pub(super) fn spend(left: &mut u8) -> Option<()> {
        *left = left.checked_sub(1)?;
        Some(())
    }
}
