//! A migration from the command line, over real files: begun, interrupted, gone on with, taken
//! back, verified.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]

mod agents;
mod cluster;
mod verifying;

use std::fs;
use std::time::Duration;

use cluster::{Cluster, json, settings};
use ringshift::migration::{Log, Settings, Wish};

const TWO: &[(u32, &str)] = &[(1, "a"), (2, "b")];
const THREE: &[(u32, &str)] = &[(1, "a"), (2, "b"), (3, "c")];

/// Reads are compared for so long that there is time to press keys.
fn slow() -> Settings {
    Settings {
        shadow_ms: 1_500,
        ..settings()
    }
}

#[test]
fn a_plan_is_carried_out_to_its_end() {
    let cluster = Cluster::new();
    let ran = cluster
        .reshard(&["--yes", "--json", "--report", "told"])
        .code(0);
    let objects = ran.objects();
    let progress: Vec<_> = objects
        .iter()
        .filter(|object| object["event"] == "progress")
        .collect();
    assert!(
        progress
            .iter()
            .any(|p| p["waves"][0]["rows"].as_u64() > Some(0))
    );
    assert!(progress.iter().all(|p| p["mismatches"] == 0));
    let pauses = objects.iter().filter(|object| object["event"] == "pause");
    assert!(
        pauses.count() >= 4,
        "two waves, each with a ramp and a switch"
    );
    let last = objects.last().unwrap();
    assert_eq!(
        (&last["event"], &last["ending"]),
        (&"ended".into(), &"complete".into())
    );

    let report = json(&cluster.path("told/report.json"));
    assert_eq!(report["ending"], "complete");
    let goals: Vec<_> = report["moves"].as_array().unwrap().iter().collect();
    for goal in [
        "enlist",
        "copy",
        "ramp to 50.00 %",
        "switch",
        "finish",
        "delist",
    ] {
        assert!(goals.iter().any(|line| line["goal"] == goal), "{goal}");
    }
    let text = fs::read_to_string(cluster.path("told/report.md")).unwrap();
    assert!(text.contains("# Migration: complete") && text.contains("## Timeline"));

    let status = cluster.on("status", &["--json", "--stores", "."]).code(0);
    let status: serde_json::Value = serde_json::from_str(&status.out).unwrap();
    assert_eq!(status["under_way"], false);
    let shards = status["shards"].as_array().unwrap();
    assert_eq!(shards.len(), 3);
    assert!(
        shards
            .iter()
            .all(|s| s["answers"] == true && s["owes"][0].is_null())
    );
    cluster.is_whole(THREE);
    cluster.on("verify", &[]).code(0);
}

#[test]
fn lines_for_people_say_where_the_report_is() {
    let cluster = Cluster::new();
    let ran = cluster.reshard(&["--yes"]).code(0);
    for text in [
        "a to c: ",
        "writers waited",
        "the report is in c.topology.report/from-epoch-1",
    ] {
        assert!(ran.out.contains(text), "no `{text}` in:\n{}", ran.out);
    }
    assert!(ran.out.ends_with("complete\n"), "{}", ran.out);
    assert!(
        cluster
            .path("c.topology.report/from-epoch-1/report.md")
            .exists()
    );
}

#[test]
fn nobody_is_led_past_the_point_of_no_return() {
    let cluster = Cluster::new();
    let ran = cluster.reshard(&[]).code(4);
    assert!(
        ran.err.contains("no way back") && ran.err.contains("ringshift resume"),
        "{}",
        ran.err
    );
    let record = cluster.record();
    let mut waves = record
        .snapshot
        .content()
        .keyspaces
        .iter()
        .flat_map(|k| &k.waves);
    assert!(waves.all(|wave| wave.phase == ringshift::Phase::Reversed));
    let status = cluster.on("status", &[]).code(0).out;
    assert!(
        status.contains("paused: ") && status.contains("reversed"),
        "{status}"
    );
    assert!(status.contains("next: nothing, it is paused"), "{status}");
    // Once more without a word.
    cluster.on("resume", &[]).code(4);
    cluster.on("resume", &["--yes"]).code(0);
    assert_eq!(cluster.record().log, Log::default());
    cluster.is_whole(THREE);
}

#[test]
fn ctrl_c_pauses_and_resume_goes_on() {
    let cluster = Cluster::new();
    cluster.settings(&slow());
    let mut running = cluster.begin(&["--yes"]);
    running.until("shadow-read");
    running.interrupt();
    let ran = running.end().code(4);
    assert!(
        ran.err.contains("Ctrl-C") && ran.err.contains("ringshift rollback"),
        "{}",
        ran.err
    );
    assert_eq!(cluster.record().log.wish, Wish::Pause);
    let report = cluster.path("c.topology.report/from-epoch-1/report.json");
    assert_eq!(
        json(&report)["ending"]["paused"]["reason"],
        "stopped with Ctrl-C"
    );
    cluster.is_whole(THREE);
    // The plan's name is as good as a word.
    let again = cluster.reshard(&["--dry-run"]).code(0);
    assert!(again.out.contains("go on with it"), "{}", again.out);
    cluster.reshard(&["--yes"]).code(0);
    assert_eq!(cluster.record().snapshot.content().shards.len(), 3);
    cluster.is_whole(THREE);
}

#[test]
fn a_second_ctrl_c_leaves_at_once() {
    let cluster = Cluster::new();
    cluster.settings(&slow());
    let mut running = cluster.begin(&["--yes"]);
    running.until("shadow-read");
    // The pause can't be written down.
    let lock = fs::File::options()
        .write(true)
        .open(cluster.path("c.topology.lock"))
        .unwrap();
    lock.lock().unwrap();
    running.interrupt();
    std::thread::sleep(Duration::from_millis(500));
    running.interrupt();
    let ran = running.end().code(130);
    assert!(
        ran.err.contains("left at once") && ran.err.contains("ringshift resume"),
        "{}",
        ran.err
    );
    lock.unlock().unwrap();
    assert_eq!(cluster.record().log.wish, Wish::Forward);
    cluster.on("resume", &["--yes"]).code(0);
    cluster.is_whole(THREE);
}

#[test]
fn a_rollback_says_what_it_takes_back_and_does_it() {
    let cluster = Cluster::new();
    cluster.reshard(&[]).code(4);
    let before = cluster.record();
    let said = cluster.on("rollback", &["--dry-run"]).code(0).out;
    assert!(said.contains("reversed: goes back from c to"), "{said}");
    assert!(said.contains("nothing was changed"), "{said}");
    assert_eq!(cluster.record(), before);
    let reason = ["--reason", "not today", "--report", "back"];
    let ran = cluster.on("rollback", &reason).code(0);
    assert!(ran.out.contains("rolled back"), "{}", ran.out);
    let report = json(&cluster.path("back/report.json"));
    assert_eq!(report["ending"]["rolled-back"]["reason"], "not today");
    assert_eq!(cluster.record().snapshot.content().shards.len(), 2);
    cluster.is_whole(TWO);
    cluster.on("verify", &["--stores", "{name}.db"]).code(0);
}

#[test]
fn what_is_refused_says_what_to_do() {
    let cluster = Cluster::new();
    let no = |ran: cluster::Ran, text: &str| {
        let ran = ran.code(1);
        assert!(ran.err.contains(text), "no `{text}` in: {}", ran.err);
    };
    let plan = ["reshard", "plan.json", "--topology"];
    no(
        cluster.run(&[&plan[..], &["t.json"]].concat()),
        "ringshift init RECORD --from",
    );
    no(cluster.on("resume", &[]), "no migration is under way");
    no(cluster.on("rollback", &[]), "no migration is under way");
    no(
        cluster.reshard(&["--stores", "nowhere"]),
        "can't open shard",
    );
    cluster.reshard(&["--yes"]).code(0);
    no(cluster.reshard(&["--yes"]), "plan");
    fs::rename(cluster.path("a.db"), cluster.path("elsewhere.db")).unwrap();
    no(cluster.on("verify", &[]), "--stores 'folder/{name}.db'");
}

#[test]
fn a_dry_run_changes_nothing() {
    let cluster = Cluster::new();
    let before = cluster.record();
    let ran = cluster.reshard(&["--dry-run"]).code(0);
    assert!(ran.out.contains("c.db, which would be made"), "{}", ran.out);
    let ran = cluster.reshard(&["--dry-run", "--json"]).code(0);
    assert_eq!(ran.objects()[0]["stores"][2]["exists"], false);
    assert_eq!(cluster.record(), before);
    assert!(!cluster.path("c.db").exists());
}

#[test]
fn status_watches_until_it_is_interrupted() {
    let cluster = Cluster::new();
    cluster.settings(&slow());
    let mut watching = cluster.watch();
    watching.until(r#""under_way":false"#);
    let running = cluster.begin(&["--yes"]);
    let line = watching.until(r#""phase":"shadow-read""#);
    assert!(line.contains(r#""wish":"forward""#), "{line}");
    let said = cluster.on("status", &[]).code(0).out;
    assert!(
        said.contains("goes forward") && said.contains("reads are compared"),
        "{said}"
    );
    running.interrupt();
    running.end().code(4);
    let line = watching.until(r#""wish":"pause""#);
    assert!(line.contains("stopped with Ctrl-C"), "{line}");
    assert!(
        watching.runs(),
        "it looks on, whatever becomes of the migration"
    );
    watching.interrupt();
    let ran = watching.end().code(0);
    assert!(!ran.out.contains(&line), "no change, no line: {}", ran.out);
}
