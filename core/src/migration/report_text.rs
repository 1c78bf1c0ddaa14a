//! A report in Markdown, for people.

use alloc::format;
use alloc::string::String;
use core::fmt::{self, Write};

use crate::migration::coordinator::Ending;
use crate::migration::report::Summary;
use crate::time::Instant;

pub(crate) fn text(summary: &Summary, began: Instant) -> String {
    let mut out = String::new();
    // A string takes whatever is written to it.
    let _ = write_all(&mut out, summary, began);
    out
}

fn write_all(out: &mut String, summary: &Summary, began: Instant) -> fmt::Result {
    let ended = match &summary.ending {
        None => "still running".into(),
        Some(Ending::Complete) => "complete".into(),
        Some(Ending::RolledBack { reason }) => format!("rolled back: {reason}"),
        Some(Ending::Paused { reason }) => format!("paused: {reason}"),
        Some(Ending::SteppedDown { term }) => format!("taken over by term {term}"),
        Some(Ending::Stuck(error)) => format!("stuck: {error}"),
    };
    writeln!(out, "# Migration: {ended}\n")?;
    let latency = &summary.latency;
    writeln!(out, "| | |\n|---|---|")?;
    writeln!(out, "| took | {} |", duration(summary.took_ms))?;
    writeln!(out, "| rows copied | {} |", summary.rows_copied)?;
    writeln!(out, "| rows removed | {} |", summary.rows_removed)?;
    writeln!(out, "| keys checked meanwhile | {} |", summary.keys_checked)?;
    writeln!(out, "| mismatches | {} |", summary.mismatches)?;
    writeln!(
        out,
        "| commands that failed | {} |",
        summary.failed_commands
    )?;
    let us = |us: Option<u32>| us.map_or("not known".into(), |us| format!("{us} µs"));
    writeln!(
        out,
        "| p99 before, at the end, at worst | {}, {}, {} |",
        us(latency.p99_before_us),
        us(latency.p99_now_us),
        us(latency.p99_max_us)
    )?;
    let longest = summary
        .barriers
        .iter()
        .map(|barrier| barrier.pause_us)
        .max();
    writeln!(
        out,
        "| barriers | {}, the longest pause {} µs |",
        summary.barriers.len(),
        longest.unwrap_or(0)
    )?;
    if summary.left_out > 0 {
        writeln!(out, "| entries left out | {} |", summary.left_out)?;
    }
    writeln!(
        out,
        "\n## Waves\n\n| wave | from | to | phase | rows | rows/s |"
    )?;
    writeln!(out, "|---|---|---|---|---|---|")?;
    for wave in &summary.waves {
        let rate = wave
            .rows_per_s
            .map_or(String::new(), |rate| format!("{rate}"));
        let over = if wave.over { ", over" } else { "" };
        writeln!(
            out,
            "| {} | {} | {} | {}{over} | {} | {rate} |",
            wave.wave, wave.from, wave.to, wave.phase, wave.rows
        )?;
    }
    if !summary.decisions.is_empty() {
        writeln!(out, "\n## Decisions\n")?;
    }
    for decision in &summary.decisions {
        let at = duration(decision.at.since(began));
        let why = &decision.why;
        match decision.wave {
            Some(wave) => writeln!(out, "- {at}, wave {wave}: {:?}: {why}", decision.what)?,
            None => writeln!(out, "- {at}: {:?}: {why}", decision.what)?,
        }
    }
    writeln!(out, "\n## Timeline\n\n| at | move | wave | took | rows |")?;
    writeln!(out, "|---|---|---|---|---|")?;
    for line in &summary.moves {
        let wave = line.wave.map_or(String::new(), |wave| format!("{wave}"));
        writeln!(
            out,
            "| {} | {} | {wave} | {} | {} |",
            duration(line.from_ms),
            line.goal,
            duration(line.to_ms.saturating_sub(line.from_ms)),
            line.rows
        )?;
    }
    if !summary.barriers.is_empty() {
        writeln!(
            out,
            "\n## Barriers\n\n| at | move | wave | writers waited |"
        )?;
        writeln!(out, "|---|---|---|---|")?;
    }
    for barrier in &summary.barriers {
        let wave = barrier.wave.map_or(String::new(), |wave| format!("{wave}"));
        let at = duration(barrier.at_ms);
        writeln!(
            out,
            "| {at} | {} | {wave} | {} µs |",
            barrier.goal, barrier.pause_us
        )?;
    }
    Ok(())
}

/// `2 d 3 h`, `4 min 5 s`, `1.234 s`.
fn duration(ms: u64) -> String {
    let (seconds, minutes, hours) = (ms / 1_000, ms / 60_000, ms / 3_600_000);
    if hours >= 24 {
        format!("{} d {} h", hours / 24, hours % 24)
    } else if hours > 0 {
        format!("{hours} h {} min", minutes % 60)
    } else if minutes > 0 {
        format!("{minutes} min {} s", seconds % 60)
    } else {
        format!("{seconds}.{:03} s", ms % 1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units() {
        assert_eq!(duration(1_234), "1.234 s");
        assert_eq!(duration(245_000), "4 min 5 s");
        assert_eq!(duration(3_600_000), "1 h 0 min");
        assert_eq!(duration((51 * 60) * 60_000), "2 d 3 h");
    }
}
