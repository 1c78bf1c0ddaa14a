//! Clients in other languages: processes that read and write the same shards through their own
//! package, and write their histories for the same checker.
//!
//! A command is started as `COMMAND FOLDER NUMBER SEED`. It reads `records.jsonl`, the topology and
//! the shards in the folder, says `ready`, works until its standard input ends, and says its
//! [`Figures`]. What it asks for and is told goes to `outside-NUMBER.jsonl`, by the machine's
//! monotonic clock. Its values begin with NUMBER << 40, its processes with NUMBER * 1,000,000.

mod process;
#[cfg(test)]
#[expect(clippy::expect_used, reason = "a test may fail loudly")]
mod tests;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use ringshift::Phase;
use serde::{Deserialize, Serialize};

use crate::cluster::Failed;
use crate::dataset::Record;
use crate::history::{self, Op};
use process::Outsider;

/// What one of them has to say at its end.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// The command.
    #[serde(default)]
    pub(crate) command: String,
    /// Operations in its history.
    #[serde(default)]
    pub(crate) operations: u64,
    /// Operations of which nobody knows whether they were carried out.
    #[serde(default)]
    pub(crate) unknown: u64,
    /// Attempts that were refused or failed; of one that was killed, nobody knows.
    pub(crate) retries: u64,
    /// Fetches of the topology.
    pub(crate) refreshes: u64,
    /// How it fared: `finished`, `killed`, or `frozen` for a while.
    #[serde(default)]
    pub(crate) fate: String,
}

/// What to do to the processes, by their numbers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Harm {
    /// Kill this one when a wave first answers reads from its new shard.
    pub(crate) kill: Option<usize>,
    /// Freeze this one from a wave's shadow-read until it is reversed: two phases and a switch.
    pub(crate) freeze: Option<usize>,
}

/// All of them.
pub(crate) struct Outsiders {
    harm: Harm,
    list: Vec<Outsider>,
}

impl Outsiders {
    /// Starts them, and waits until each is ready.
    pub(crate) fn start(
        commands: &[String],
        harm: Harm,
        folder: &Path,
        records: &[Record],
        seed: u64,
    ) -> Result<Self, Failed> {
        for number in [harm.kill, harm.freeze].into_iter().flatten() {
            if !(1..=commands.len()).contains(&number) {
                return Err(format!("there is no client {number} to harm").into());
            }
        }
        let mut list = Vec::new();
        if !commands.is_empty() {
            write_records(&folder.join("records.jsonl"), records)?;
        }
        for (number, command) in (1..).zip(commands) {
            list.push(Outsider::start(command, folder, number, seed)?);
        }
        for outsider in &mut list {
            outsider.wait_until_ready()?;
        }
        Ok(Self { harm, list })
    }

    /// The migration has come so far: a wave is in this phase.
    pub(crate) fn reached(&mut self, phase: Phase) -> Result<(), Failed> {
        if phase == Phase::ShadowRead
            && let Some(outsider) = at(&mut self.list, &mut self.harm.freeze)
        {
            outsider.freeze()?;
        }
        if phase == Phase::ReadNew
            && let Some(outsider) = at(&mut self.list, &mut self.harm.kill)
        {
            outsider.kill()?;
        }
        if phase == Phase::Reversed {
            self.list.iter_mut().try_for_each(Outsider::thaw)?;
        }
        Ok(())
    }

    /// Tells them to stop, and waits until they have.
    pub(crate) fn stop(&mut self) -> Result<(), Failed> {
        let harmed = self.harm.kill.is_some() || self.harm.freeze.is_some();
        if harmed && !self.list.is_empty() {
            return Err("the migration never came to where a client was to be harmed".into());
        }
        for outsider in &mut self.list {
            outsider.thaw()?;
            outsider.tell_to_stop();
        }
        self.list.iter_mut().try_for_each(Outsider::wait)
    }

    /// What each has to say, and all of their operations, in the time of this process: `origin_ns`
    /// of the machine's clock is `from_ns` here.
    pub(crate) fn histories(
        &self,
        keys: &[String],
        origin_ns: u64,
        from_ns: u64,
    ) -> Result<(Vec<Figures>, Vec<Op>), Failed> {
        let (mut figures, mut ops) = (Vec::new(), Vec::new());
        for outsider in &self.list {
            let path = &outsider.history;
            let loaded = history::load(path, keys)
                .map_err(|error| format!("`{}`: {error}", path.display()))?;
            let is_unknown = |op: &&Op| op.outcome == history::Outcome::Info;
            figures.push(Figures {
                operations: loaded.ops.len() as u64,
                unknown: loaded.ops.iter().filter(is_unknown).count() as u64,
                ..outsider.figures()
            });
            let here = |ns: u64| ns.saturating_sub(origin_ns).saturating_add(from_ns);
            ops.extend(loaded.ops.into_iter().map(|op| Op {
                invoke_ns: here(op.invoke_ns),
                complete_ns: here(op.complete_ns),
                ..op
            }));
        }
        Ok((figures, ops))
    }
}

/// The one of that number; it is asked for once.
fn at<'o>(list: &'o mut [Outsider], number: &mut Option<usize>) -> Option<&'o mut Outsider> {
    list.get_mut(number.take()?.checked_sub(1)?)
}

/// One line a record: its key, and its value in hex.
fn write_records(path: &PathBuf, records: &[Record]) -> Result<(), Failed> {
    let mut out = BufWriter::new(File::create(path)?);
    for record in records {
        let value: String = record.value.iter().fold(String::new(), |mut hex, byte| {
            use std::fmt::Write as _;
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        serde_json::to_writer(&mut out, &(&record.key, value))?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(())
}

/// Nanoseconds of the machine's monotonic clock, which all processes share.
pub(crate) fn machine_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let part = |number: i64| u64::try_from(number).unwrap_or(0);
    part(now.tv_sec) * 1_000_000_000 + part(now.tv_nsec)
}
