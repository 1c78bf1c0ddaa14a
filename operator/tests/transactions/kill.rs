//! A process that is killed in the middle of its transactions.

use std::env;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::bank::{Bank, TOTAL};
use crate::cluster::Cluster;

const FOLDER: &str = "RINGSHIFT_TEST_FOLDER";

/// The process that is to be killed: transfers, each told once it is committed.
#[test]
#[ignore = "runs for ever; `a_killed_process_leaves_no_half` starts it"]
fn the_process_that_is_killed() {
    let folder = env::var(FOLDER).unwrap();
    let cluster = Cluster::sqlite(Path::new(&folder));
    let client = cluster.client();
    let k = client.keyspace("k").unwrap();
    let bank = Bank::new(0);
    for n in 0.. {
        bank.transfer(&k, n * 17 + 3).unwrap();
        println!("committed {n}");
    }
}

#[test]
fn a_killed_process_leaves_no_half() {
    let folder = tempfile::tempdir().unwrap();
    {
        let cluster = Cluster::sqlite(folder.path());
        let client = cluster.client();
        Bank::new(0).open(&client.keyspace("k").unwrap());
    }
    let mut told = 0;
    for round in 0..8_u64 {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "kill::the_process_that_is_killed"])
            .args(["--ignored", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut committed = 0;
        while committed < 20 + round * 7 {
            let line = lines.next().unwrap().unwrap();
            committed += u64::from(line.contains("committed "));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let rest = lines.map_while(Result::ok);
        committed += rest.filter(|line| line.starts_with("committed ")).count() as u64;
        told += committed;
        let cluster = Cluster::sqlite(folder.path());
        let client = cluster.client();
        let (sum, count) = Bank::new(0)
            .audit(&client.keyspace("k").unwrap())
            .unwrap()
            .value;
        assert_eq!(sum, TOTAL, "round {round}");
        // What was told is there; the last one may be, too, of each round.
        assert!((told..=told + round + 1).contains(&count), "{told} {count}");
    }
}
