//! What a migration has done, told afterwards and while it runs: a timeline, figures, and why
//! things were decided. Fed by whoever carries the commands out.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::Serialize;

use crate::ids::{DomainId, ShardId};
use crate::migration::command::{Answer, Command};
use crate::migration::coordinator::{Coordinator, Decision, Ending};
use crate::migration::gates::Health;
use crate::migration::moves::{Move, Point, Stage};
use crate::phase::Phase;
use crate::time::Instant;

/// Moves and barriers that a report lists at most; later ones are only counted.
const LINES_MAX: usize = 10_000;

/// Collects a migration's story.
///
/// - Inputs, in the order in which things happen: [`handle_command`](Self::handle_command) after
///   each command, [`handle_coordinator`](Self::handle_coordinator) after each step,
///   `handle_barrier`, `handle_health`, `handle_estimate`, `handle_ending`.
/// - Getters: [`progress`](Self::progress), [`summary`](Self::summary), [`text`](Self::text).
///
/// It serialises as [`Summary`] does.
///
/// ```
/// use ringshift::migration::{Ending, Report};
/// use ringshift::Instant;
/// let mut report = Report::new(Instant::ZERO, 1_795_262_400_000);
/// report.handle_ending(Instant::from_millis(1_500), &Ending::Complete);
/// assert!(report.text().contains("complete"));
/// ```
#[derive(Clone, Debug)]
pub struct Report {
    began: Instant,
    summary: Summary,
    /// The move that the last command belonged to.
    open: Option<Line>,
    seen: u64,
    /// Whether the latency is that of looks at the stores: nobody has told the application's.
    latency_of_looks: bool,
    now: Instant,
}

/// All that a report says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// When it began, in milliseconds since 1970-01-01 UTC.
    pub began_unix_ms: u64,
    /// How long it has taken so far, in milliseconds.
    pub took_ms: u64,
    /// How it ended; `None` while it runs.
    pub ending: Option<Ending>,
    /// The moves, in their order, from the first command to the last answer of each.
    pub moves: Vec<Line>,
    /// The barriers: how long writers of a wave had to wait.
    pub barriers: Vec<Pause>,
    /// What the gates have decided, and why.
    pub decisions: Vec<Decision>,
    /// The waves.
    pub waves: Vec<Progress>,
    /// The application's figures.
    pub latency: Latency,
    /// Rows that were copied, over all waves.
    pub rows_copied: u64,
    /// Rows that were removed: the loser's, and tombstones.
    pub rows_removed: u64,
    /// Commands that were refused or got no answer.
    pub failed_commands: u64,
    /// Keys that the checker has looked at.
    pub keys_checked: u64,
    /// Mismatches that were confirmed.
    pub mismatches: u64,
    /// Moves, barriers and decisions that didn't fit in.
    pub left_out: u64,
}

/// One move.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The move, as people see it: `ramp to 5.00 %`.
    pub goal: String,
    /// Its wave.
    pub wave: Option<DomainId>,
    /// When it began, in milliseconds since the report's beginning.
    pub from_ms: u64,
    /// When its last answer came.
    pub to_ms: u64,
    /// Its commands.
    pub commands: u64,
    /// Rows that it copied or removed.
    pub rows: u64,
    #[serde(skip)]
    key: (Move, Option<DomainId>),
}

/// One barrier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pause {
    /// The move.
    pub goal: String,
    /// Its wave.
    pub wave: Option<DomainId>,
    /// When it was over, in milliseconds since the report's beginning.
    pub at_ms: u64,
    /// How long writers waited, in microseconds.
    pub pause_us: u64,
}

/// The application's latency and errors, before and during the migration; where nobody tells
/// them, the latency of looks at the stores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// The p99 before, in microseconds: the baseline, else the first that was told.
    pub p99_before_us: Option<u32>,
    /// The last.
    pub p99_now_us: Option<u32>,
    /// The highest.
    pub p99_max_us: Option<u32>,
    /// The highest error rate, in millionths.
    pub error_ppm_max: Option<u32>,
}

/// How far a wave has come: what a progress bar shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// The wave.
    pub wave: DomainId,
    /// The shard that the keys leave.
    pub from: ShardId,
    /// The shard that they go to.
    pub to: ShardId,
    /// Its phase; the last that was seen, once it is gone.
    pub phase: Phase,
    /// Keys of a million that are read from `to`.
    pub ramp_ppm: u32,
    /// Whether it has left the snapshot.
    pub over: bool,
    /// Rows that were copied, those that catch-up copied again too.
    pub rows: u64,
    /// Rows that the backfill is expected to copy, if somebody has counted them.
    pub rows_estimated: Option<u64>,
    /// Rows a second, over the present or the last stretch of copying.
    pub rows_per_s: Option<u64>,
    /// Rows that are behind: what is left of the estimate, or what the last chunk still found;
    /// `None` while it can't be told.
    pub lag_rows: Option<u64>,
    /// Milliseconds until the backfill is through, at that rate.
    pub eta_ms: Option<u64>,
    /// Whether the mirror has caught up at least once.
    pub caught_up: bool,
    /// The stretch of copying: since when, and how many rows.
    #[serde(skip)]
    stretch: (u64, u64),
    #[serde(skip)]
    read: (u32, bool),
}

impl Serialize for Report {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.summary().serialize(serializer)
    }
}

impl Report {
    /// A report that begins now, which is `unix_ms` milliseconds after 1970-01-01 UTC.
    pub fn new(now: Instant, unix_ms: u64) -> Self {
        Self {
            began: now,
            summary: Summary {
                began_unix_ms: unix_ms,
                ..Summary::default()
            },
            open: None,
            seen: 0,
            latency_of_looks: true,
            now,
        }
    }

    fn ms(&self) -> u64 {
        self.now.since(self.began)
    }

    /// A command of `point` was carried out by `now`. `goal` is the coordinator's move, with the
    /// number of a ramp, where it is known.
    pub fn handle_command(
        &mut self,
        now: Instant,
        point: Point,
        goal: Option<Move>,
        wave: Option<DomainId>,
        command: &Command,
        answer: &Answer,
    ) {
        self.now = self.now.max(now);
        let at = self.ms();
        let key = (goal.unwrap_or(point.goal), wave);
        if matches!(answer, Answer::Refused(_) | Answer::Unreachable) {
            self.summary.failed_commands += 1;
        }
        if matches!(point.goal, Move::Check | Move::Tend) {
            // They are many, and come between everything; figures tell all of them.
            return;
        }
        let rows = self.count(at, point, wave, command, answer);
        match &mut self.open {
            Some(line) if line.key == key => {
                line.to_ms = at;
                line.commands += 1;
                line.rows += rows;
            }
            _ => {
                self.close_line();
                self.open = Some(Line {
                    goal: key.0.to_string(),
                    wave,
                    from_ms: at,
                    to_ms: at,
                    commands: 1,
                    rows,
                    key,
                });
            }
        }
    }

    /// The rows that an answer has moved or removed.
    fn count(
        &mut self,
        at: u64,
        point: Point,
        wave: Option<DomainId>,
        command: &Command,
        answer: &Answer,
    ) -> u64 {
        let place = self.summary.waves.iter_mut().find(|p| Some(p.wave) == wave);
        match (point.stage, answer) {
            (Stage::Read | Stage::DrainRead, Answer::Changes { rows, end, .. }) => {
                if let Some(place) = place {
                    if place.stretch.1 == 0 {
                        place.stretch.0 = at;
                    }
                    place.read = (*rows, *end);
                    if *end && *rows == 0 {
                        place.arrive();
                    }
                }
                0
            }
            (Stage::Apply | Stage::DrainApply, Answer::Done) => {
                let Some(place) = place else {
                    return 0;
                };
                let rows = u64::from(place.read.0);
                place.rows += rows;
                place.stretch.1 += rows;
                place.measure(at);
                if place.read.1 {
                    place.arrive();
                }
                self.summary.rows_copied += rows;
                rows
            }
            (Stage::Purge | Stage::Collect, Answer::Removed { rows, .. }) => {
                self.summary.rows_removed += u64::from(*rows);
                u64::from(*rows)
            }
            (Stage::Swap, Answer::Swapped) => {
                if let Command::Swap { snapshot, .. } = command {
                    self.see(snapshot);
                }
                0
            }
            _ => 0,
        }
    }

    /// The waves as a snapshot has them.
    fn see(&mut self, snapshot: &crate::snapshot::Snapshot) {
        let all = snapshot.content().keyspaces.iter().flat_map(|k| &k.waves);
        let mut there = Vec::new();
        for wave in all {
            there.push(wave.domain);
            let known = self
                .summary
                .waves
                .iter()
                .position(|p| p.wave == wave.domain);
            match known.and_then(|at| self.summary.waves.get_mut(at)) {
                Some(place) => {
                    place.phase = wave.phase;
                    place.ramp_ppm = wave.ramp_ppm;
                }
                None => self.summary.waves.push(Progress {
                    wave: wave.domain,
                    from: wave.from,
                    to: wave.to,
                    phase: wave.phase,
                    ramp_ppm: wave.ramp_ppm,
                    over: false,
                    rows: 0,
                    rows_estimated: None,
                    rows_per_s: None,
                    lag_rows: None,
                    eta_ms: None,
                    caught_up: false,
                    stretch: (0, 0),
                    read: (0, false),
                }),
            }
        }
        for place in &mut self.summary.waves {
            place.over |= !there.contains(&place.wave);
        }
    }

    /// What the coordinator knows: its snapshot, decisions and mismatches.
    pub fn handle_coordinator(&mut self, now: Instant, coordinator: &Coordinator) {
        self.now = self.now.max(now);
        if self.summary.waves.is_empty()
            && let Some(snapshot) = coordinator.snapshot()
        {
            // A successor's report begins in the middle.
            self.see(snapshot);
        }
        let (seen, mut fresh) = (self.seen, Vec::new());
        fresh.extend(coordinator.decisions().filter(|d| d.number > seen).cloned());
        if let Some(last) = fresh.last() {
            self.seen = last.number;
        }
        for decision in fresh {
            self.keep(decision, |summary| &mut summary.decisions);
        }
        self.summary.mismatches = coordinator.mismatches().len() as u64;
        self.summary.keys_checked = coordinator.checks().keys;
        if let Some(ending) = coordinator.ended() {
            self.handle_ending(now, ending);
        }
    }

    /// A barrier is over; writers of the wave have waited for `pause_us` microseconds.
    pub fn handle_barrier(
        &mut self,
        now: Instant,
        goal: Move,
        wave: Option<DomainId>,
        pause_us: u64,
    ) {
        self.now = self.now.max(now);
        let pause = Pause {
            goal: goal.to_string(),
            wave,
            at_ms: self.ms(),
            pause_us,
        };
        self.keep(pause, |summary| &mut summary.barriers);
    }

    /// How the application is.
    pub fn handle_health(&mut self, now: Instant, health: &Health) {
        if self.latency_of_looks && (health.p99_us, health.error_ppm) != (None, None) {
            // One thing's latency says nothing of another's.
            self.latency_of_looks = false;
            self.summary.latency = Latency::default();
        }
        self.measure(now, health);
    }

    /// What was seen of the stores. It stands for the application's figures until those are told.
    pub fn handle_seen(&mut self, now: Instant, seen: &Health) {
        if self.latency_of_looks {
            self.measure(now, seen);
        }
    }

    fn measure(&mut self, now: Instant, health: &Health) {
        self.now = self.now.max(now);
        let latency = &mut self.summary.latency;
        latency.p99_before_us = latency
            .p99_before_us
            .or(health.baseline_p99_us)
            .or(health.p99_us);
        latency.p99_now_us = health.p99_us.or(latency.p99_now_us);
        latency.p99_max_us = latency.p99_max_us.max(health.p99_us);
        latency.error_ppm_max = latency.error_ppm_max.max(health.error_ppm);
    }

    /// How many rows a wave's backfill is expected to copy.
    pub fn handle_estimate(&mut self, wave: DomainId, rows: u64) {
        if let Some(place) = self.summary.waves.iter_mut().find(|p| p.wave == wave) {
            place.rows_estimated = Some(rows);
        }
    }

    /// It is over.
    pub fn handle_ending(&mut self, now: Instant, ending: &Ending) {
        self.now = self.now.max(now);
        self.close_line();
        self.summary.ending = Some(ending.clone());
    }

    /// How far each wave has come, in the order in which they began.
    pub fn progress(&self) -> &[Progress] {
        &self.summary.waves
    }

    /// All that is to be said by now.
    pub fn summary(&self) -> Summary {
        let mut summary = self.summary.clone();
        summary.moves.extend(self.open.clone());
        summary.took_ms = self.ms();
        summary
    }

    /// The same, for people: Markdown.
    pub fn text(&self) -> String {
        crate::migration::report_text::text(&self.summary(), self.began)
    }

    fn close_line(&mut self) {
        if let Some(line) = self.open.take() {
            self.keep(line, |summary| &mut summary.moves);
        }
    }

    fn keep<T>(&mut self, item: T, list: impl FnOnce(&mut Summary) -> &mut Vec<T>) {
        let all = list(&mut self.summary);
        if all.len() < LINES_MAX {
            all.push(item);
        } else {
            self.summary.left_out += 1;
        }
    }
}

impl Progress {
    /// The rate, what is left, and how long that takes.
    fn measure(&mut self, at: u64) {
        let (since, rows) = self.stretch;
        let ms = at.saturating_sub(since);
        let rate = rows.saturating_mul(1_000).checked_div(ms);
        self.rows_per_s = rate.or(self.rows_per_s);
        if !self.caught_up {
            self.lag_rows = self.rows_estimated.map(|all| all.saturating_sub(self.rows));
            self.eta_ms = (self.lag_rows.zip(self.rows_per_s))
                .and_then(|(lag, rate)| lag.saturating_mul(1_000).checked_div(rate));
        }
    }

    /// The mirror has caught up: what the last chunk found was the lag.
    fn arrive(&mut self) {
        self.caught_up = true;
        self.stretch = (0, 0);
        self.lag_rows = Some(self.read.0.into());
        self.eta_ms = Some(0);
    }
}
