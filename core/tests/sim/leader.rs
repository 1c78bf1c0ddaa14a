//! Whoever leads: agents that stand by for each other, or coordinators that somebody starts, each a
//! node of its own with a clock of its own. A command that isn't answered in time counts as lost,
//! and may still arrive.

use std::sync::Arc;

use ringshift::migration::{
    Action, Agent, AgentAction, Answer, Command, CommandId, Coordinator, Ending, Log, Move, Point,
    Settings, Stage, Standing,
};
use ringshift::store::{Chunks, StoredRow};
use ringshift::{DomainId, Instant};

use crate::dice::Clock;
use crate::message::{Event, Message};
use crate::network::{Care, Node};
use crate::story::About;
use crate::world::World;

/// What leads.
pub(crate) enum Mind {
    Agent(Box<Agent>),
    Coordinator(Option<Box<Coordinator>>),
}

/// A chunk that was read, on its way to who leads.
pub(crate) type Read = (DomainId, Arc<[StoredRow]>);

/// One node.
pub(crate) struct Leader {
    pub(crate) up: bool,
    pub(crate) life: u32,
    /// It does nothing before this moment.
    pub(crate) frozen: u64,
    pub(crate) clock: Clock,
    pub(crate) mind: Mind,
    chunks: Chunks,
    /// What it waits for: the number of its last request, and the command, if it was one.
    waits: Option<(u64, Option<(CommandId, Command)>)>,
    /// The number of the wait that counts.
    tick: u64,
}

impl Leader {
    pub(crate) fn new(clock: Clock, mind: Mind) -> Self {
        Self {
            up: true,
            life: 0,
            frozen: 0,
            clock,
            mind,
            chunks: Chunks::default(),
            waits: None,
            tick: 0,
        }
    }

    pub(crate) fn coordinator(&self) -> Option<&Coordinator> {
        match &self.mind {
            Mind::Agent(agent) => agent.coordinator(),
            Mind::Coordinator(coordinator) => coordinator.as_deref(),
        }
        .filter(|_| self.up)
    }

    pub(crate) fn coordinator_mut(&mut self) -> Option<&mut Coordinator> {
        match &mut self.mind {
            Mind::Agent(agent) => agent.coordinator_mut(),
            Mind::Coordinator(coordinator) => coordinator.as_deref_mut(),
        }
        .filter(|_| self.up)
    }

    /// Dies with all that it knew.
    pub(crate) fn die(&mut self) {
        self.up = false;
        self.life += 1;
        self.chunks = Chunks::default();
        self.waits = None;
        if let Mind::Coordinator(coordinator) = &mut self.mind {
            *coordinator = None;
        }
    }

    /// Forgets what it waited for, and leads with `mind`.
    fn thinks(&mut self, mind: Mind) {
        self.mind = mind;
        self.waits = None;
        self.life += 1;
    }

    fn now(&self, now: u64) -> Instant {
        Instant::from_millis(self.clock.says(now))
    }
}

impl World {
    /// Agents stand by from now on.
    pub(crate) fn stand_by(&mut self, at: usize) {
        let settings = Arc::new(Settings {
            lease_ms: self.draw.lease_ms,
            margin_ms: 60,
            ..Settings::default()
        });
        let nonce = self.dice.draw().max(1);
        let leader = &mut self.leaders[at];
        leader.up = true;
        let agent = Agent::new(nonce, settings, leader.now(self.now));
        leader.thinks(Mind::Agent(Box::new(agent)));
        self.lead(at);
    }

    /// A coordinator is started, to do what is wanted or to go on with what is in the log.
    pub(crate) fn appoint(&mut self, at: usize, wanted: Option<Log>) {
        // The store gives no term twice.
        let next = self.record.next_term().unwrap();
        let term = next.term;
        self.put_record(next);
        let way = self.dice.pick(ringshift::migration::Strategy::ALL);
        let settings = Arc::new(self.draw.settings(&mut self.dice, way));
        let nonce = self.dice.draw().max(1);
        let leader = &mut self.leaders[at];
        leader.up = true;
        let coordinator = Coordinator::new(term, settings, wanted, leader.now(self.now));
        let coordinator = Box::new(coordinator.led_by(nonce));
        leader.thinks(Mind::Coordinator(Some(coordinator)));
        self.tell(About::All, || {
            format!("coordinator {at} is started, term {term}")
        });
        self.lead(at);
    }

    /// Polls who leads, until it waits.
    pub(crate) fn lead(&mut self, at: usize) {
        for _ in 0..1_000 {
            if self.leaders[at].waits.is_some() || !self.leaders[at].up {
                return;
            }
            let was = self.leaders[at].coordinator().map(Coordinator::term);
            let action = match &mut self.leaders[at].mind {
                Mind::Agent(agent) => agent.poll(),
                Mind::Coordinator(Some(coordinator)) => AgentAction::Act(coordinator.poll()),
                Mind::Coordinator(None) => return,
            };
            match action {
                AgentAction::Look => self.ask(at, None),
                AgentAction::Act(Action::Do {
                    id, point, command, ..
                }) => {
                    self.told_of(at, point, &command);
                    self.ask(at, Some((id, command)));
                }
                AgentAction::Act(Action::Wait { until }) => {
                    if until < Instant::NEVER {
                        let leader = &mut self.leaders[at];
                        leader.tick += 1;
                        let when = leader.clock.when(until.as_millis()).max(self.now + 1);
                        let (life, tick) = (leader.life, leader.tick);
                        self.at(when, Event::Tick { at, life, tick });
                    }
                    return;
                }
                AgentAction::Act(Action::Over(ending)) => {
                    self.over(at, was, &ending);
                    if let Mind::Coordinator(coordinator) = &mut self.leaders[at].mind {
                        if matches!(ending, Ending::Paused { .. }) {
                            // It waits until somebody resumes it.
                            return;
                        }
                        *coordinator = None;
                    }
                }
            }
        }
        self.fail(None, format!("leader {at} never waits"));
    }

    fn told_of(&mut self, at: usize, point: Point, command: &Command) {
        self.story.mark((at, point));
        if matches!(point.stage, Stage::Lead) {
            self.counts.add("take-overs");
        }
        if point.goal == Move::Tend || matches!(point.stage, Stage::Read | Stage::Guards) {
            return;
        }
        let place = match command.shard() {
            Some(shard) => format!("shard {shard}"),
            None => "the topology".to_owned(),
        };
        self.tell(About::All, || format!("leader {at}: {point} at {place}"));
    }

    /// What came of a migration that it led.
    fn over(&mut self, at: usize, term: Option<ringshift::Term>, ending: &Ending) {
        self.tell(About::All, || format!("leader {at} ({term:?}): {ending:?}"));
        self.counts.add(match ending {
            Ending::Complete => "endings: complete",
            Ending::RolledBack { .. } => "endings: rolled back",
            Ending::Paused { .. } => "endings: paused",
            Ending::SteppedDown { .. } => "endings: stepped down",
            Ending::Stuck(error) => match error {
                ringshift::migration::CoordinatorError::Restored { .. } => "stuck: restored",
                ringshift::migration::CoordinatorError::OutdatedPlan { .. } => {
                    "stuck: outdated plan"
                }
                ringshift::migration::CoordinatorError::GuardAhead { .. } => "stuck: guard ahead",
                ringshift::migration::CoordinatorError::Refused { .. } => "stuck: refused",
                _ => "stuck: otherwise",
            },
        });
    }

    /// Sends a command, or an agent's look.
    fn ask(&mut self, at: usize, command: Option<(CommandId, Command)>) {
        let number = self.number();
        let to = command
            .as_ref()
            .and_then(|(_, command)| command.shard())
            .map_or(Node::Topology, Node::Shard);
        let leader = &mut self.leaders[at];
        let rows = match &command {
            Some((_, Command::Apply { chunk, .. })) => leader.chunks.get(*chunk),
            _ => None,
        };
        let life = leader.life;
        leader.waits = Some((number, command.clone()));
        // The record can't tell a late copy of its own leader's log, or of its marks, from the newest:
        // a known gap, see PROOF.md.
        let in_order = matches!(
            &command,
            Some((_, Command::Renew { .. } | Command::SaveLog { .. }))
        );
        let care = Care {
            once: in_order,
            within_ms: in_order.then_some(self.draw.command_ms),
        };
        let message = Message::Command {
            at,
            life,
            number,
            command: command.map(|(_, command)| Box::new(command)),
            rows,
        };
        self.post(Node::Leader(at), to, care, &message);
        let late = self.now + self.draw.command_ms;
        self.at(late, Event::Silence { at, life, number });
        if self.dice.chance(self.storm(2)) {
            self.crash_leader(at);
        }
    }

    /// Nobody has answered.
    pub(crate) fn silence(&mut self, at: usize, number: u64) {
        self.answered(at, number, None, None, Answer::Unreachable);
    }

    /// An answer has come; `standing` is one to a look.
    pub(crate) fn answered(
        &mut self,
        at: usize,
        number: u64,
        standing: Option<Standing>,
        read: Option<Read>,
        answer: Answer,
    ) {
        let now = self.now;
        let leader = &mut self.leaders[at];
        if leader
            .waits
            .as_ref()
            .is_none_or(|(waits, _)| *waits != number)
        {
            return;
        }
        let Some((_, asked)) = leader.waits.take() else {
            return;
        };
        let local = leader.now(now);
        match (&mut leader.mind, asked) {
            (Mind::Agent(agent), None) => agent.handle_standing(local, standing),
            (Mind::Agent(agent), Some((id, command))) => {
                hold(&mut leader.chunks, &command, read);
                agent.handle_answer(local, id, answer);
            }
            (Mind::Coordinator(Some(coordinator)), Some((id, command))) => {
                hold(&mut leader.chunks, &command, read);
                coordinator.handle_answer(local, id, answer);
            }
            (Mind::Coordinator(_), _) => {}
        }
        self.lead(at);
    }

    pub(crate) fn ticked(&mut self, at: usize, tick: u64) {
        let leader = &mut self.leaders[at];
        if leader.tick != tick || leader.waits.is_some() {
            return;
        }
        let now = leader.now(self.now);
        match &mut leader.mind {
            Mind::Agent(agent) => agent.handle_timeout(now),
            Mind::Coordinator(Some(coordinator)) => coordinator.handle_timeout(now),
            Mind::Coordinator(None) => {}
        }
        self.lead(at);
    }
}

fn hold(chunks: &mut Chunks, command: &Command, read: Option<Read>) {
    if let (Command::Changes { chunk, .. }, Some((domain, rows))) = (command, read) {
        chunks.put(*chunk, domain, rows.to_vec());
    }
}
