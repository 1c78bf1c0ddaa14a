//! The report as people read it: the answer first, then why to believe it.

use std::fmt::{self, Display, Formatter, Result};

use super::{Report, Step, Traffic};

const GOOD: &str = "\x1b[1;32m";
const BAD: &str = "\x1b[1;31m";
const TITLE: &str = "\x1b[1m";
const END: &str = "\x1b[0m";

/// The timeline of a run with many waves would be longer than the rest; machines get all of it.
const STEPS_SHOWN_MAX: usize = 12;

pub(super) struct Rendered<'a> {
    pub(super) report: &'a Report,
    pub(super) colour: bool,
}

impl Display for Rendered<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        self.headline(f)?;
        self.moved(f)?;
        self.traffic(f)?;
        self.migration(f)?;
        self.outside(f)?;
        self.steps(f)?;
        self.checked(f)
    }
}

impl Rendered<'_> {
    fn headline(&self, f: &mut Formatter<'_>) -> Result {
        let r = self.report;
        let (answer, code) = if r.is_clean() {
            ("Nothing was lost.", GOOD)
        } else if r.checked.operations == 0 {
            ("NOTHING WAS CHECKED.", BAD)
        } else {
            ("DATA WENT WRONG.", BAD)
        };
        writeln!(
            f,
            "{} {} -> {} shards, {} records, {} clients, {:.1} s",
            self.paint(answer, code),
            r.shards_before,
            r.shards_after,
            Grouped(r.records),
            r.clients,
            r.duration_s,
        )?;
        writeln!(
            f,
            "{}, seed {}; the migration: {}",
            r.source, r.seed, r.ending
        )?;
        let said = [
            r.strategy.as_ref().map(|name| format!("strategy {name}")),
            r.wish.as_ref().map(|name| format!("wish {name}")),
            (r.takeovers > 0).then(|| format!("{} takeovers", r.takeovers)),
            (r.misplaced > 0).then(|| format!("{} KEYS MISPLACED", r.misplaced)),
            r.restored.map(|restored| {
                let said = if restored {
                    "all is as before"
                } else {
                    "NOT AS BEFORE"
                };
                said.to_owned()
            }),
        ];
        let said: Vec<_> = said.into_iter().flatten().collect();
        if said.is_empty() {
            return Ok(());
        }
        writeln!(f, "{}", said.join(", "))
    }

    fn moved(&self, f: &mut Formatter<'_>) -> Result {
        let moved = &self.report.moved;
        self.title(f, "What moved")?;
        let slots = format!("{} of {}", Grouped(moved.slots), Grouped(moved.slots_total));
        row(f, "slots", slots)?;
        row(
            f,
            "keys",
            format_args!(
                "{} ({}; ideal {}, hash % N {})",
                Grouped(moved.keys),
                Percent(moved.keys_share),
                Percent(moved.keys_share_ideal),
                Percent(moved.keys_share_modulo),
            ),
        )
    }

    fn traffic(&self, f: &mut Formatter<'_>) -> Result {
        let r = self.report;
        self.title(f, "What clients saw")?;
        writeln!(f, "  {:<22}{:>12}{:>12}", "", "before", "during")?;
        let mut line = |name: &str, cell: &dyn Fn(&Traffic) -> String| {
            writeln!(
                f,
                "  {name:<22}{:>12}{:>12}",
                cell(&r.before),
                cell(&r.during)
            )
        };
        line("operations", &|t| Grouped(t.operations).to_string())?;
        line("operations / s", &|t| {
            Rounded(t.operations_per_s).to_string()
        })?;
        line("p50, ms", &|t| format!("{:.3}", t.p50_ms))?;
        line("p99, ms", &|t| format!("{:.3}", t.p99_ms))?;
        line("p99.9, ms", &|t| format!("{:.3}", t.p999_ms))?;
        line("longest, ms", &|t| format!("{:.3}", t.latency_ms_max))?;
        row(f, "throughput kept", Percent(r.throughput_ratio))?;
        let gap = format!("{:.1} ms", r.client_gap_ms_max);
        row(f, "longest gap", gap)
    }

    fn migration(&self, f: &mut Formatter<'_>) -> Result {
        let r = self.report;
        self.title(f, "What it took")?;
        row(
            f,
            "barriers",
            format_args!(
                "{} (pause p50 {:.2} ms, p99 {:.2} ms, longest {:.2} ms)",
                Grouped(r.barriers.count),
                r.barriers.pause_p50_ms,
                r.barriers.pause_p99_ms,
                r.barriers.pause_ms_max,
            ),
        )?;
        row(f, "retries", Grouped(r.retries))?;
        row(f, "refreshes", Grouped(r.refreshes))?;
        let lag = format!("{} rows at most", Grouped(r.catch_up_lag_rows_max));
        row(f, "catch-up lag", lag)?;
        row(
            f,
            "shadow reads",
            format_args!("{} the same on both shards", Grouped(r.shadow_reads)),
        )?;
        row(f, "mismatches", Grouped(r.mismatches))
    }

    fn outside(&self, f: &mut Formatter<'_>) -> Result {
        if self.report.outside.is_empty() {
            return Ok(());
        }
        self.title(f, "Clients in other languages")?;
        for client in &self.report.outside {
            writeln!(
                f,
                "  {:<10}{} operations ({} of unknown outcome), {} retries, {} refreshes: {}",
                client.fate,
                Grouped(client.operations),
                Grouped(client.unknown),
                Grouped(client.retries),
                Grouped(client.refreshes),
                client.command,
            )?;
        }
        Ok(())
    }

    fn steps(&self, f: &mut Formatter<'_>) -> Result {
        let steps = &self.report.steps;
        if steps.is_empty() {
            return Ok(());
        }
        self.title(f, "Steps")?;
        for Step { name, at_s, took_s } in steps.iter().take(STEPS_SHOWN_MAX) {
            writeln!(f, "  {at_s:>8.2} s  {name:<32}{took_s:>8.2} s")?;
        }
        match steps.len().checked_sub(STEPS_SHOWN_MAX) {
            None | Some(0) => Ok(()),
            Some(more) => writeln!(f, "  ... and {more} more; --json has them all"),
        }
    }

    fn checked(&self, f: &mut Formatter<'_>) -> Result {
        let checked = &self.report.checked;
        self.title(f, "What the checker found")?;
        row(
            f,
            "checked",
            format_args!(
                "{} operations on {} keys, in {:.2} s",
                Grouped(checked.operations),
                Grouped(checked.keys),
                checked.took_s,
            ),
        )?;
        for (name, count) in [
            ("lost writes", checked.lost),
            ("resurrected deletes", checked.resurrected),
            ("wrong reads", checked.wrong_reads),
        ] {
            row(f, name, self.count(count))?;
        }
        if checked.undecided > 0 {
            row(f, "not decided, keys", self.count(checked.undecided))?;
        }
        Ok(())
    }

    fn title(&self, f: &mut Formatter<'_>, text: &str) -> Result {
        writeln!(f, "\n{}", self.paint(text, TITLE))
    }

    /// 0 is what everybody hopes for.
    fn count(&self, count: u64) -> String {
        let code = if count == 0 { GOOD } else { BAD };
        self.paint(&Grouped(count).to_string(), code)
    }

    fn paint(&self, text: &str, code: &str) -> String {
        if self.colour {
            format!("{code}{text}{END}")
        } else {
            text.to_owned()
        }
    }
}

fn row(f: &mut Formatter<'_>, name: &str, value: impl Display) -> Result {
    writeln!(f, "  {name:<22}{value}")
}

/// A share as per cent.
struct Percent(f64);

impl Display for Percent {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} %", self.0 * 100.0)
    }
}

/// A count in groups of three digits.
struct Grouped(u64);

impl Display for Grouped {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&grouped(&self.0.to_string()))
    }
}

/// A figure without its fraction, in groups of three digits.
struct Rounded(f64);

impl Display for Rounded {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&grouped(&format!("{:.0}", self.0)))
    }
}

fn grouped(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (digit, left) in digits.chars().zip((0..digits.len()).rev()) {
        text.push(digit);
        if left > 0 && left % 3 == 0 {
            text.push(',');
        }
    }
    text
}
