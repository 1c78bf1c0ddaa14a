//! Watches the coordinator: progress for people, figures for the report, and the two ways of
//! disturbing it that the options offer.

use std::io::IsTerminal;
use std::time::{Duration, Instant as Clock};

use indicatif::{ProgressBar, ProgressStyle};
use ringshift::migration::{Answer, Coordinator, Move, Point, Stage, Wish};
use ringshift::{DomainId, Phase};
use ringshift_operator::runner::Event;

use crate::cluster::Failed;
use crate::disturb::{Disturbance, How};
use crate::latency::Latency;
use crate::outside::Outsiders;
use crate::report::Step;

pub(crate) struct Watch {
    disturbance: Disturbance,
    pub(crate) outsiders: Outsiders,
    /// What went wrong with one of them; the run ends with it.
    pub(crate) outside_error: Option<Failed>,
    bar: Option<ProgressBar>,
    began: Clock,
    pub(crate) pauses: Latency,
    pub(crate) lag_rows_max: u64,
    pub(crate) steps: Vec<Step>,
    /// What the last step is about.
    current: Option<(Option<DomainId>, &'static str)>,
    rows: u64,
    /// Every step that was gone through.
    pub(crate) points: Vec<Point>,
    /// Why the migration is to turn back, from then on.
    turned: Option<String>,
    /// Something is over for good: no turn brings all of it back.
    pub(crate) kept: bool,
}

impl Watch {
    pub(crate) fn new(
        disturbance: Disturbance,
        outsiders: Outsiders,
        waves: usize,
        quiet: bool,
        began: Clock,
    ) -> Result<Self, Failed> {
        let bar = (!quiet && std::io::stderr().is_terminal()).then(|| {
            let style = ProgressStyle::with_template(
                "{spinner} {elapsed_precise} [{bar:30}] wave {pos}/{len}  {msg}",
            );
            let bar = ProgressBar::new(waves as u64);
            bar.enable_steady_tick(Duration::from_millis(120));
            style.map_or_else(|_| ProgressBar::hidden(), |style| bar.with_style(style))
        });
        Ok(Self {
            disturbance,
            outsiders,
            outside_error: None,
            bar,
            began,
            pauses: Latency::new()?,
            lag_rows_max: 0,
            steps: Vec::new(),
            current: None,
            rows: 0,
            points: Vec::new(),
            turned: None,
            kept: false,
        })
    }

    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// One entry of the timeline a wave and kind of work, not one a command.
    fn enter(&mut self, event: &Event<'_>, coordinator: &Coordinator) {
        let about = about(event.point.goal);
        let wave = event.wave.filter(|_| about == MOVING);
        if about == MOVING && wave.is_none() {
            // A wave has no number before it has begun.
            return;
        }
        let current = (wave, if wave.is_some() { MOVING } else { about });
        if self.current == Some(current) {
            return;
        }
        self.current = Some(current);
        let content = coordinator.snapshot().map(|snapshot| snapshot.content());
        let waves = content.map(|content| content.keyspaces.iter().flat_map(|k| &k.waves));
        let wave = waves.into_iter().flatten().find(|w| Some(w.domain) == wave);
        let name = match wave {
            Some(wave) => format!(
                "wave {}: shard {} -> {}, {} slots",
                wave.domain,
                wave.from,
                wave.to,
                wave.slot_count()
            ),
            None => about.to_owned(),
        };
        let at_s = self.began.elapsed().as_secs_f64();
        self.steps.push(Step {
            name,
            at_s,
            took_s: 0.0,
        });
    }

    fn show(&self, event: &Event<'_>, coordinator: &Coordinator) {
        let Some(bar) = &self.bar else { return };
        let content = coordinator.snapshot().map(|snapshot| snapshot.content());
        let waves = content.map(|content| content.keyspaces.iter().flat_map(|k| &k.waves));
        let through = |phase: Phase| matches!(phase, Phase::Reversed | Phase::Ended(_));
        if event.point.goal == Move::Switch || event.point.goal == Move::Retire {
            let done = waves
                .into_iter()
                .flatten()
                .filter(|wave| through(wave.phase))
                .count();
            bar.set_position(bar.position().max(done as u64));
        }
        let wave = event
            .wave
            .map(|wave| format!("wave {wave}: "))
            .unwrap_or_default();
        bar.set_message(format!(
            "{wave}{}  {} rows copied, {} mismatches",
            event.point.goal,
            self.rows,
            coordinator.mismatches().len()
        ));
    }

    /// A step is about to be done. Answers what becomes of who does it.
    pub(crate) fn before(&mut self, point: Point) -> Option<How> {
        self.points.push(point);
        let Disturbance {
            kill_at,
            fall,
            turn_at,
            ..
        } = &mut self.disturbance;
        if kill_at.as_mut().is_some_and(|kill| kill.is_now(point)) {
            let own = rustix::process::getpid();
            // Not an exit: nothing is flushed, dropped or said, as when the machine's power goes.
            let _gone = rustix::process::kill_process(own, rustix::process::Signal::KILL);
        }
        if !self.kept && turn_at.as_mut().is_some_and(|turn| turn.is_now(point)) {
            *turn_at = None;
            self.turned = Some(format!("turned back at {point}"));
        }
        let counts = fall
            .as_ref()
            .is_some_and(|fall| !fall.after_turn || self.turned.is_some());
        if counts && fall.as_mut().is_some_and(|fall| fall.at.is_now(point)) {
            return fall.take().map(|fall| fall.how);
        }
        None
    }

    pub(crate) fn after(&mut self, event: &Event<'_>, coordinator: &Coordinator) {
        self.enter(event, coordinator);
        let for_good = matches!(event.point.goal, Move::Finish | Move::Grow);
        self.kept |= for_good && *event.answer == Answer::Swapped;
        if let Some(step) = self.steps.last_mut() {
            step.took_s = self.began.elapsed().as_secs_f64() - step.at_s;
        }
        if let Answer::Changes { rows, .. } = event.answer {
            self.rows += u64::from(*rows);
            if event.point.stage == Stage::DrainRead {
                self.lag_rows_max = self.lag_rows_max.max(u64::from(*rows));
            }
        }
        self.show(event, coordinator);
        let content = coordinator.snapshot().map(|snapshot| snapshot.content());
        let waves = content.map(|content| content.keyspaces.iter().flat_map(|k| &k.waves));
        for phase in waves.into_iter().flatten().map(|wave| wave.phase) {
            if let Err(error) = self.outsiders.reached(phase) {
                self.outside_error.get_or_insert(error);
            }
        }
    }

    pub(crate) fn barrier(&mut self, pause: Duration) {
        self.pauses
            .record(u64::try_from(pause.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Why the migration is to turn back, if it is: asked of every coordinator, since one may fall
    /// before it has written that down.
    pub(crate) fn wants_back(&mut self, coordinator: &Coordinator) -> Option<String> {
        let snapshot = coordinator.snapshot()?;
        if let Some(phase) = self.disturbance.rollback_at {
            let mut waves = snapshot.content().keyspaces.iter().flat_map(|k| &k.waves);
            if waves.any(|wave| wave.phase == phase) {
                self.disturbance.rollback_at = None;
                self.turned = Some(format!("--rollback-at {phase}"));
            }
        }
        let asks = coordinator.log().wish != Wish::Back;
        self.turned.clone().filter(|_| asks)
    }
}

/// Everything between a wave's beginning and its switch.
const MOVING: &str = "move a wave";

/// What a move is part of, for the timeline.
const fn about(goal: Move) -> &'static str {
    match goal {
        Move::TakeOver | Move::Decide | Move::Tend => "take office",
        Move::Quarantine | Move::Readmit => "shut a shard, take it back",
        Move::Enlist => "enlist the shards",
        Move::Grow => "split the slots",
        Move::Begin
        | Move::Mirror
        | Move::Copy
        | Move::Shadow
        | Move::Verify
        | Move::Check
        | Move::Ramp(_)
        | Move::Offline
        | Move::Switch
        | Move::Abort
        | Move::Reopen => MOVING,
        Move::Unread | Move::StepBack | Move::SwitchBack | Move::Cancel => "go back",
        Move::Finish | Move::Clean | Move::Retire => "finish, purge",
        Move::Delist => "settle the list of shards",
    }
}
