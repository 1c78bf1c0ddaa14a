//! Writes a migration's report: everything that a runner tells goes into the core's [`Report`], and
//! to the observer behind it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant as Clock};

use ringshift::migration::{
    Answer, Command, Coordinator, Ending, Health, Move, Point, Report, Stage,
};
use ringshift::{DomainId, Fence};

use crate::runner::{Event, Observer, Runner, Witness, is_due, unix_ms};

/// An observer that keeps a report, and passes everything on to another observer.
///
/// ```no_run
/// # use ringshift_operator::{Reporter, runner::{Runner, Unobserved}};
/// # use ringshift::migration::Coordinator;
/// # fn run(runner: &Runner, coordinator: &mut Coordinator) {
/// let mut reporter = Reporter::new(runner, Unobserved).writing("migration".as_ref());
/// runner.run(coordinator, &mut reporter);
/// println!("{}", reporter.report().text());
/// # }
/// ```
pub struct Reporter<'r, O> {
    runner: &'r Runner,
    behind: O,
    report: Report,
    folder: Option<PathBuf>,
    counts: bool,
    told: Option<Clock>,
    failure: Option<io::Error>,
}

impl<'r, O: Observer> Reporter<'r, O> {
    /// A report that begins now.
    pub fn new(runner: &'r Runner, behind: O) -> Self {
        Self {
            runner,
            behind,
            report: Report::new(runner.now(), unix_ms()),
            folder: None,
            counts: false,
            told: None,
            failure: None,
        }
    }

    /// Writes `report.json` and `report.md` into this folder, which is made if it isn't there, when
    /// the coordinator's work is over.
    #[must_use]
    pub fn writing(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    /// Has each wave's rows counted at its authority before they are copied, so that there are an
    /// estimate and a time of arrival. A store walks all the wave's rows for that.
    #[must_use]
    pub fn counting(mut self) -> Self {
        self.counts = true;
        self
    }

    /// The report so far.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// The report, to be fed with estimates.
    pub fn report_mut(&mut self) -> &mut Report {
        &mut self.report
    }

    /// The observer behind.
    pub fn behind(&self) -> &O {
        &self.behind
    }

    /// The same, to be told something.
    pub fn behind_mut(&mut self) -> &mut O {
        &mut self.behind
    }

    /// Why the files couldn't be written, if so.
    pub fn failure(&self) -> Option<&io::Error> {
        self.failure.as_ref()
    }

    /// Writes the report as it stands: `report.json` and `report.md`.
    ///
    /// # Errors
    /// What the file system says.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        write_report(&self.report, folder)
    }

    /// Counts a wave's rows when its first chunk is about to be read.
    fn estimate(&mut self, event: &Event<'_>) {
        let Some(domain) = event.wave.filter(|_| self.counts) else {
            return;
        };
        let known = self.report.progress().iter().find(|p| p.wave == domain);
        let is_new = known.is_some_and(|p| p.rows_estimated.is_none());
        if let Command::Changes { shard, fence, .. } = event.command
            && event.point.stage == Stage::Read
            && is_new
        {
            let Fence { domain: of, .. } = *fence;
            let count = Command::Count {
                shard: *shard,
                fence: *fence,
            };
            if let Answer::Rows(rows) = self.runner.carry_out(&count) {
                self.report.handle_estimate(of, rows);
            }
        }
    }

    fn tell(&mut self, coordinator: &Coordinator, always: bool) {
        if is_due(&mut self.told, Duration::from_millis(100)) || always {
            let now = self.runner.now();
            self.report.handle_coordinator(now, coordinator);
            self.behind.reported(&self.report, coordinator);
        }
    }
}

/// Writes a report into this folder, which is made if it isn't there: `report.json` and
/// `report.md`.
///
/// # Errors
/// What the file system says.
pub fn write_report(report: &Report, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let json = serde_json::to_vec_pretty(report)?;
    fs::write(folder.join("report.json"), json)?;
    fs::write(folder.join("report.md"), report.text())
}

impl<O: Observer> Witness for Reporter<'_, O> {
    fn health(&mut self) -> Option<Health> {
        let health = self.behind.health()?;
        self.report.handle_health(self.runner.now(), &health);
        Some(health)
    }

    fn seen(&mut self, seen: &Health, coordinator: &Coordinator) {
        self.report.handle_seen(self.runner.now(), seen);
        self.behind.seen(seen, coordinator);
    }

    fn utc_offset_min(&mut self) -> i16 {
        self.behind.utc_offset_min()
    }
}

impl<O: Observer> Observer for Reporter<'_, O> {
    fn before(&mut self, point: Point, wave: Option<DomainId>) {
        self.behind.before(point, wave);
    }

    fn after(&mut self, event: &Event<'_>, coordinator: &Coordinator) {
        let now = self.runner.now();
        let Event {
            point,
            goal,
            wave,
            command,
            answer,
            ..
        } = *event;
        self.estimate(event);
        self.report
            .handle_command(now, point, goal, wave, command, answer);
        self.tell(coordinator, false);
        self.behind.after(event, coordinator);
    }

    fn barrier(&mut self, goal: Move, wave: Option<DomainId>, pause: Duration) {
        let us = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX);
        self.report
            .handle_barrier(self.runner.now(), goal, wave, us);
        self.behind.barrier(goal, wave, pause);
    }

    fn waiting(&mut self, coordinator: &Coordinator) {
        self.tell(coordinator, false);
        self.behind.waiting(coordinator);
    }

    fn wants_back(&mut self, coordinator: &Coordinator) -> Option<String> {
        self.behind.wants_back(coordinator)
    }

    fn wants_pause(&mut self, coordinator: &Coordinator) -> Option<String> {
        self.behind.wants_pause(coordinator)
    }

    fn ended(&mut self, ending: &Ending, coordinator: &Coordinator) {
        self.report.handle_ending(self.runner.now(), ending);
        self.tell(coordinator, true);
        if let Some(folder) = self.folder.clone() {
            self.failure = self.write(&folder).err();
        }
        self.behind.ended(ending, coordinator);
    }
}
