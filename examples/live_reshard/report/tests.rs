//! A sample report against the committed texts. To renew them after a change of the wording:
//! `RINGSHIFT_BLESS=1 cargo test -p ringshift-examples --example live_reshard report`.

use std::path::Path;

use super::*;

fn sample() -> Report {
    let step = |name: &str, at_s, took_s| Step {
        name: name.to_owned(),
        at_s,
        took_s,
    };
    Report {
        seed: 1,
        source: "25,000 cities of GeoNames (CC BY 4.0)".to_owned(),
        records: 25_000,
        clients: 8,
        shards_before: 4,
        shards_after: 5,
        strategy: None,
        wish: None,
        takeovers: 0,
        misplaced: 0,
        restored: None,
        ending: "complete".to_owned(),
        moved: Moved {
            slots_total: 65_536,
            slots: 13_107,
            keys: 5_011,
            keys_share: 0.200_44,
            keys_share_ideal: 0.2,
            keys_share_modulo: 0.8,
        },
        before: Traffic {
            operations: 1_204_551,
            operations_per_s: 120_455.1,
            p50_ms: 0.051,
            p99_ms: 0.322,
            p999_ms: 1.25,
            latency_ms_max: 7.034,
        },
        during: Traffic {
            operations: 2_000_190,
            operations_per_s: 104_119.7,
            p50_ms: 0.060_4,
            p99_ms: 0.51,
            p999_ms: 2.75,
            latency_ms_max: 31.2,
        },
        throughput_ratio: 0.864_386,
        barriers: Barriers {
            count: 205,
            pause_p50_ms: 1.12,
            pause_p99_ms: 6.4,
            pause_ms_max: 9.81,
        },
        client_gap_ms_max: 38.04,
        retries: 1_310,
        refreshes: 412,
        catch_up_lag_rows_max: 877,
        shadow_reads: 812,
        mismatches: 0,
        outside: Vec::new(),
        checked: Checked {
            operations: 3_229_741,
            keys: 25_000,
            took_s: 0.81,
            ..Checked::default()
        },
        steps: vec![
            step("wave 1: prepare", 10.02, 0.01),
            step("wave 1: backfill", 10.03, 0.4),
        ],
        duration_s: 31.26,
    }
}

#[track_caller]
fn same_as_golden(name: &str, text: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("live_reshard/report");
    let path = folder.join(name);
    if std::env::var_os("RINGSHIFT_BLESS").is_some() {
        std::fs::write(&path, text).expect("the golden file can be written");
    }
    let golden = std::fs::read_to_string(&path).expect("the golden file is there");
    assert_eq!(text, golden, "see {}", path.display());
}

#[test]
fn people_get_the_answer_first() {
    same_as_golden("good.txt", &sample().to_string());
}

#[test]
fn what_went_wrong_is_not_to_be_overlooked() {
    let mut report = sample();
    report.checked.lost = 2;
    report.checked.undecided = 1;
    report.steps = vec![Step::default(); 15];
    assert!(!report.is_clean());
    same_as_golden("bad.txt", &report.to_string());
}

#[test]
fn machines_get_stable_names() {
    let json = sample().to_json().expect("it is plain data");
    let pretty = serde_json::to_string_pretty(&sample()).expect("it is plain data");
    same_as_golden("good.json", &(pretty + "\n"));
    let back: Report = serde_json::from_str(&json).expect("the same shape");
    assert_eq!(back, sample());
}

#[test]
fn colour_is_only_put_round_words() {
    let (plain, coloured) = (sample().to_string(), sample().render(true).to_string());
    assert!(coloured.contains("\x1b[1;32mNothing was lost.\x1b[0m"));
    let mut stripped = coloured;
    for code in ["\x1b[1;32m", "\x1b[1m", "\x1b[0m"] {
        stripped = stripped.replace(code, "");
    }
    assert_eq!(stripped, plain);
}

#[test]
fn figures_come_from_what_was_measured() {
    let mut meter = Meter::new().expect("good bounds");
    for at in 0..10 {
        meter.completed(Some(Window::Before), at * 1_000_000, (at + 1) * 1_000_000);
    }
    for at in 10..18 {
        meter.completed(Some(Window::During), at * 1_000_000, (at + 1) * 1_000_000);
    }
    let mut report = Report::default();
    report.set_traffic(&meter, 1.0, 1.0);
    assert_eq!(report.before.operations, 10);
    assert!((report.throughput_ratio - 0.8).abs() < 1e-9);
    assert!(report.to_string().starts_with("NOTHING WAS CHECKED."));
    let verdict = Verdict {
        operations: 18,
        ..Verdict::default()
    };
    report.checked = Checked::new(&verdict, 0.5);
    assert!(report.is_clean());
}
