//! The coordinator: carries a migration out, one command at a time.
//!
//! A machine of the same kind as an operation: it does no I/O, reads no clock and keeps nothing
//! that it couldn't read again. Kill it at any moment and start another under a higher term; the
//! snapshot and the guards say what has happened, the log what was meant.

mod advance;
mod checking;
mod choose;
mod hold;
mod office;
mod run;
mod status;
mod watch;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use serde::Serialize;

use crate::error::ErrorCode;
use crate::guard::Refusal;
use crate::ids::{DomainId, Epoch, KeyspaceId, ShardId, Term};
use crate::migration::checklist::Item;
use crate::migration::command::{Answer, Command, CommandId};
use crate::migration::log::{Log, Wish};
use crate::migration::moves::{Move, Point};
use crate::migration::settings::Settings;
use crate::migration::verify::{Mismatch, Verifier};
use crate::snapshot::{Snapshot, TopologyError};
use crate::time::Instant;
use office::Office;
use run::Run;
use watch::Watch;

pub use status::{Doing, Status, WaveStatus};
pub use watch::{Decided, Decision, Held};

/// What a coordinator wants next.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
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

/// How a coordinator's work ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// The migration is complete, or there was none.
    Complete,
    /// It was taken back to where it began.
    RolledBack {
        /// Why; empty when it was asked for without a reason.
        reason: String,
    },
    /// It is paused, in a safe state.
    Paused {
        /// Why.
        reason: String,
    },
    /// A coordinator of a higher term is in office.
    SteppedDown {
        /// Its term.
        term: Term,
    },
    /// It can't go on, and says why. The data are safe as they are.
    Stuck(CoordinatorError),
}

/// Why a coordinator can't go on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CoordinatorError {
    /// A shard's guard is ahead of the snapshot: the topology store went back in time.
    GuardAhead {
        /// The shard.
        shard: ShardId,
        /// The domain.
        domain: DomainId,
        /// The guard's epoch.
        guard: Epoch,
        /// The snapshot's.
        snapshot: Epoch,
    },
    /// The plan was made from another snapshot than the one in force.
    OutdatedPlan {
        /// The epoch that it was made from.
        plan: Epoch,
        /// The epoch in force.
        snapshot: Epoch,
    },
    /// The plan can't be carried out on the snapshot in force.
    BadPlan {
        /// Why.
        message: String,
    },
    /// The risk checklist is strict, and items of it are open.
    Unconfirmed {
        /// The items.
        items: Vec<Item>,
    },
    /// A shard goes on refusing a command, whatever is read again.
    Refused {
        /// The shard.
        shard: Option<ShardId>,
        /// Where.
        point: Point,
        /// The refusal.
        refusal: Refusal,
    },
    /// The next snapshot would break a rule.
    Topology {
        /// Where.
        goal: Move,
        /// The rule.
        message: String,
    },
    /// The store answered something else than was asked.
    Senseless {
        /// Where.
        point: Point,
    },
}

impl CoordinatorError {
    /// The stable slug.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::GuardAhead { .. } => ErrorCode::ForkedSnapshot,
            Self::Refused { refusal, .. } => refusal.code(),
            Self::Topology { .. } => ErrorCode::Topology,
            Self::OutdatedPlan { .. }
            | Self::BadPlan { .. }
            | Self::Unconfirmed { .. }
            | Self::Senseless { .. } => ErrorCode::Plan,
        }
    }
}

impl fmt::Display for CoordinatorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GuardAhead {
                shard,
                domain,
                guard,
                snapshot,
            } => write!(
                f,
                "shard {shard} has domain {domain} at epoch {guard}, the topology store only at {snapshot}; restore the store's newest state"
            ),
            Self::OutdatedPlan { plan, snapshot } => write!(
                f,
                "the plan was made from epoch {plan}, epoch {snapshot} is in force; plan again"
            ),
            Self::BadPlan { message } => f.write_str(message),
            Self::Unconfirmed { items } => {
                f.write_str("the risk checklist has open items; confirm or waive ")?;
                for (i, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if i == 0 { "" } else { ", " })?;
                }
                Ok(())
            }
            Self::Refused {
                shard: Some(shard),
                point,
                refusal,
            } => {
                write!(f, "shard {shard} goes on refusing {point}: {refusal}")
            }
            Self::Refused {
                shard: None,
                point,
                refusal,
            } => {
                write!(f, "{point} goes on being refused: {refusal}")
            }
            Self::Topology { goal, message } => write!(f, "can't {goal}: {message}"),
            Self::Senseless { point } => write!(f, "the answer to {point} makes no sense"),
        }
    }
}

impl core::error::Error for CoordinatorError {}

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
    /// A wave whose guards were found closed: its barrier comes before all else.
    closed: Option<DomainId>,
    /// The wish isn't in the topology store yet.
    undecided: bool,
    /// The ended wave whose loser was purged.
    cleaned: Option<DomainId>,
    mismatches: Vec<Mismatch>,
    watch: Watch,
    now: Instant,
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
            closed: None,
            undecided: false,
            cleaned: None,
            mismatches: Vec::new(),
            watch: Watch::default(),
            now,
        }
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
            self.wish(Wish::Back, reason);
        }
    }

    /// Stops the migration after the present move, in a safe state, until [`resume`](Self::resume).
    pub fn pause(&mut self, reason: &str) {
        self.wish(Wish::Pause, reason);
    }

    /// Goes on with a paused migration.
    pub fn resume(&mut self) {
        if self.log.wish == Wish::Pause {
            // Whoever says so has seen them.
            self.watch.own.mismatches = 0;
            self.wish(Wish::Forward, "");
        }
    }

    /// A wish is written down before anything is done for it, so that a successor shares it.
    fn wish(&mut self, wish: Wish, reason: &str) {
        self.log.wish = wish;
        self.log.reason = reason.into();
        self.undecided = true;
        self.watch.retreat = None;
        self.watch.held = None;
        let paused = matches!(self.task, Task::Over(Ending::Paused { .. }));
        if paused || matches!(self.task, Task::Soak { .. }) || self.waits_to_copy() {
            self.task = Task::Idle;
        }
    }

    /// What to do next.
    #[must_use]
    pub fn poll(&mut self) -> Action {
        loop {
            if let Task::Idle = self.task {
                self.choose();
                continue;
            }
            if self.not_before > self.now && !matches!(self.task, Task::Over(_)) {
                return Action::Wait {
                    until: self.not_before,
                };
            }
            if let Task::Move(run) = &self.task
                && let Some(until) = self.paced(run)
            {
                return Action::Wait { until };
            }
            let made = match &self.task {
                Task::Over(ending) => return Action::Over(ending.clone()),
                Task::Soak { until } => return Action::Wait { until: *until },
                Task::Idle => continue,
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
        self.now = self.now.max(now);
        if id != self.id || matches!(self.task, Task::Over(_)) {
            return;
        }
        self.id = CommandId(self.id.0.wrapping_add(1));
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
            }
            (Task::Move(run), Answer::Unreachable) => {
                self.not_before = self.now.after(self.settings.retry_ms);
                self.task = Task::Move(Box::new(self.after_silence(*run)));
            }
            (task, Answer::Unreachable) => {
                self.not_before = self.now.after(self.settings.retry_ms);
                self.task = task;
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
            (Task::Move(run), answer) => self.run_answered(*run, answer),
            (task @ (Task::Idle | Task::Soak { .. } | Task::Over(_)), _) => self.task = task,
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
