//! One client in another language, as a process.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant as Clock};

use rustix::process::{Pid, Signal, kill_process};

use super::Figures;
use crate::cluster::Failed;

/// How long one may take to start, and to stop.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often a freeze is tried: each time it is caught with a lock, it is let go.
const FREEZES_MAX: u32 = 2_000;

pub(super) struct Outsider {
    command: String,
    child: Child,
    stdout: BufReader<ChildStdout>,
    pub(super) history: PathBuf,
    figures: Figures,
    is_frozen: bool,
}

impl Outsider {
    pub(super) fn start(
        command: &str,
        folder: &Path,
        number: usize,
        seed: u64,
    ) -> Result<Self, Failed> {
        let mut words = command.split_whitespace();
        let history = folder.join(format!("outside-{number}.jsonl"));
        let mut child = Command::new(words.next().unwrap_or_default())
            .args(words)
            .arg(folder)
            .args([number.to_string(), seed.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("`{command}` can't be started: {error}"))?;
        let stdout = child.stdout.take().ok_or("a process without an output")?;
        Ok(Self {
            command: command.to_owned(),
            child,
            stdout: BufReader::new(stdout),
            history,
            figures: Figures {
                command: command.to_owned(),
                fate: "finished".to_owned(),
                ..Figures::default()
            },
            is_frozen: false,
        })
    }

    pub(super) fn wait_until_ready(&mut self) -> Result<(), Failed> {
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        if line.trim() == "ready" {
            return Ok(());
        }
        Err(format!("`{}` said `{}`, not `ready`", self.command, line.trim()).into())
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Kills it, whatever it is at.
    pub(super) fn kill(&mut self) -> Result<(), Failed> {
        "killed".clone_into(&mut self.figures.fate);
        Ok(self.child.kill()?)
    }

    /// Stops it for a while: between two of its transactions, since whoever stops with a lock on
    /// a file stops everybody.
    pub(super) fn freeze(&mut self) -> Result<(), Failed> {
        for _ in 0..FREEZES_MAX {
            kill_process(self.pid(), Signal::STOP)?;
            self.wait_until_stopped()?;
            if !self.holds_a_lock()? {
                self.is_frozen = true;
                "frozen".clone_into(&mut self.figures.fate);
                return Ok(());
            }
            kill_process(self.pid(), Signal::CONT)?;
            thread::sleep(Duration::from_micros(300));
        }
        Err(format!("`{}` always holds a lock", self.command).into())
    }

    fn wait_until_stopped(&self) -> Result<(), Failed> {
        let path = format!("/proc/{}/stat", self.child.id());
        let begun = Clock::now();
        while begun.elapsed() < PATIENCE {
            let stat = fs::read_to_string(&path)?;
            let state = stat.rsplit(") ").next().unwrap_or_default();
            if state.starts_with('T') {
                return Ok(());
            }
        }
        Err(format!("`{}` doesn't stop", self.command).into())
    }

    /// Whether it holds a lock on any file, by the system's table of them.
    fn holds_a_lock(&self) -> Result<bool, Failed> {
        let own = self.child.id().to_string();
        let locks = fs::read_to_string("/proc/locks")?;
        Ok(locks.lines().any(|line| {
            line.contains(" WRITE ") && line.split_whitespace().any(|word| word == own)
        }))
    }

    /// Lets it go on.
    pub(super) fn thaw(&mut self) -> Result<(), Failed> {
        if std::mem::take(&mut self.is_frozen) {
            kill_process(self.pid(), Signal::CONT)?;
        }
        Ok(())
    }

    /// The end of its input tells it to stop.
    pub(super) fn tell_to_stop(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Waits for its end, and hears what it says.
    pub(super) fn wait(&mut self) -> Result<(), Failed> {
        let begun = Clock::now();
        while self.child.try_wait()?.is_none() {
            if begun.elapsed() > PATIENCE {
                self.child.kill()?;
                return Err(format!("`{}` doesn't end", self.command).into());
            }
            thread::sleep(Duration::from_millis(5));
        }
        let status = self.child.wait()?;
        if self.figures.fate == "killed" {
            return Ok(());
        }
        let mut said = String::new();
        self.stdout.read_to_string(&mut said)?;
        if !status.success() {
            return Err(format!("`{}` ended with {status}: {said}", self.command).into());
        }
        let figures: Figures = serde_json::from_str(said.trim())
            .map_err(|error| format!("`{}` said `{said}`: {error}", self.command))?;
        self.figures.retries = figures.retries;
        self.figures.refreshes = figures.refreshes;
        Ok(())
    }

    pub(super) fn figures(&self) -> Figures {
        self.figures.clone()
    }
}

impl Drop for Outsider {
    fn drop(&mut self) {
        // Nothing is left running, also when the run fails.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}
