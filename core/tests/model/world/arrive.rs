//! Messages that arrive.

use ringshift::AttemptKind;
use ringshift::Reply;
use ringshift::migration::{Answer, Command, Lineage};

use super::leaders::says;
use super::{Message, State, World, Wrong, shard_at};
use crate::shard::{Key, Row};

impl World {
    pub(super) fn deliver(&self, state: &mut State, message: &Message) {
        match message {
            Message::Attempt {
                client,
                op,
                attempt,
                key,
                content,
                ..
            } => {
                let shard = &mut state.shards[shard_at(attempt.shard)];
                let (reply, found) = shard.change(|s| s.attempt(attempt, *key, *content));
                if let (Reply::Written { version }, AttemptKind::Write) = (&reply, attempt.kind)
                    && self.faults.restores > 0
                {
                    // INVARIANT (no version twice): also over a shard's restored file.
                    let given = state.ghost.given.insert((*key, *version), *op);
                    if given.is_some_and(|given| given != *op) {
                        state.ghost.wrong = Some(Wrong::VersionTwice);
                    }
                }
                let now = state.now;
                let c = &mut state.clients[usize::from(*client)];
                let runs = c.running.as_ref().is_some_and(|r| r.op == *op);
                if !runs {
                    return;
                }
                let heard = c.change(|c| {
                    let Some(running) = c.running.as_mut() else {
                        return false;
                    };
                    let heard = running.operation.handle_reply(now, attempt.id, reply);
                    if heard.is_ok() {
                        running.waits_for = super::Waits::Time;
                        running.found.push((attempt.id, found));
                    }
                    heard.is_ok()
                });
                if heard {
                    self.drive(state, *client);
                }
            }
            Message::Command {
                by,
                id,
                command,
                rows,
            } => {
                let mut rows = rows.clone();
                let answer = match self.at_store(state, command) {
                    Some(answer) => answer,
                    None => self.at_shard(state, command, &mut rows),
                };
                self.answer(state, *by, *id, answer, rows);
            }
        }
    }

    fn at_shard(&self, state: &mut State, command: &Command, rows: &mut Vec<(Key, Row)>) -> Answer {
        let at = shard_at(command.shard().unwrap());
        let looks = matches!(command, Command::Claim { .. } | Command::Shut { .. });
        if state.ghost.restored == Some(at) && !looks {
            // It was taken for the file that it isn't.
            state.ghost.wrong = Some(Wrong::Trusted);
        }
        let (keeps, places) = (self.marks, self.places);
        let answer = state.shards[at].change(|shard| match shard.command(command, rows, places) {
            Answer::Claimed(mark) if !keeps => {
                (shard.answers, shard.lineage) = (0, Lineage::default());
                Answer::Claimed(says(mark.shard.0))
            }
            answer => answer,
        });
        if state.ghost.restored == Some(at) && state.shards[at].guard.is_shut() {
            state.ghost.restored = None;
        }
        answer
    }
}

impl Message {
    /// Whether it may arrive twice. A client's write may not: its transport promises that.
    pub(super) fn is_repeatable(&self) -> bool {
        match self {
            Self::Attempt { attempt, .. } => !matches!(attempt.kind, AttemptKind::Write),
            Self::Command { .. } => true,
        }
    }

    /// Whether somebody is still to hear of it, or something to be changed by it.
    pub(super) fn matters(&self, state: &State) -> bool {
        let Self::Attempt {
            client,
            op,
            attempt,
            ..
        } = self
        else {
            return true;
        };
        // A read that nobody waits for any more changes nothing when it arrives.
        let read = matches!(attempt.kind, AttemptKind::Read | AttemptKind::Confirm);
        let running = state.clients[usize::from(*client)].running.as_ref();
        !read || running.is_some_and(|r| r.op == *op && r.is_waiting_for(attempt.id))
    }

    /// Whether a client waits for its answer.
    pub(super) fn is_waited_for(&self, state: &State) -> bool {
        let Self::Attempt {
            client,
            op,
            attempt,
            ..
        } = self
        else {
            return false;
        };
        let running = state.clients[usize::from(*client)].running.as_ref();
        running.is_some_and(|r| r.op == *op && r.is_waiting_for(attempt.id))
    }

    /// The shard that it goes to.
    pub(super) fn shard(&self) -> Option<usize> {
        match self {
            Self::Attempt { attempt, .. } => Some(shard_at(attempt.shard)),
            Self::Command { command, .. } => command.shard().map(shard_at),
        }
    }
}
