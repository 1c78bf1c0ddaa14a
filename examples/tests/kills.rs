//! The main job, killed by a signal at every step of the coordinator, and resumed on the files that
//! it left: nothing is lost, whatever the step.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The example's own binary, which cargo builds beside the tests.
fn binary() -> PathBuf {
    let tests = std::env::current_exe().expect("a test has a path");
    let profile = tests.ancestors().nth(2).expect("target/<profile>/deps");
    profile.join("examples").join("live_reshard")
}

fn run(folder: &Path, args: &str) -> Output {
    Command::new(binary())
        .args([
            "--brisk",
            "--json",
            "--records",
            "400",
            "--threads",
            "8",
            "--dir",
        ])
        .arg(folder)
        .args(args.split_whitespace())
        .output()
        .expect("the example runs")
}

/// The report, once the run has ended by itself and found nothing lost.
#[track_caller]
fn clean(what: &str, output: &Output) -> serde_json::Value {
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{what}: {} {text} {errors}",
        output.status
    );
    let report: serde_json::Value = serde_json::from_str(&text).expect("a report");
    for figure in ["lost", "resurrected", "wrong_reads", "undecided"] {
        assert_eq!(report["checked"][figure], 0, "{what}: {figure}");
    }
    report
}

/// The options of the runs that lead to a step: each but the last is killed on its way.
fn ways_to(step: &str) -> Vec<String> {
    let (goal, stage) = step.split_once('/').expect("move/stage");
    match (goal, stage) {
        // Only a rollback makes these moves.
        ("unread", _) | ("decide", _) => vec![format!("--rollback-at read-new --kill-at {step}")],
        ("switch-back", _) => vec![format!("--rollback-at reversed --kill-at {step}")],
        ("cancel", _) => vec![format!("--rollback-at shadow-read --kill-at {step}")],
        ("delist", "swap") => vec![format!("--rollback-at double-write --kill-at {step}")],
        // Only a wish for more slots makes this move, only one strategy that one.
        ("grow", _) => vec![format!("--wish grow-bits --kill-at {step}")],
        ("offline", _) => vec![format!("--strategy maintenance-window --kill-at {step}")],
        // A barrier that was begun forwards, found closed by one who wants to go back.
        ("abort", _) => vec![
            "--kill-at ramp/closing".to_owned(),
            format!("--resume --rollback-at shadow-read --kill-at {step}"),
        ],
        // Installs that a predecessor left unfinished.
        ("take-over", "install-first") => vec![
            "--kill-at switch/install-first".to_owned(),
            format!("--resume --kill-at {step}"),
        ],
        _ => vec![format!("--kill-at {step}")],
    }
}

/// Moves of agents, whose leases are renewed, and of shards that don't answer or come back older
/// than they were. Nothing of that is in these runs; `operator/tests/agents` has it.
fn is_of_agents(step: &str) -> bool {
    ["step-back/", "tend/", "quarantine/", "readmit/"]
        .iter()
        .any(|goal| step.starts_with(goal))
}

/// Steps of barriers where shards check no fence, which wait for leases: too long to be met one by
/// one. `core/tests/races/unfenced.rs` has them all, and a run below has two.
fn is_of_leases(step: &str) -> bool {
    step.ends_with("/pause") || step.ends_with("/open")
}

/// Steps that need a row to be late at the right moment, which no schedule here can promise: they
/// are reached in most runs, and by the coordinator's own tests in all.
fn is_a_matter_of_luck(step: &str) -> bool {
    [
        "keys-from",
        "keys-to",
        "look-to",
        "look-from",
        "drain-read",
        "drain-apply",
    ]
    .iter()
    .any(|stage| step.ends_with(stage))
}

#[test]
fn killed_at_every_step_and_resumed_nothing_is_lost() {
    let listed = Command::new(binary())
        .args(["--kill-at", "list"])
        .output()
        .expect("the example runs");
    let steps = String::from_utf8(listed.stdout).expect("names");
    assert!(steps.lines().count() > 60, "{steps}");
    let mut missed = Vec::new();
    let met = |step: &&str| !is_of_agents(step) && !is_of_leases(step);
    for step in steps.lines().filter(met) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut died = false;
        for way in ways_to(step) {
            let output = run(folder.path(), &way);
            died = output.status.signal() == Some(9);
            if !died {
                clean(&format!("{step}, not reached by `{way}`"), &output);
                break;
            }
        }
        if died {
            clean(&format!("{step}, resumed"), &run(folder.path(), "--resume"));
        } else {
            missed.push(step);
        }
    }
    println!("not reached this time: {missed:?}");
    let expected = missed.iter().all(|step| is_a_matter_of_luck(step));
    assert!(expected, "never reached: {missed:?}");
}

#[test]
fn killed_in_a_pause_and_resumed_nothing_is_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let begins = "--unfenced --strategy big-bang --wave-slots 65536";
    for (options, step) in [(begins, "ramp/close-from"), ("--resume", "ramp/open")] {
        let output = run(folder.path(), &format!("{options} --kill-at {step}"));
        assert_eq!(output.status.signal(), Some(9), "{step} is met");
    }
    clean("resumed", &run(folder.path(), "--resume"));
}

#[test]
fn rolled_back_at_every_phase_nothing_is_lost() {
    let listed = Command::new(binary())
        .args(["--rollback-at", "list"])
        .output()
        .expect("the example runs");
    let phases = String::from_utf8(listed.stdout).expect("names");
    assert_eq!(phases.lines().count(), 5, "{phases}");
    for phase in phases.lines() {
        let folder = tempfile::tempdir().expect("a folder");
        let report = clean(
            phase,
            &run(folder.path(), &format!("--rollback-at {phase}")),
        );
        assert_eq!(report["moved"]["slots"], 0, "{phase}");
        assert_eq!(report["shards_after"], 4, "{phase}");
    }
}

#[test]
fn shards_leave_as_they_come() {
    let folder = tempfile::tempdir().expect("a folder");
    let report = clean("remove", &run(folder.path(), "--remove 1"));
    assert_eq!(
        (&report["shards_before"], &report["shards_after"]),
        (&4.into(), &3.into())
    );
    let folder = tempfile::tempdir().expect("a folder");
    let report = clean("both", &run(folder.path(), "--add 2 --remove 1"));
    assert_eq!(report["shards_after"], 5);
}
