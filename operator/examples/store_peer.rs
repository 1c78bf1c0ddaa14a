//! A client in a process of its own, told by lines on its standard input what to do: what the
//! tests of other languages share SQLite files with.
//!
//! `cargo run -p ringshift-operator --example store_peer -- TOPOLOGY FOLDER KEYSPACE`; a shard's
//! file is `FOLDER/NAME.db`. Each line is answered by one:
//!
//! | Line | Does |
//! |---|---|
//! | `create` | tells each shard of a new cluster which slots are its own |
//! | `record FILE` | makes a topology record of the same snapshot |
//! | `put KEY VALUE` | writes; answers the version |
//! | `get KEY` | answers version and value, or `missing` |
//! | `delete KEY` | deletes; answers the version |
//! | `add KEY TIMES` | adds 1 to a number so many times, each by a put-if that is repeated until it fits |
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test's tool stops at the first surprise"
)]

use std::env::args;
use std::io::{Write, stdin, stdout};
use std::path::Path;
use std::sync::Arc;

use ringshift::migration::command::{Answer, Command};
use ringshift::migration::home_installs;
use ringshift::{Outcome, Policy, Term, Version};
use ringshift_operator::client::{Client, ClientKeyspace, Ended, Stores};
use ringshift_operator::store::{Change, Chunks, SqliteStore};
use ringshift_operator::topology::{FileTopology, MemoryTopology, TopologyStore, read_snapshot};

fn main() {
    let arguments: Vec<String> = args().skip(1).collect();
    let [topology, folder, keyspace] = arguments.as_slice() else {
        panic!("give a topology, a folder and a keyspace");
    };
    let snapshot = Arc::new(read_snapshot(Path::new(topology)).unwrap());
    let source = MemoryTopology::new();
    source.create(&snapshot).unwrap();
    let mut stores = Stores::new();
    for shard in &snapshot.content().shards {
        let path = Path::new(folder).join(format!("{}.db", shard.name));
        stores.insert(shard.id, Arc::new(SqliteStore::open(path).unwrap()));
    }
    let create = || {
        for (&shard, store) in &stores {
            let rows = home_installs(&snapshot, shard);
            let term = Term(1);
            let install = Command::Install { shard, term, rows };
            assert_eq!(store.command(&install, &Chunks::default()), Answer::Done);
        }
    };
    let name = u64::from(std::process::id()) << 32 | 1;
    let client = Client::new(
        Arc::clone(&snapshot),
        stores.clone(),
        Arc::new(source),
        Policy::default(),
        name,
    );
    let keyspace = client.keyspace(keyspace).unwrap();
    for line in stdin().lines() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        let answer = match words.as_slice() {
            ["create"] => {
                create();
                "created".to_owned()
            }
            ["record", file] => {
                FileTopology::new(file).create(&snapshot).unwrap();
                "made".to_owned()
            }
            ["put", key, value] => written(&keyspace, key, Change::Put(value.as_bytes())),
            ["delete", key] => written(&keyspace, key, Change::Delete),
            ["get", key] => match number(&keyspace.get(key.as_bytes()).unwrap()) {
                Some((version, value)) => format!("{version} {value}"),
                None => "missing".to_owned(),
            },
            ["add", key, times] => {
                for _ in 0..times.parse().unwrap() {
                    add(&keyspace, key);
                }
                "added".to_owned()
            }
            _ => panic!("no such line: {line}"),
        };
        println!("{answer}");
        stdout().flush().unwrap();
    }
}

fn written(keyspace: &ClientKeyspace<'_>, key: &str, change: Change<'_>) -> String {
    match keyspace.write(key.as_bytes(), change).unwrap().outcome {
        Outcome::Written { version, .. } => version.to_i64().to_string(),
        other => panic!("{other:?}"),
    }
}

/// Version and value that a read found.
fn number(ended: &Ended) -> Option<(i64, String)> {
    match ended.outcome {
        Outcome::Missing => None,
        Outcome::Value { version, .. } => {
            let value = ended.found.as_ref().unwrap().value.clone().unwrap();
            Some((version.to_i64(), String::from_utf8(value).unwrap()))
        }
        other => panic!("{other:?}"),
    }
}

fn add(keyspace: &ClientKeyspace<'_>, key: &str) {
    loop {
        let found = number(&keyspace.get(key.as_bytes()).unwrap());
        let (expected, before) = match found {
            Some((version, value)) => (Version::from_i64(version), value.parse().unwrap()),
            None => (None, 0_u64),
        };
        let value = (before + 1).to_string();
        let value = value.as_bytes();
        let change = Change::PutIf { expected, value };
        match keyspace.write(key.as_bytes(), change).unwrap().outcome {
            Outcome::Written { .. } => return,
            Outcome::Conflict { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}
