//! The report of a migration that an agent leads.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Instant as Clock, SystemTime, UNIX_EPOCH};

use ringshift::Instant;
use ringshift::migration::{Coordinator, Ending, Health, Log, Report};
use ringshift_operator::runner::Event;
use ringshift_operator::write_report;

use crate::cli::carry::report_folder;

/// Collects what an agent does, from the first command of a migration to its end.
pub(super) struct Story {
    topology: PathBuf,
    named: Option<PathBuf>,
    origin: Clock,
    report: Option<(Report, PathBuf)>,
    closed_at: Option<Clock>,
}

impl Story {
    pub(super) fn new(named: Option<&Path>, topology: &Path) -> Self {
        Self {
            topology: topology.to_owned(),
            named: named.map(Path::to_owned),
            origin: Clock::now(),
            report: None,
            closed_at: None,
        }
    }

    fn now(&self) -> Instant {
        let ms = self.origin.elapsed().as_millis();
        Instant::from_millis(u64::try_from(ms).unwrap_or(u64::MAX))
    }

    pub(super) fn told(&mut self, event: &Event<'_>, coordinator: &Coordinator) {
        let now = self.now();
        let Some(snapshot) = coordinator.snapshot() else {
            return;
        };
        if self.report.is_none() {
            if *coordinator.log() == Log::default() {
                return;
            }
            let since = SystemTime::now().duration_since(UNIX_EPOCH);
            let unix_ms = since.map_or(0, |since| since.as_millis());
            let report = Report::new(now, u64::try_from(unix_ms).unwrap_or(u64::MAX));
            let own = || report_folder(&self.topology, snapshot.epoch());
            self.report = Some((report, self.named.clone().unwrap_or_else(own)));
        }
        let Some((report, _)) = &mut self.report else {
            return;
        };
        let Event {
            point, goal, wave, ..
        } = *event;
        report.handle_command(now, point, goal, wave, event.command, event.answer);
        report.handle_coordinator(now, coordinator);
        if event.begins_pause() && self.closed_at.is_none() {
            self.closed_at = Clock::now().checked_sub(event.took);
        }
        let reopened = event.ends_pause(coordinator);
        if reopened && let Some(closed_at) = self.closed_at.take() {
            let us = u64::try_from(closed_at.elapsed().as_micros()).unwrap_or(u64::MAX);
            report.handle_barrier(now, goal.unwrap_or(point.goal), wave, us);
        }
    }

    pub(super) fn health(&mut self, health: &Health) {
        let now = self.now();
        if let Some((report, _)) = &mut self.report {
            report.handle_health(now, health);
        }
    }

    pub(super) fn seen(&mut self, seen: &Health) {
        let now = self.now();
        if let Some((report, _)) = &mut self.report {
            report.handle_seen(now, seen);
        }
    }

    /// Writes the report, if there is one, and says where.
    pub(super) fn end(&mut self, ending: &Ending) -> Option<io::Result<PathBuf>> {
        let now = self.now();
        self.closed_at = None;
        let (mut report, folder) = self.report.take()?;
        report.handle_ending(now, ending);
        Some(write_report(&report, &folder).map(|()| folder))
    }
}
