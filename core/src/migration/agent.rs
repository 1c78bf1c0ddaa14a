//! An agent: leads when nobody else does, stands by while somebody does.
//!
//! No clock is shared. The record in the topology store has a beat that the leader raises; who sees
//! the same beat of the same term for a whole lease of its own time, sees a leader that has stopped
//! to act, or is gone, and takes over under the next term. Two that do so at once are told apart
//! by their nonces.

use alloc::boxed::Box;
use alloc::sync::Arc;

use serde::Serialize;

use crate::ids::Term;
use crate::migration::command::{Answer, CommandId};
use crate::migration::coordinator::{Action, Coordinator, Ending, LEAD_MS};
use crate::migration::settings::Settings;
use crate::time::Instant;

/// What an agent wants next.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(
    clippy::large_enum_variant,
    reason = "a look is rare; a box would be in everybody's way"
)]
pub enum AgentAction {
    /// Read the front of the record, and hand what it says to `handle_standing`.
    Look,
    /// What a coordinator wants. [`Action::Over`] is told once: the migration that this agent led
    /// is over, or it stopped to lead, and it stands by again.
    Act(Action),
}

/// What the front of a record says of its leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Standing {
    /// The highest term that anybody led with.
    pub term: Term,
    /// How often its lead was renewed.
    pub beat: u64,
}

/// Leads when nobody else does.
///
/// - Output: [`poll`](Self::poll); it never ends.
/// - Inputs: `handle_standing`, `handle_answer`, `handle_timeout`; early, late and repeated calls
///   do nothing.
/// - Commands: `step_down`.
/// - Getters: `leads`, `coordinator`.
///
/// All agents of a cluster must be given the same `lease_ms`.
///
/// ```
/// use ringshift::migration::{Action, Agent, AgentAction, Settings, Standing};
/// use ringshift::{Instant, Term};
///
/// let mut agent = Agent::new(7, Settings::default().into(), Instant::ZERO);
/// let quiet = Standing { term: Term(4), beat: 9 };
/// let mut now = Instant::ZERO;
/// while !agent.leads() {
///     match agent.poll() {
///         AgentAction::Look => agent.handle_standing(now, Some(quiet)),
///         AgentAction::Act(Action::Wait { until }) => {
///             now = until;
///             agent.handle_timeout(now);
///         }
///         other => unreachable!("{other:?}"),
///     }
/// }
/// assert!(now >= Instant::from_millis(2_000), "a whole lease without a beat");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Agent {
    nonce: u64,
    settings: Arc<Settings>,
    state: State,
    ended: Option<Ending>,
    now: Instant,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum State {
    /// Somebody else may lead.
    Follow {
        /// What was last seen, and since when.
        seen: Option<(Standing, Instant)>,
        /// When to look again.
        next: Instant,
    },
    /// This one does, or tries.
    Lead(Box<Coordinator>),
    /// It can't go on, and tries again at this moment, under the same term.
    Stuck { term: Term, until: Instant },
}

impl Agent {
    /// An agent that stands by. `nonce` must be another one for each: draw it at random, not 0.
    pub fn new(nonce: u64, settings: Arc<Settings>, now: Instant) -> Self {
        let next = Instant::ZERO;
        Self {
            nonce,
            settings,
            state: State::Follow { seen: None, next },
            ended: None,
            now,
        }
    }

    /// Whether it leads, or tries to.
    pub fn leads(&self) -> bool {
        matches!(self.state, State::Lead(_))
    }

    /// The coordinator, while it leads.
    pub fn coordinator(&self) -> Option<&Coordinator> {
        match &self.state {
            State::Lead(coordinator) => Some(coordinator),
            State::Follow { .. } | State::Stuck { .. } => None,
        }
    }

    /// The same, to roll back, pause or resume.
    pub fn coordinator_mut(&mut self) -> Option<&mut Coordinator> {
        match &mut self.state {
            State::Lead(coordinator) => Some(coordinator),
            State::Follow { .. } | State::Stuck { .. } => None,
        }
    }

    /// Stops to lead; whoever stands by takes over a lease later.
    pub fn step_down(&mut self) {
        self.follow();
    }

    fn follow(&mut self) {
        let next = self.now;
        self.state = State::Follow { seen: None, next };
    }

    fn lead(&mut self, term: Term) {
        let settings = Arc::clone(&self.settings);
        let coordinator = Coordinator::new(term, settings, None, self.now)
            .led_by(self.nonce)
            .that_stays();
        self.state = State::Lead(Box::new(coordinator));
    }

    fn lease_ms(&self) -> u64 {
        match self.settings.lease_ms {
            0 => LEAD_MS.into(),
            ms => ms.into(),
        }
    }

    /// What to do next.
    #[must_use]
    pub fn poll(&mut self) -> AgentAction {
        loop {
            if let Some(ending) = self.ended.take() {
                return AgentAction::Act(Action::Over(ending));
            }
            let wait = |until| AgentAction::Act(Action::Wait { until });
            let coordinator = match &mut self.state {
                State::Follow { next, .. } if *next <= self.now => return AgentAction::Look,
                State::Follow { next, .. } => return wait(*next),
                State::Stuck { until, .. } => return wait(*until),
                State::Lead(coordinator) => coordinator,
            };
            match coordinator.poll() {
                action @ Action::Do { .. } => return AgentAction::Act(action),
                // An ending is told when all that goes with it is written down.
                Action::Wait { until } => {
                    let ending = coordinator.take_ending().map(Action::Over);
                    return ending.map_or_else(|| wait(until), AgentAction::Act);
                }
                Action::Over(ending @ Ending::Stuck(_)) => {
                    let (term, until) = (coordinator.term(), self.now.after(self.lease_ms()));
                    self.state = State::Stuck { term, until };
                    self.ended = Some(ending);
                }
                Action::Over(ending) => {
                    self.follow();
                    self.ended = Some(ending);
                }
            }
        }
    }

    /// What the front of the record says; `None` when it can't be read.
    pub fn handle_standing(&mut self, now: Instant, found: Option<Standing>) {
        self.now = self.now.max(now);
        let (lease, now) = (self.lease_ms(), self.now);
        let State::Follow { seen, next } = &mut self.state else {
            return;
        };
        *next = now.after((lease / 4).max(1));
        match (found, *seen) {
            // A store that can't be read says nothing of the leader; nor could this one lead.
            (None, _) => *seen = None,
            (Some(found), Some((standing, since))) if found == standing => {
                if now.since(since) >= lease
                    && let Some(term) = found.term.0.checked_add(1)
                {
                    self.lead(Term(term));
                }
            }
            (Some(found), _) => *seen = Some((found, now)),
        }
    }

    /// The answer to command `id`.
    pub fn handle_answer(&mut self, now: Instant, id: CommandId, answer: Answer) {
        self.now = self.now.max(now);
        if let State::Lead(coordinator) = &mut self.state {
            coordinator.handle_answer(now, id, answer);
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = self.now.max(now);
        match &mut self.state {
            State::Lead(coordinator) => coordinator.handle_timeout(now),
            &mut State::Stuck { term, until } if until <= self.now => self.lead(term),
            State::Follow { .. } | State::Stuck { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::command::Command;

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    fn agent() -> Agent {
        Agent::new(7, Arc::new(Settings::default()), Instant::ZERO)
    }

    #[test]
    fn a_leader_that_renews_is_left_alone() {
        let mut agent = agent();
        for n in 0..40 {
            let beat = n / 3;
            let term = Term(2);
            agent.handle_standing(at(n * 500), Some(Standing { term, beat }));
            assert!(!agent.leads(), "{n}");
        }
    }

    #[test]
    fn a_store_that_cannot_be_read_is_no_dead_leader() {
        let mut agent = agent();
        let standing = Standing {
            term: Term(2),
            beat: 1,
        };
        agent.handle_standing(at(0), Some(standing));
        agent.handle_standing(at(1_000), None);
        agent.handle_standing(at(3_000), Some(standing));
        assert!(!agent.leads());
        agent.handle_standing(at(5_000), Some(standing));
        assert!(agent.leads());
        assert_eq!(agent.coordinator().map(Coordinator::term), Some(Term(3)));
    }

    #[test]
    fn who_loses_the_term_stands_by_again() {
        let mut agent = agent();
        agent.lead(Term(3));
        let AgentAction::Act(Action::Do { id, command, .. }) = agent.poll() else {
            return assert!(agent.leads(), "no command");
        };
        assert_eq!(
            command,
            Command::Lead {
                term: Term(3),
                nonce: 7
            }
        );
        agent.handle_answer(at(1), id, Answer::TermLost { current: Term(3) });
        let over = AgentAction::Act(Action::Over(Ending::SteppedDown { term: Term(3) }));
        assert_eq!(agent.poll(), over);
        assert!(!agent.leads());
        assert_eq!(agent.poll(), AgentAction::Look);
    }
}
