//! A plan as people read it.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::migration::plan::Plan;
use crate::migration::plan::advise::{duration, tell};
use crate::migration::plan::options::Amount;

/// Waves that are shown one by one.
const WAVES_SHOWN: usize = 40;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest: String = self.digest.to_string().chars().take(16).collect();
        writeln!(
            f,
            "cluster {}  from epoch {}  digest {digest}…  strategy {}",
            self.cluster, self.log.base, self.strategy
        )?;
        self.shares(f)?;
        self.all_waves(f)?;
        self.durations(f)?;
        let names: Vec<_> = self
            .refreshes
            .iter()
            .map(|r| format!("{} ({})", r.name, r.at))
            .collect();
        if !names.is_empty() {
            writeln!(f, "refresh once  {}", names.join("; "))?;
        }
        writeln!(f)?;
        let mut rows = Vec::from([row(&["phase", "back", "how"])]);
        for undo in &self.undo {
            let back = if undo.undo { "yes" } else { "no" };
            rows.push(row(&[&undo.phase, back, &undo.how]));
        }
        table(f, &rows, &[])?;
        for grow in &self.log.grow {
            writeln!(
                f,
                "\nkeyspace {} gets {} slot bits; no row moves",
                grow.0, grow.1
            )?;
        }
        writeln!(
            f,
            "\nadvice  {}: {}",
            self.advice.strategy,
            self.advice.reasons.join("; ")
        )?;
        for note in &self.notes {
            writeln!(f, "note    {note}")?;
        }
        Ok(())
    }
}

impl Plan {
    fn shares(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for figures in &self.figures {
            let share = |slots: u32| {
                let tenths = u64::from(slots) * 1000 / u64::from(figures.slots.max(1));
                format!("{}.{} %", tenths / 10, tenths % 10)
            };
            writeln!(
                f,
                "\nkeyspace {}  {} of {} slots move ({}), the least is {}; hash % N would move {} ({})",
                figures.keyspace,
                figures.slots_moved,
                figures.slots,
                share(figures.slots_moved),
                figures.slots_least,
                figures.slots_modulo,
                share(figures.slots_modulo),
            )?;
            let mut rows =
                Vec::from([row(&["shard", "before", "after", "ideal", "holds", "then"])]);
            for shard in self
                .shards
                .iter()
                .filter(|s| s.keyspace == figures.keyspace)
            {
                rows.push(row(&[
                    &shard.name,
                    &shard.slots_before.to_string(),
                    &shard.slots_after.to_string(),
                    &shard.slots_ideal.to_string(),
                    &amount(shard.before),
                    &amount(shard.after),
                ]));
            }
            table(f, &rows, &[1, 2, 3, 4, 5])?;
        }
        Ok(())
    }

    fn all_waves(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.waves.is_empty() {
            return Ok(());
        }
        writeln!(f)?;
        let head = [
            "wave", "keyspace", "from", "to", "slots", "keys", "moves", "copy",
        ];
        let mut rows = Vec::from([row(&head)]);
        for (at, wave) in self.waves.iter().take(WAVES_SHOWN).enumerate() {
            rows.push(row(&[
                &(at + 1).to_string(),
                &wave.keyspace,
                &wave.from,
                &wave.to,
                &wave.slots.to_string(),
                &wave.matches,
                &amount(wave.moves),
                &wave.copy_ms.map(duration).unwrap_or_default(),
            ]));
        }
        table(f, &rows, &[0, 4, 6, 7])?;
        match self.waves.len().saturating_sub(WAVES_SHOWN) {
            0 => Ok(()),
            more => writeln!(f, "and {more} more waves"),
        }
    }

    fn durations(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.waves.is_empty() {
            return Ok(());
        }
        let copy = self
            .time
            .copy_ms
            .map_or_else(|| "unknown without sizes and a rate".to_string(), duration);
        writeln!(
            f,
            "\ntime    copying {copy}, soaks {}, rollback window {}",
            duration(self.time.soak_ms),
            duration(self.time.rollback_ms)
        )?;
        if let Some(held) = self.time.held_ms {
            writeln!(f, "writes of a wave are held for up to {}", duration(held))?;
        }
        if let Some(pauses) = self.time.pauses {
            writeln!(
                f,
                "a shard checks no fence: writes of {} waves pause {} times each, for {} and what is \
                 left to copy; all waits for the clients' leases take {}",
                pauses.waves,
                pauses.per_wave,
                duration(pauses.pause_ms),
                duration(pauses.wait_ms)
            )?;
        }
        Ok(())
    }
}

fn amount(amount: Option<Amount>) -> String {
    match amount {
        None => String::new(),
        Some(Amount { keys, bytes: 0 }) => format!("{keys} keys"),
        Some(Amount { keys, bytes }) => format!("{keys} keys, {}", tell(bytes)),
    }
}

fn row(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_string()).collect()
}

/// Columns as wide as their widest cell, the numbers to the right; empty columns are left out.
fn table(f: &mut fmt::Formatter<'_>, rows: &[Vec<String>], numbers: &[usize]) -> fmt::Result {
    let columns = rows.first().map_or(0, Vec::len);
    let cell = |row: &Vec<String>, at: usize| row.get(at).map_or(0, |text| text.chars().count());
    let widths: Vec<usize> = (0..columns)
        .map(|at| {
            let filled = rows.iter().skip(1).any(|row| cell(row, at) > 0);
            let width = rows.iter().map(|row| cell(row, at)).max().unwrap_or(0);
            if filled { width } else { 0 }
        })
        .collect();
    for row in rows {
        let mut line = String::new();
        for (at, (text, &width)) in row.iter().zip(&widths).enumerate() {
            if width == 0 {
                continue;
            }
            let cell = if numbers.contains(&at) {
                format!("{text:>width$}  ")
            } else {
                format!("{text:<width$}  ")
            };
            line.push_str(&cell);
        }
        writeln!(f, "{}", line.trim_end())?;
    }
    Ok(())
}
