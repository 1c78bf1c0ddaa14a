//! What is asked of whoever leads: an agent, or another command in the foreground.

use std::fs;
use std::time::Duration;

use ringshift::migration::{Log, Settings, Wish};

use crate::cluster::{Cluster, Running, json, settings};
use crate::{THREE, TWO, slow};

fn leased(settings: Settings) -> Settings {
    Settings {
        lease_ms: 1_000,
        margin_ms: 200,
        ..settings
    }
}

/// It says so before the record does.
fn leads(cluster: &Cluster, agent: &mut Running) {
    agent.until("\"lead\"");
    while cluster.record().desk.leader == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_plan_is_handed_to_the_agent_that_leads() {
    let cluster = Cluster::new();
    cluster.settings(&leased(settings()));
    let mut agent = cluster.agent();
    leads(&cluster, &mut agent);
    let ran = cluster.reshard(&["--yes"]).code(0);
    assert!(ran.out.contains("complete, at epoch"), "{}", ran.out);
    // The agent carried it out, and leaves the report.
    let ended = agent.until("\"complete\"");
    let folder = "c.topology.report/from-epoch-1";
    assert!(ended.contains(folder), "{ended}");
    let report = json(&cluster.path(&format!("{folder}/report.json")));
    assert_eq!(report["ending"], "complete");
    let moves = report["moves"].as_array().unwrap();
    for goal in ["copy", "switch", "finish", "delist"] {
        assert!(moves.iter().any(|line| line["goal"] == goal), "{goal}");
    }
    assert!(moves.iter().all(|line| line["goal"] != "tend"));
    assert!(report["barriers"].as_array().unwrap().len() >= 4);
    assert_eq!(cluster.record().snapshot.content().shards.len(), 3);
    cluster.is_whole(THREE);
}

#[test]
fn an_agent_is_asked_to_pause_to_go_on_and_to_go_back() {
    let cluster = Cluster::new();
    cluster.settings(&leased(slow()));
    let mut agent = cluster.agent();
    leads(&cluster, &mut agent);
    let mut running = cluster.begin(&[]);
    running.until("shadow-read");
    cluster.on("pause", &["--reason", "not now"]).code(0);
    let ran = running.end().code(4);
    assert!(ran.err.contains("not now"), "{}", ran.err);
    assert_eq!(cluster.record().log.wish, Wish::Pause);
    let said = cluster.on("pause", &[]).code(0).out;
    assert!(said.contains("paused already: not now"), "{said}");
    // Nobody has agreed to the point of no return: the agent waits before it.
    let ran = cluster.on("resume", &[]).code(4);
    assert!(
        ran.err.contains("no way back") && ran.err.contains("--yes"),
        "{}",
        ran.err
    );
    assert_eq!(cluster.record().log.wish, Wish::Forward);
    cluster
        .on("rollback", &["--reason", "changed our mind"])
        .code(0);
    assert_eq!(cluster.record().log, Log::default());
    assert_eq!(cluster.record().snapshot.content().shards.len(), 2);
    cluster.is_whole(TWO);
}

#[test]
fn an_agent_goes_past_the_point_of_no_return_when_somebody_agrees() {
    let cluster = Cluster::new();
    cluster.settings(&leased(settings()));
    let mut agent = cluster.agent();
    leads(&cluster, &mut agent);
    cluster.reshard(&[]).code(4);
    let status = cluster.on("status", &["--json"]).code(0);
    let status: serde_json::Value = serde_json::from_str(&status.out).unwrap();
    assert_eq!(status["led"], true);
    assert_eq!(status["finish_agreed"], false);
    cluster.on("resume", &["--yes"]).code(0);
    cluster.is_whole(THREE);
    cluster.on("verify", &[]).code(0);
}

#[test]
fn a_command_in_the_foreground_hears_requests_too() {
    let cluster = Cluster::new();
    cluster.settings(&slow());
    let mut running = cluster.begin(&["--yes"]);
    running.until("shadow-read");
    let dry = cluster.on("pause", &["--dry-run"]).code(0);
    assert!(dry.out.contains("would ask"), "{}", dry.out);
    cluster.on("pause", &["--reason", "lunch"]).code(0);
    let ran = running.end().code(4);
    assert!(ran.err.contains("lunch"), "{}", ran.err);
    // Nobody leads any more.
    cluster.on("resume", &["--yes"]).code(0);
    cluster.is_whole(THREE);
}

#[test]
fn without_a_leader_a_pause_says_how_to_go_on() {
    let cluster = Cluster::new();
    cluster.settings(&slow());
    let mut running = cluster.begin(&["--yes"]);
    running.until("shadow-read");
    // As if the power went.
    running.kill();
    let ran = cluster.on("pause", &[]).code(6);
    assert!(
        ran.err.contains("nobody leads") && ran.err.contains("ringshift resume"),
        "{}",
        ran.err
    );
    assert_eq!(cluster.record().log.wish, Wish::Forward);
    cluster.on("resume", &["--yes"]).code(0);
    cluster.is_whole(THREE);
}

#[test]
fn a_restored_shard_is_taken_back_only_when_somebody_says_so() {
    let cluster = Cluster::new();
    cluster.reshard(&["--yes"]).code(0);
    for end in ["", "-wal"] {
        let (file, copy) = (format!("a.db{end}"), format!("old.db{end}"));
        if cluster.path(&file).exists() {
            fs::copy(cluster.path(&file), cluster.path(&copy)).unwrap();
        }
    }
    // It answers claims meanwhile, and more of them than the restored file will have by then.
    for _ in 0..3 {
        let ran = cluster.on("readmit", &["a"]).code(1);
        assert!(ran.err.contains("isn't shut"), "{}", ran.err);
    }
    for end in ["", "-wal", "-shm"] {
        let (file, copy) = (format!("a.db{end}"), format!("old.db{end}"));
        let _ = fs::remove_file(cluster.path(&file));
        if cluster.path(&copy).exists() {
            fs::rename(cluster.path(&copy), cluster.path(&file)).unwrap();
        }
    }
    let ran = cluster.on("readmit", &["b"]).code(1);
    assert!(ran.err.contains("isn't shut"), "{}", ran.err);
    let status = cluster.on("status", &["--stores", "."]).code(0).out;
    assert!(status.contains("shard a is shut"), "{status}");
    cluster.on("readmit", &["a", "--dry-run"]).code(0);
    let ran = cluster.on("readmit", &["a"]).code(0);
    assert!(ran.out.contains("taken back"), "{}", ran.out);
    let status = cluster.on("status", &["--stores", "."]).code(0).out;
    assert!(
        !status.contains("shut") && !status.contains("told"),
        "{status}"
    );
    cluster.is_whole(THREE);
    cluster.on("readmit", &["z"]).code(1);
}
