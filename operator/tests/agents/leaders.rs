//! The leading agent's process is killed, or asked for something.

use std::fs;
use std::time::Duration;

use ringshift::Term;
use ringshift::migration::{Point, Request};
use ringshift_operator::agent;
use ringshift_operator::topology::TopologyStore;

use crate::cluster::{Cluster, KEYS, resumed, settings, try_read};

/// kill -9 of the leading agent, inside each kind of barrier and right after its compare-and-swap:
/// the other takes over with nobody's help, and the migration ends.
#[test]
fn a_leader_killed_inside_a_barrier_is_replaced() {
    for point in [
        "ramp/swap",
        "ramp/install-other",
        "switch/reverse",
        "switch/install-first",
    ] {
        assert!(Point::from_name(point).is_some());
        let cluster = Cluster::new();
        let path = cluster.path("settings.json");
        fs::write(&path, serde_json::to_string(&settings(0)).unwrap()).unwrap();
        let mut first = cluster.agent(&path, &["--name", "first", "--freeze-at", point]);
        first.until("lead");
        let mut second = cluster.agent(&path, &["--name", "second", "--once"]);
        second.until("standby");
        cluster.topology.request(cluster.wish()).unwrap();
        first.until("frozen");
        first.child.kill().unwrap();
        first.child.wait().unwrap();
        let client = cluster.client(cluster.stores());
        let took = resumed(&client, 1);
        assert!(took < Duration::from_secs(5), "{point}: {took:?}");
        println!("{point}: writes and reads resumed after {took:?}");
        assert!(second.until("ended").contains("complete"));
        assert!(second.child.wait().unwrap().success());
        for n in 0..KEYS {
            assert_eq!(try_read(&client, n), Some("1".to_owned()), "key {n}");
        }
        let record = cluster.topology.load().unwrap();
        assert_eq!(record.snapshot.content().shards.len(), 3);
    }
}

/// Others ask through the record; whoever leads hears them.
#[test]
fn a_request_is_heard_by_whoever_leads() {
    let cluster = Cluster::new();
    let path = cluster.path("settings.json");
    fs::write(&path, serde_json::to_string(&settings(60_000)).unwrap()).unwrap();
    let mut agent = cluster.agent(&path, &["--once"]);
    let topology = &*cluster.topology;
    let ask = |request: Request| {
        let number = topology.request(request).unwrap();
        let patience = Duration::from_secs(10);
        assert!(agent::wait_heard(topology, number, patience).unwrap());
    };
    ask(cluster.wish());
    let reason = || "not today".to_owned();
    ask(Request::Pause { reason: reason() });
    agent.until("ended");
    assert!(topology.load().unwrap().log.reason.contains("not today"));
    let mut again = cluster.agent(&path, &["--once"]);
    ask(Request::RollBack { reason: reason() });
    assert!(again.until("ended").contains("rolled-back"));
    let record = topology.load().unwrap();
    assert_eq!(record.snapshot.content().shards.len(), 2);
    assert!(topology.standing().unwrap().term > Term(1));
}
