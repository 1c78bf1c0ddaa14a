//! Instructions, counted by callgrind: what a busy machine doesn't change.
//!
//! Each scenario runs in a process of its own under valgrind, which counts only inside
//! [`counted_by_callgrind`].

use std::collections::BTreeMap;
use std::hint::black_box;
use std::process::Command;
use std::sync::Arc;

use ringshift::{Delta, Phase, Router, Snapshot};
use twox_hash::XxHash3_64;

use crate::operations::{read, write};
use crate::ours::{OVERRIDES, many, shard};
use crate::workload::{Cluster, Failure, KEYSPACE, Keys, edited, with_overrides, with_waves};

/// Keys of the scenarios that are counted a key.
const KEYS: usize = 20_000;
/// How far a count may be from what is written down, in percent.
const TOLERANCE_PERCENT: f64 = 3.0;

/// The scenarios, by name.
const SCENARIOS: &[&str] = &[
    "floor",
    "limit",
    "route",
    "route-overrides",
    "route-wave",
    "route_many",
    "plan",
    "plan-wave",
    "operation/read",
    "operation/write",
    "decode/16/64",
    "compile/16/64",
    "apply/16/64",
];

/// Marks what is counted.
#[inline(never)]
fn counted_by_callgrind<T>(work: impl FnOnce() -> T) -> T {
    black_box(work())
}

/// Runs one scenario, and answers how many units of work it had.
///
/// # Errors
/// For a name that isn't one.
pub(crate) fn scenario(name: &str) -> Result<usize, Failure> {
    let keys = Keys::users(KEYS);
    let keys = keys.in_order();
    let snapshot = Cluster::of(64, 16).snapshot()?;
    let moving = with_waves(&snapshot, Phase::DoubleWrite)?;
    let state = match name {
        "route-overrides" => with_overrides(&snapshot, OVERRIDES)?,
        "route-wave" | "plan-wave" => moving,
        _ => snapshot.clone(),
    };
    let router = Router::new(Arc::new(state));
    let keyspace = router.keyspace(KEYSPACE)?;
    let plans = || keys.iter().filter_map(|key| keyspace.plan(key).ok());
    match name {
        "floor" => {
            let hashes = || keys.iter().map(|key| XxHash3_64::oneshot(key));
            counted_by_callgrind(|| hashes().fold(0, u64::wrapping_add));
        }
        "limit" => {
            let table: Vec<u16> = keyspace.owners().iter().map(|owner| owner.0).collect();
            let slot = |key: &[u8]| usize::try_from(XxHash3_64::oneshot(key) >> 48).unwrap_or(0);
            let owners = || keys.iter().filter_map(|key| table.get(slot(key)));
            counted_by_callgrind(|| owners().map(|owner| u64::from(*owner)).sum::<u64>());
        }
        "route" | "route-overrides" | "route-wave" => {
            let shards = || keys.iter().map(|key| shard(&keyspace, key));
            counted_by_callgrind(|| shards().sum::<u64>());
        }
        "route_many" => {
            counted_by_callgrind(|| many(&keyspace, &keys));
        }
        "plan" | "plan-wave" => {
            counted_by_callgrind(|| plans().map(|plan| u64::from(plan.authority.0)).sum::<u64>());
        }
        "operation/read" => {
            counted_by_callgrind(|| plans().map(read).sum::<u64>());
        }
        "operation/write" => {
            counted_by_callgrind(|| plans().map(write).sum::<u64>());
        }
        "decode/16/64" => {
            let bytes = snapshot.encode();
            counted_by_callgrind(|| Snapshot::decode(&bytes).is_ok());
            return Ok(1);
        }
        "compile/16/64" => {
            let snapshot = Arc::new(snapshot);
            drop(counted_by_callgrind(|| Router::new(snapshot.clone())));
            return Ok(1);
        }
        "apply/16/64" => {
            let before = with_waves(&snapshot, Phase::Prepare)?;
            let after = edited(&before, |draft| {
                let epoch = draft.epoch;
                let keyspace = draft.keyspaces.first_mut().ok_or("no keyspace")?;
                let wave = keyspace.waves.first_mut().ok_or("no wave")?;
                (wave.phase, wave.epoch) = (Phase::DoubleWrite, epoch);
                Ok(())
            })?;
            let bytes = before.delta(&after)?.encode();
            let apply = || before.apply(&Delta::decode(&bytes)?);
            counted_by_callgrind(|| apply().is_ok());
            return Ok(1);
        }
        other => return Err(format!("`{other}` is no scenario").into()),
    }
    Ok(KEYS)
}

/// Counts every scenario; with `write` into `file`, else against what stands there.
///
/// # Errors
/// Without valgrind, and for a count that is off.
pub(crate) fn run(file: &str, write: bool) -> Result<(), Failure> {
    let mut counts = BTreeMap::new();
    for name in SCENARIOS {
        let count = count(name)?;
        println!("  {name:<24} {count:>14.1}");
        counts.insert((*name).to_owned(), count);
    }
    if write {
        let text = serde_json::to_string_pretty(&counts)?;
        std::fs::write(file, text + "\n")?;
        println!("written to {file}");
        return Ok(());
    }
    let text = std::fs::read_to_string(file)?;
    let known: BTreeMap<String, f64> = serde_json::from_str(&text)?;
    let off = off(&known, &counts);
    if off.is_empty() {
        println!("all within {TOLERANCE_PERCENT} % of {file}");
        return Ok(());
    }
    Err(format!(
        "not what {file} says; where that is meant, renew it with `--write`:\n{}",
        off.join("\n")
    )
    .into())
}

/// What differs by more than is tolerated, or is on one side only.
fn off(known: &BTreeMap<String, f64>, counts: &BTreeMap<String, f64>) -> Vec<String> {
    let mut off = Vec::new();
    for (name, count) in counts {
        match known.get(name) {
            None => off.push(format!("{name}: {count:.1}, and nothing is written down")),
            Some(known) => {
                let percent = (count / known - 1.0) * 100.0;
                if percent.abs() > TOLERANCE_PERCENT {
                    off.push(format!(
                        "{name}: {count:.1}, was {known:.1} ({percent:+.1} %)"
                    ));
                }
            }
        }
    }
    let gone = known.keys().filter(|name| !counts.contains_key(*name));
    off.extend(gone.map(|name| format!("{name}: not counted any more")));
    off
}

/// Instructions a unit of work of one scenario.
fn count(name: &str) -> Result<f64, Failure> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args([
            "--collect-atstart=no",
            "--toggle-collect=*counted_by_callgrind*",
        ])
        .arg(std::env::current_exe()?)
        .args(["--scenario", name])
        .output()
        .map_err(|e| format!("valgrind can't be started: {e}; install it"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("`{name}` failed under valgrind:\n{said}").into());
    }
    let units = String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse::<f64>();
    let collected = collected(&said).ok_or("callgrind said no count")?;
    Ok((collected / units? * 10.0).round() / 10.0)
}

/// The number in callgrind's line `==1== Collected : 123`.
fn collected(said: &str) -> Option<f64> {
    let (_, rest) = said.split_once("Collected :")?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_that_is_off_is_named_and_one_that_is_near_is_not() {
        let counts = |list: &[(&str, f64)]| {
            let owned = list.iter().map(|&(name, count)| (name.to_owned(), count));
            owned.collect::<BTreeMap<_, _>>()
        };
        let known = counts(&[("a", 100.0), ("b", 100.0), ("c", 100.0)]);
        let now = counts(&[("a", 102.9), ("b", 96.0), ("d", 1.0)]);
        let off = off(&known, &now);
        let wanted = [
            "b: 96.0, was 100.0 (-4.0 %)",
            "d: 1.0, and nothing is written down",
            "c: not counted any more",
        ];
        assert_eq!(off, wanted);
    }

    #[test]
    fn callgrind_s_line_is_found() {
        let said = "==7== Events    : Ir\n==7== Collected : 1234567\n==7==\n";
        assert_eq!(collected(said), Some(1_234_567.0));
        assert_eq!(collected("nothing"), None);
    }

    #[test]
    fn every_scenario_runs() -> Result<(), Failure> {
        for name in SCENARIOS {
            assert!(scenario(name)? > 0);
        }
        assert!(scenario("none").is_err());
        Ok(())
    }
}
