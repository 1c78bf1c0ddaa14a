//! Coordinators, and the topology store that they share.

use std::sync::Arc;

use ringshift::migration::{
    Action, Answer, Command, Coordinator, CoordinatorError, Ending, Lineage, Mark,
};
use ringshift::record::{Desk, Record};
use ringshift::{Instant, ShardId, Term};

use super::{Leader, Message, State, Store, World};
use crate::kept::Kept;

/// What a shard says of itself where all say the same for ever.
pub(super) fn says(shard: u32) -> Mark {
    Mark {
        shard: ShardId(shard),
        incarnation: [0; 16],
        answers: 0,
        shut: false,
        lineage: Lineage::default(),
    }
}

impl World {
    /// Another coordinator. It is told of no wish but `wanted`: the log has the migration, or none
    /// began.
    pub(super) fn appoint(&self, state: &mut State, term: Term, wants: bool) {
        let name = state.office.1;
        state.office = (term, name + 1);
        let wanted = wants.then(|| self.wanted.clone());
        let coordinator = Coordinator::new(term, self.settings.clone(), wanted, state.now)
            .led_by(u64::from(name) + 1);
        state.leaders.push(Kept::new(Leader {
            name,
            coordinator,
            chunk: Vec::new(),
            waits: None,
            ending: None,
        }));
        self.direct(state, state.leaders.len() - 1);
    }

    /// Polls a coordinator, and puts what it asks on its way.
    pub(super) fn direct(&self, state: &mut State, at: usize) {
        let now = state.now;
        let asked = state.leaders[at].change(|leader| {
            leader.waits = None;
            loop {
                match leader.coordinator.poll() {
                    Action::Do { id, command, .. } => return Some((leader.name, id, command)),
                    Action::Wait { until } if self.timed && until > now => {
                        leader.waits = Some(until);
                        return None;
                    }
                    Action::Wait { until } => {
                        assert!(until < Instant::NEVER, "nothing ever comes due");
                        leader.coordinator.handle_timeout(until);
                    }
                    Action::Over(ending) => {
                        leader.ending = Some(ending);
                        return None;
                    }
                }
            }
        });
        if let Some((by, id, command)) = asked {
            let rows = match command {
                Command::Apply { .. } => state.leaders[at].chunk.clone(),
                _ => Vec::new(),
            };
            state.network.push(Kept::new(Message::Command {
                by,
                id,
                command,
                rows,
            }));
        }
        // Who has stepped down is nobody any more, as long as there is another.
        let over = |leader: &Leader| matches!(leader.ending, Some(Ending::SteppedDown { .. }));
        if state.leaders.len() > 1 && over(&state.leaders[at]) {
            state.leaders.remove(at);
        }
    }

    /// The answer reaches whoever asked.
    pub(super) fn answer(
        &self,
        state: &mut State,
        by: u8,
        id: ringshift::migration::CommandId,
        answer: Answer,
        rows: Vec<(crate::shard::Key, crate::shard::Row)>,
    ) {
        let alive = |l: &Kept<Leader>| l.name == by && l.ending.is_none();
        let Some(at) = state.leaders.iter().position(alive) else {
            return;
        };
        let now = state.now;
        let moved = state.leaders[at].change(|leader| {
            let before = leader.coordinator.clone();
            leader.coordinator.handle_answer(now, id, answer.clone());
            let moved = leader.coordinator != before;
            if moved && matches!(answer, Answer::Changes { .. }) {
                leader.chunk = rows;
            }
            moved
        });
        if moved {
            self.direct(state, at);
        }
    }

    /// The command at hand is given up, past its barrier's deadline.
    pub(super) fn late_command(&self, state: &mut State) -> Option<()> {
        let at = state.leaders.len().checked_sub(1)?;
        let late = state.now.after(self.settings.barrier_ms + 1);
        state.leaders[at].change(|leader| {
            let Action::Do { id, .. } = leader.coordinator.poll() else {
                return None;
            };
            let gone = Answer::Unreachable;
            leader.coordinator.handle_answer(late, id, gone);
            Some(())
        })?;
        self.direct(state, at);
        Some(())
    }

    /// Somebody says something to the newest coordinator.
    pub(super) fn tell(&self, state: &mut State, say: impl FnOnce(&mut Coordinator)) {
        let at = state.leaders.len() - 1;
        let idle = state.leaders[at].change(|leader| {
            say(&mut leader.coordinator);
            let idle = leader.waits.is_some() || leader.ending.is_some();
            leader.ending = None;
            idle
        });
        if idle {
            self.direct(state, at);
        }
    }

    /// The topology store. `None`: the command is a shard's.
    pub(super) fn at_store(&self, state: &mut State, command: &Command) -> Option<Answer> {
        if command.shard().is_some() {
            return None;
        }
        let marks = if self.marks {
            state.store.marks.clone()
        } else {
            (1..).take(state.shards.len()).map(says).collect()
        };
        let record = Record {
            term: state.store.term,
            snapshot: state.store.snapshot.clone(),
            log: state.store.log.clone(),
            beat: 0,
            desk: Desk {
                leader: state.store.leader,
                marks,
                ..Desk::default()
            },
        };
        let (answer, next) = record.decide(command);
        if let Some(next) = next {
            state.store.change(|store| {
                *store = Store {
                    term: next.term,
                    leader: next.desk.leader,
                    snapshot: next.snapshot,
                    log: next.log,
                    marks: if self.marks {
                        next.desk.marks
                    } else {
                        Vec::new()
                    },
                };
            });
        }
        Some(answer)
    }

    /// A tick passes: what may not be carried out any more is gone, and whoever waited goes on.
    pub(super) fn tick(&self, state: &mut State) {
        state.now = state.now.after(super::TICK);
        let now = state.now;
        let alive = |message: &Kept<Message>| match &**message {
            Message::Attempt { until, .. } => *until >= now,
            Message::Command { .. } => true,
        };
        state.network.retain(alive);
        for at in (0..state.leaders.len()).rev() {
            if state.leaders[at].waits.is_some_and(|until| until <= now) {
                state.leaders[at].change(|l| l.coordinator.handle_timeout(now));
                self.direct(state, at);
            }
        }
    }
}

impl Leader {
    pub(super) fn ending(&self) -> Option<&Ending> {
        self.ending.as_ref()
    }

    /// Its migration is over, one way or the other.
    pub(super) fn has_ended(&self) -> bool {
        let ended = |e: &Ending| matches!(e, Ending::Complete | Ending::RolledBack { .. });
        self.ending.as_ref().is_some_and(ended)
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.waits.is_some() || self.ending.is_some()
    }

    pub(super) fn shut(&self) -> Option<ShardId> {
        self.coordinator.shut().next()
    }

    /// Whether it waits for somebody to say that a restored shard may be used.
    pub(super) fn is_stuck_with_restored(&self) -> bool {
        let restored =
            |ending: &Ending| matches!(ending, Ending::Stuck(CoordinatorError::Restored { .. }));
        self.ending.as_ref().is_some_and(restored)
    }
}

impl Store {
    pub(super) fn first(snapshot: Arc<ringshift::Snapshot>) -> Self {
        Self {
            term: Term(1),
            leader: 0,
            snapshot,
            log: ringshift::migration::Log::default(),
            marks: Vec::new(),
        }
    }

    pub(super) fn term(&self) -> Term {
        self.term
    }

    /// Whether a migration is under way.
    pub(super) fn is_migrating(&self) -> bool {
        self.log != ringshift::migration::Log::default()
    }

    pub(super) fn mark_of(&self, shard: ShardId) -> Option<&Mark> {
        self.marks.iter().find(|mark| mark.shard == shard)
    }
}
