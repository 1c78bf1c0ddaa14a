//! The coordinator: carries a migration out, one command at a time.
//!
//! A machine of the same kind as an operation: it does no I/O, reads no clock and keeps nothing
//! that it couldn't read again. Kill it at any moment and start another under a higher term; the
//! snapshot and the guards say what has happened, the log what was meant.

mod absent;
mod advance;
mod checking;
mod choose;
mod clients;
mod ending;
mod hold;
mod next;
mod office;
mod readmit;
mod run;
mod status;
mod tend;
mod wait;
mod watch;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::Serialize;

use crate::guard::Refusal;
use crate::ids::{DomainId, Epoch, KeyspaceId, ShardId, Term};
use crate::migration::command::{Answer, ChunkId, Command, CommandId};
use crate::migration::log::{Log, Wish};
use crate::migration::moves::{Move, Point};
use crate::migration::settings::Settings;
use crate::migration::verify::{Mismatch, Verifier};
use crate::snapshot::{Snapshot, TopologyError};
use crate::time::Instant;
use office::Office;
use run::Run;
use tend::Tending;
use watch::Watch;

pub use ending::{CoordinatorError, Ending};
pub use status::{Doing, Status, WaveStatus};
pub(crate) use tend::LEAD_MS;
pub use watch::{Decided, Decision, Held};

/// What a coordinator wants next.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(
    clippy::large_enum_variant,
    reason = "a log goes by once a move; a box would be in everybody's way"
)]
pub enum Action {
    /// Carry this out and hand the answer to `handle_answer`. Asked again before that, the
    /// coordinator says the same again.
    Do {
        /// Names the command to its answer.
        id: CommandId,
        /// Where in the migration it stands.
        point: Point,
        /// The wave it is about, if it is about one.
        wave: Option<DomainId>,
        /// What to do.
        command: Command,
    },
    /// Nothing to do before this moment; then `handle_timeout`.
    Wait {
        /// When.
        until: Instant,
    },
    /// It is over.
    Over(Ending),
}

/// Carries a migration out.
///
/// - Output: [`poll`](Self::poll).
/// - Inputs: `handle_answer`, `handle_timeout`, `handle_health`, `handle_wall_clock`; early, late and
///   repeated calls do nothing.
/// - Commands: `roll_back`, `pause`, `resume`, `agree_to_finish`.
/// - Getters: `snapshot`, `log`, `mismatches`, `status`, `decisions`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Coordinator {
    settings: Arc<Settings>,
    term: Term,
    /// What is in force, once it was read.
    snapshot: Option<Arc<Snapshot>>,
    log: Log,
    /// What to begin when the log has no migration under way.
    wanted: Option<Log>,
    task: Task,
    id: CommandId,
    /// Nothing is asked before this moment: somebody didn't answer.
    not_before: Instant,
    /// Times in a row that everything was read again.
    recoveries: u8,
    facts: Facts,
    /// Waves whose guards were found closed: their barriers come before all else.
    closed: Vec<DomainId>,
    /// A wish, or a word, isn't in the topology store yet.
    undecided: bool,
    /// A wish isn't: which way to go is known here alone.
    wished: bool,
    /// The ended wave whose loser was purged.
    cleaned: Option<DomainId>,
    mismatches: Vec<Mismatch>,
    watch: Watch,
    now: Instant,
    /// No later than when the command was sent that is answered now.
    sent: Instant,
    /// Tells this coordinator from another of its term.
    nonce: u64,
    tending: Tending,
    /// A migration has been under way since the last ending.
    busy: bool,
    /// How the last migration ended, until it is asked for.
    ended: Option<Ending>,
}

/// What is known of the wave at work, and forgotten when its phase changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Facts {
    /// The last chunk of catch-up was short.
    caught_up: bool,
    /// The two sides were found equal.
    verified: bool,
    /// The comparison that waits for its second look.
    verifier: Option<Verifier>,
    /// When the phase began.
    since: Option<Instant>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Task {
    /// Taking office, or reading everything again.
    Office(Office),
    /// Between moves.
    Idle,
    /// Carrying a move out.
    Move(Box<Run>),
    /// Waiting for a soak to end.
    Soak { until: Instant },
    /// Nothing to do but what comes due.
    Rest,
    /// Over.
    Over(Ending),
}

/// How often everything is read again before giving up.
const RECOVERIES_MAX: u8 = 8;

impl Coordinator {
    /// A coordinator of `term`, which must be above every term before. It takes office, finishes
    /// what its predecessor left, and goes on with the migration in the log. Where there is none,
    /// it begins `wanted`.
    ///
    /// `settings` hold where the log has none: a migration keeps those that it was begun with, so
    /// that every successor carries it out alike.
    pub fn new(term: Term, settings: Arc<Settings>, wanted: Option<Log>, now: Instant) -> Self {
        Self {
            settings,
            term,
            snapshot: None,
            log: Log::default(),
            wanted,
            task: Task::Office(Office::Lead),
            id: CommandId(0),
            not_before: Instant::ZERO,
            recoveries: 0,
            facts: Facts::default(),
            closed: Vec::new(),
            undecided: false,
            wished: false,
            cleaned: None,
            mismatches: Vec::new(),
            watch: Watch::default(),
            now,
            sent: now,
            nonce: 0,
            tending: Tending::new(),
            busy: false,
            ended: None,
        }
    }

    /// Gives it a number of its own, drawn at random: of two coordinators that were given the same
    /// term, only one then leads.
    #[must_use]
    pub fn led_by(mut self, nonce: u64) -> Self {
        self.nonce = nonce;
        self
    }

    /// Makes it stay when its work is over: it renews its lead, keeps the leases of a paused
    /// migration going, and does what is [requested](crate::migration::Request), until another
    /// takes its place. [`take_ending`](Self::take_ending) tells of each migration's end.
    #[must_use]
    pub fn that_stays(mut self) -> Self {
        self.tending.forever = true;
        self
    }

    /// How the last migration ended, once: for a coordinator [that stays](Self::that_stays).
    pub fn take_ending(&mut self) -> Option<Ending> {
        self.ended.take()
    }

    /// The shards that can't be reached; nothing that needs them is done.
    pub fn gone(&self) -> impl Iterator<Item = ShardId> {
        self.tending.gone.iter().copied()
    }

    /// The shards that were shut because their file is older than it was, or another: restored
    /// from a copy, say. They refuse everything until somebody asks to
    /// [readmit](crate::migration::Request::Readmit) them.
    pub fn shut(&self) -> impl Iterator<Item = ShardId> {
        self.tending.shut.iter().copied()
    }

    /// The term that it was given.
    pub fn term(&self) -> Term {
        self.term
    }

    /// The snapshot in force, as far as the coordinator knows.
    pub fn snapshot(&self) -> Option<&Arc<Snapshot>> {
        self.snapshot.as_ref()
    }

    /// The log as it stands.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The mismatches that verification has confirmed.
    pub fn mismatches(&self) -> &[Mismatch] {
        &self.mismatches
    }

    /// Turns the migration round: after the present move, everything goes back to where it began.
    /// A wave that has left *reversed* can't.
    pub fn roll_back(&mut self, reason: &str) {
        if self.log.wish != Wish::Back {
            self.facts.verifier = None;
            self.log.back = Some(reason.into());
            self.wish(Wish::Back, reason);
        }
    }

    /// Stops the migration after the present move, in a safe state, until [`resume`](Self::resume).
    /// Which way it goes is kept.
    pub fn pause(&mut self, reason: &str) {
        self.wish(Wish::Pause, reason);
    }

    /// Goes on with a paused migration, the way it went. Said before the coordinator is in office,
    /// it holds as soon as the log was read, unless something else is wished after it.
    pub fn resume(&mut self) {
        if self.snapshot.is_none() {
            return self.resume_in_office();
        }
        if self.log.wish == Wish::Pause {
            // Whoever says so has seen them.
            self.watch.own.mismatches = 0;
            match self.log.back.clone() {
                Some(reason) => self.wish(Wish::Back, &reason),
                None => self.wish(Wish::Forward, ""),
            }
        }
    }

    /// Whether there is anything to go on with isn't known yet; a pause that was wished here is none.
    fn resume_in_office(&mut self) {
        if self.log.wish == Wish::Pause {
            if let Some(reason) = self.log.back.clone() {
                self.wish(Wish::Back, &reason);
            } else {
                (self.log.wish, self.log.reason) = (Wish::Forward, String::new());
                self.wished = false;
            }
        }
        self.tending.resumes = true;
    }

    /// Takes back a shard that is [`shut`](Self::shut). What its file lacks is lost: say so only
    /// when somebody has looked.
    pub fn readmit(&mut self, shard: ShardId) {
        if self.tending.shut.contains(&shard) {
            self.tending.readmit = Some(shard);
            if let Task::Over(Ending::Stuck(CoordinatorError::Restored { .. })) = self.task {
                self.task = Task::Idle;
            }
            self.wake();
        }
    }

    /// A wish is written down before anything is done for it, so that a successor shares it.
    fn wish(&mut self, wish: Wish, reason: &str) {
        self.busy = true;
        self.log.wish = wish;
        self.log.reason = reason.into();
        self.undecided = true;
        self.wished = true;
        self.tending.resumes = false;
        self.watch.retreat = None;
        self.watch.held = None;
        if matches!(self.task, Task::Over(Ending::Paused { .. })) || self.waits_to_copy() {
            self.task = Task::Idle;
        }
        self.wake();
    }

    /// Looks again for what is next.
    fn wake(&mut self) {
        if matches!(self.task, Task::Soak { .. } | Task::Rest) {
            // While it lasted, the authority went on.
            self.facts.caught_up = false;
            self.task = Task::Idle;
        }
    }

    /// What to do next.
    #[must_use]
    pub fn poll(&mut self) -> Action {
        loop {
            if let Task::Over(ending) = &self.task {
                return Action::Over(ending.clone());
            }
            if let Some((point, wave, command)) = self.duty_command() {
                return Action::Do {
                    id: self.id,
                    point,
                    wave,
                    command,
                };
            }
            if let Some(run) = self.over_lapse() {
                self.lapsed(run);
                continue;
            }
            if let Some(until) = self.held_back() {
                let until = until.min(self.next_due());
                return Action::Wait { until };
            }
            let made = match &self.task {
                Task::Idle => {
                    self.choose();
                    continue;
                }
                Task::Over(_) | Task::Rest | Task::Soak { .. } => continue,
                Task::Office(office) => self.office_command(office),
                Task::Move(run) => self.run_command(run),
            };
            match made {
                Ok((point, wave, command)) => {
                    return Action::Do {
                        id: self.id,
                        point,
                        wave,
                        command,
                    };
                }
                Err(error) => self.task = Task::Over(Ending::Stuck(error)),
            }
        }
    }

    /// The answer to command `id`. One to another command than the present one does nothing.
    pub fn handle_answer(&mut self, now: Instant, id: CommandId, answer: Answer) {
        self.sent = self.now;
        self.now = self.now.max(now);
        if id != self.id || matches!(self.task, Task::Over(_)) {
            return;
        }
        let asked = self.id;
        self.id = CommandId(self.id.0.wrapping_add(1));
        if let Some(duty) = self.tending.duty.take() {
            return self.after_duty(&duty, answer);
        }
        let gone = self.heard_from(self.asks(), answer != Answer::Unreachable);
        let task = core::mem::replace(&mut self.task, Task::Idle);
        match (task, answer) {
            (
                _,
                Answer::TermLost { current: term }
                | Answer::Refused(Refusal::StaleTerm { seen: term }),
            ) => {
                self.task = Task::Over(Ending::SteppedDown { term });
            }
            (Task::Move(run), Answer::Unreachable) if self.is_check(&run) => {
                self.not_before = self.now.after(self.settings.retry_ms);
                self.watch.checker.handle_silence();
                if let Some(gone) = gone {
                    self.go_on_without(gone);
                }
            }
            (Task::Move(run), Answer::Unreachable) => {
                self.not_before = self.now.after(self.settings.retry_ms);
                self.task = Task::Move(Box::new(self.after_silence(*run)));
                if let Some(gone) = gone {
                    self.go_on_without(gone);
                }
            }
            (task, Answer::Unreachable) => {
                self.not_before = self.now.after(self.settings.retry_ms);
                self.task = task;
                if let Some(gone) = gone {
                    self.go_on_without(gone);
                }
            }
            (Task::Office(office), answer) => self.office_answered(office, answer),
            (Task::Move(run), Answer::Refused(refusal)) => {
                let error = CoordinatorError::Refused {
                    shard: None,
                    point: run.point(),
                    refusal,
                };
                self.recover(error);
            }
            (Task::Move(mut run), answer) => {
                if let Answer::Changes { .. } = answer {
                    run.held = ChunkId(asked.0);
                }
                self.run_answered(*run, answer);
            }
            (task @ (Task::Idle | Task::Soak { .. } | Task::Rest | Task::Over(_)), _) => {
                self.task = task;
            }
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        let waits = self.waits_to_copy();
        self.now = self.now.max(now);
        if waits && self.interrupts_copying() {
            self.task = Task::Idle;
        }
        if let Task::Soak { until } = self.task
            && until <= self.now
        {
            // While it lasted, the authority went on.
            self.facts.caught_up = false;
            self.task = Task::Idle;
        }
    }

    /// Reads everything again: somebody else wrote, or a guard isn't what it should be.
    fn recover(&mut self, error: CoordinatorError) {
        self.recoveries += 1;
        self.task = if self.recoveries > RECOVERIES_MAX {
            Task::Over(Ending::Stuck(error))
        } else {
            self.not_before = self.now.after(self.settings.retry_ms);
            Task::Office(Office::Lead)
        };
    }

    /// The keyspace and the content of the wave `domain`.
    fn find_wave(
        &self,
        domain: DomainId,
    ) -> Option<(
        KeyspaceId,
        &crate::snapshot::KeyspaceDraft,
        &crate::wave::Wave,
    )> {
        let content = self.snapshot.as_ref()?.content();
        content
            .keyspaces
            .iter()
            .find_map(|keyspace| Some((keyspace.id, keyspace, keyspace.wave(domain)?)))
    }

    fn epoch_of(&self, domain: Option<DomainId>) -> Option<Epoch> {
        self.find_wave(domain?).map(|(_, _, wave)| wave.epoch)
    }

    fn topology_error(goal: Move, error: &TopologyError) -> CoordinatorError {
        CoordinatorError::Topology {
            goal,
            message: alloc::format!("{error}"),
        }
    }
}
