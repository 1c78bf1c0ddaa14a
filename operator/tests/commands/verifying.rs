//! `ringshift verify`, and what somebody planted.

use serde_json::Value;

use crate::cluster::Cluster;
use crate::{THREE, slow};

/// The first wave is in shadow-read: copied, and compared by nobody.
fn paused() -> Cluster {
    let cluster = Cluster::new();
    cluster.settings(&slow());
    let mut running = cluster.begin(&["--yes"]);
    running.until("shadow-read");
    running.interrupt();
    running.end().code(4);
    cluster
}

fn mismatches(objects: &[Value]) -> Vec<(&str, &str)> {
    let waves = objects.iter().filter(|object| object["event"] == "wave");
    let all = waves.flat_map(|wave| wave["mismatches"].as_array().unwrap());
    all.map(|m| (m["key"].as_str().unwrap(), m["kind"].as_str().unwrap()))
        .collect()
}

#[test]
fn a_planted_difference_is_found_and_named() {
    let cluster = paused();
    let fine = cluster.on("verify", &["--json"]).code(0).objects();
    assert_eq!(fine[0]["state"], "equal");
    let rows = fine[0]["rows"].as_u64().unwrap();
    assert!(rows > 20, "{rows}");
    let first = "(SELECT min(key) FROM ringshift_row)";
    let last = "(SELECT max(key) FROM ringshift_row)";
    let changed = cluster.meddle(
        "c",
        &format!("UPDATE ringshift_row SET value = x'00' WHERE key = {first}"),
    );
    let gone = cluster.meddle(
        "c",
        &format!("DELETE FROM ringshift_row WHERE key = {last}"),
    );
    assert_eq!((changed, gone), (1, 1));
    let ran = cluster.on("verify", &["--json", "--settle", "10"]).code(3);
    let objects = ran.objects();
    let kinds: Vec<_> = mismatches(&objects).iter().map(|m| m.1).collect();
    assert_eq!(kinds, ["different", "missing"]);
    assert_eq!(objects.last().unwrap()["wrong"], 2);
    let people = cluster.on("verify", &["--settle", "10"]).code(3);
    assert!(people.out.contains("different user:"), "{}", people.out);
    assert!(people.err.contains("2 keys"), "{}", people.err);
    // A rollback never asks the side that was meddled with.
    cluster.on("rollback", &[]).code(0);
    cluster.on("verify", &[]).code(0);
}

#[test]
fn a_row_on_the_wrong_shard_is_found_and_named() {
    let cluster = Cluster::new();
    cluster.reshard(&["--yes"]).code(0);
    cluster.is_whole(THREE);
    let path = cluster.path("a.db");
    let attach = "INSERT INTO ringshift_row SELECT * FROM other.ringshift_row LIMIT 1";
    let connection = rusqlite::Connection::open(cluster.path("b.db")).unwrap();
    let path = path.to_str().unwrap();
    connection.execute("ATTACH ?1 AS other", [path]).unwrap();
    assert_eq!(connection.execute(attach, []).unwrap(), 1);
    drop(connection);
    let ran = cluster.on("verify", &["--json"]).code(3);
    let objects = ran.objects();
    let astray: Vec<_> = objects.iter().filter(|o| o["astray"] == 1).collect();
    assert_eq!(astray.len(), 1);
    assert_eq!(astray[0]["shard"], "b");
    assert_eq!(astray[0]["strays"][0]["belongs"], "a");
    let people = cluster.on("verify", &["--keyspace", "k"]).code(3);
    assert!(people.out.contains("belongs to a"), "{}", people.out);
    cluster.on("verify", &["--keyspace", "z"]).code(1);
}
