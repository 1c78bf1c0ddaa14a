//! How a migration's progress looks: bars on a terminal, lines elsewhere, JSON when asked for.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant as Clock};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use ringshift::migration::{Coordinator, Decision, Doing, Health, Move, Progress, Status};
use ringshift::{DomainId, Instant, Phase, Snapshot};
use serde_json::{Value, json};

/// How often a line or an object tells of nothing but rows.
const LINES_EVERY: Duration = Duration::from_secs(5);
const JSON_EVERY: Duration = Duration::from_secs(1);

/// Shows how a migration goes.
pub(super) struct Show<'o> {
    out: &'o mut dyn Write,
    json: bool,
    bars: Option<Bars>,
    /// Each wave's phase, ramp, and whether it is over, as they were last shown.
    shown: BTreeMap<DomainId, (Phase, u32, bool)>,
    /// The number of the last decision that was shown.
    decided: u64,
    told: Option<Clock>,
    pauses: u64,
    pause_us_max: u64,
    health: Health,
    epoch: u32,
}

struct Bars {
    all: MultiProgress,
    sum: ProgressBar,
    waves: BTreeMap<DomainId, ProgressBar>,
}

impl<'o> Show<'o> {
    pub(super) fn new(out: &'o mut dyn Write, json: bool) -> Self {
        let bars = (!json && io::stderr().is_terminal()).then(|| {
            let all = MultiProgress::new();
            let sum = all.add(ProgressBar::new_spinner());
            sum.enable_steady_tick(Duration::from_millis(200));
            let waves = BTreeMap::new();
            Bars { all, sum, waves }
        });
        Self {
            out,
            json,
            bars,
            shown: BTreeMap::new(),
            decided: 0,
            told: None,
            pauses: 0,
            pause_us_max: 0,
            health: Health::default(),
            epoch: 0,
        }
    }

    /// One line for people, or one object.
    pub(super) fn say(&mut self, text: &str, event: &Value) {
        // Whoever reads along may have gone; the work goes on.
        let _ = if self.json {
            writeln!(self.out, "{event}")
        } else if let Some(bars) = &self.bars {
            bars.all.println(text)
        } else {
            writeln!(self.out, "{text}")
        };
        let _ = self.out.flush();
    }

    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// The bars go, and what is said from now on stays.
    pub(super) fn end(&mut self) {
        if let Some(bars) = self.bars.take() {
            bars.sum.finish_and_clear();
            for bar in bars.waves.values() {
                bar.finish_and_clear();
            }
        }
    }

    pub(super) fn health(&mut self, health: &Health) {
        let before = self.health.baseline_p99_us.or(self.health.p99_us);
        self.health.clone_from(health);
        self.health.baseline_p99_us = health.baseline_p99_us.or(before);
    }

    pub(super) fn barrier(&mut self, goal: Move, wave: Option<DomainId>, pause: Duration) {
        let us = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX);
        self.pauses += 1;
        self.pause_us_max = self.pause_us_max.max(us);
        let of = wave.map_or_else(String::new, |wave| format!("wave {wave}: "));
        let event = json!({
            "event": "pause", "wave": wave, "move": goal.to_string(), "pause_us": us,
        });
        self.say(
            &format!("{of}{goal}, writers waited {}", micros(us)),
            &event,
        );
    }

    /// Shows what is new. `now` is the coordinator's time.
    pub(super) fn progress(
        &mut self,
        progress: &[Progress],
        coordinator: &Coordinator,
        now: Instant,
    ) {
        let Some(snapshot) = coordinator.snapshot() else {
            return;
        };
        self.epoch = snapshot.epoch().get();
        let fresh: Vec<Decision> = coordinator
            .decisions()
            .filter(|decision| decision.number > self.decided)
            .cloned()
            .collect();
        for decision in &fresh {
            self.decided = decision.number;
            let event = json!({ "event": "decision", "decision": decision });
            self.say(&format!("{:?}: {}", decision.what, decision.why), &event);
        }
        let mut news = false;
        for wave in progress {
            let state = (wave.phase, wave.ramp_ppm, wave.over);
            if self.shown.insert(wave.wave, state) != Some(state) {
                news = true;
                if !self.json {
                    let line = wave_line(wave, snapshot);
                    self.say(&line, &Value::Null);
                }
            }
        }
        let every = if self.json { JSON_EVERY } else { LINES_EVERY };
        let due = self.told.is_none_or(|told| told.elapsed() >= every);
        if self.bars.is_none() && !news && !due {
            return;
        }
        let status = coordinator.status();
        if self.json {
            let event = self.object(progress, &status, now);
            self.say("", &event);
        } else if self.bars.is_some() {
            self.move_bars(progress, snapshot, &status, now);
        } else if due {
            for wave in progress.iter().filter(|wave| !wave.over) {
                let line = wave_line(wave, snapshot);
                self.say(&line, &Value::Null);
            }
            let line = self.sum_line(&status, now);
            self.say(&line, &Value::Null);
        }
        if due || self.json {
            self.told = Some(Clock::now());
        }
    }

    fn object(&self, progress: &[Progress], status: &Status, now: Instant) -> Value {
        json!({
            "event": "progress",
            "epoch": self.epoch,
            "wish": status.wish,
            "waves": progress,
            "planned": status.planned,
            "mismatches": status.mismatches,
            "p99_before_us": self.health.baseline_p99_us,
            "p99_now_us": self.health.p99_us,
            "pauses": self.pauses,
            "pause_us_max": self.pause_us_max,
            "rows_per_s_max": status.rows_per_s,
            "waits": waits(status, now),
        })
    }

    fn sum_line(&self, status: &Status, now: Instant) -> String {
        let mut line = format!("epoch {}, {} mismatches", self.epoch, status.mismatches);
        if status.planned > 0 {
            let _ = write!(line, ", {} waves to begin", status.planned);
        }
        if let Some(p99) = self.health.p99_us {
            let before = self.health.baseline_p99_us.unwrap_or(p99);
            let (before, p99) = (micros(before.into()), micros(p99.into()));
            let _ = write!(line, ", p99 {before} before, {p99} now");
        }
        if self.pauses > 0 {
            let longest = micros(self.pause_us_max);
            let _ = write!(line, ", {} pauses, {longest} at most", self.pauses);
        }
        if let Some(waits) = waits(status, now) {
            let _ = write!(line, "; waits {waits}");
        }
        line
    }

    fn move_bars(
        &mut self,
        progress: &[Progress],
        snapshot: &Snapshot,
        status: &Status,
        now: Instant,
    ) {
        let line = self.sum_line(status, now);
        let Some(bars) = &mut self.bars else {
            return;
        };
        bars.sum.set_message(line);
        for wave in progress {
            let bar = bars.waves.entry(wave.wave).or_insert_with(|| {
                let style = ProgressStyle::with_template("[{bar:24}] {msg}");
                let bar = bars.all.add(ProgressBar::new(1));
                style.map_or_else(|_| ProgressBar::hidden(), |style| bar.with_style(style))
            });
            if wave.over {
                bar.finish_and_clear();
                continue;
            }
            let all = wave.rows_estimated.unwrap_or(wave.rows).max(1);
            bar.set_length(all);
            bar.set_position(if wave.caught_up {
                all
            } else {
                wave.rows.min(all)
            });
            bar.set_message(wave_line(wave, snapshot));
        }
    }
}

/// `wave 3, a to c: double-write, 120 of 500 rows, 4000 rows/s, 380 behind, 1 s to go`.
fn wave_line(wave: &Progress, snapshot: &Snapshot) -> String {
    let name = |id| {
        let shard = snapshot.shard(id);
        shard.map_or_else(|| format!("#{id}"), |shard| shard.name.clone())
    };
    let mut line = format!(
        "wave {}, {} to {}: ",
        wave.wave,
        name(wave.from),
        name(wave.to)
    );
    if wave.over {
        let _ = write!(line, "over, {} rows", wave.rows);
        return line;
    }
    line.push_str(wave.phase.name());
    if wave.phase == Phase::ReadNew {
        let (whole, part) = (wave.ramp_ppm / 10_000, wave.ramp_ppm / 100 % 100);
        let _ = write!(line, " {whole}.{part:02} %");
    }
    let _ = match wave.rows_estimated {
        Some(all) => write!(line, ", {} of {all} rows", wave.rows),
        None => write!(line, ", {} rows", wave.rows),
    };
    if let Some(rate) = wave.rows_per_s {
        let _ = write!(line, ", {rate} rows/s");
    }
    if let Some(lag) = wave.lag_rows {
        let _ = write!(line, ", {lag} behind");
    }
    if let Some(eta) = wave.eta_ms.filter(|_| !wave.caught_up) {
        let _ = write!(line, ", {} to go", millis(eta));
    }
    line
}

/// What the coordinator waits for, if it waits.
fn waits(status: &Status, now: Instant) -> Option<String> {
    if let Some(held) = &status.held {
        let why: Vec<String> = held.verdicts.iter().map(ToString::to_string).collect();
        let what = held
            .goal
            .map_or_else(|| "the soak".to_owned(), |goal| goal.to_string());
        return Some(format!("to {what}: {}", why.join(", ")));
    }
    if !status.open {
        return Some("for its hours".to_owned());
    }
    match &status.doing {
        Doing::Waits { until } => Some(format!("{} more", millis(until.since(now)))),
        _ => None,
    }
}

/// `2 d 3 h`, `4 min 5 s`, `3 s`, `120 ms`.
pub(super) fn millis(ms: u64) -> String {
    let (seconds, minutes, hours) = (ms / 1_000, ms / 60_000, ms / 3_600_000);
    match () {
        () if hours >= 24 => format!("{} d {} h", hours / 24, hours % 24),
        () if hours > 0 => format!("{hours} h {} min", minutes % 60),
        () if minutes > 0 => format!("{minutes} min {} s", seconds % 60),
        () if seconds > 0 => format!("{seconds} s"),
        () => format!("{ms} ms"),
    }
}

fn micros(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{}.{} ms", us / 1_000, us / 100 % 10),
        _ => millis(us / 1_000),
    }
}
