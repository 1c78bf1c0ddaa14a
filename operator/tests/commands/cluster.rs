//! A cluster of files with rows in it, and the binary to work on it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command as Process, Output, Stdio};
use std::sync::Arc;

use ringshift::migration::command::{Answer, Command};
use ringshift::migration::{Settings, home_installs};
use ringshift::{Outcome, Policy, ShardId, Term};
use ringshift_operator::client::{Client, Stores};
use ringshift_operator::store::{Change, Chunks, SqliteStore, Store};
use ringshift_operator::topology::{FileTopology, Record, TopologyStore};
use serde_json::Value;

pub(crate) const KEYS: u32 = 300;

/// Two shards with rows on them, and a plan that adds a third.
pub(crate) struct Cluster {
    folder: tempfile::TempDir,
}

pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    #[track_caller]
    pub(crate) fn code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        self
    }

    /// Every line is an object.
    #[track_caller]
    pub(crate) fn objects(&self) -> Vec<Value> {
        let lines = self.out.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

pub(crate) fn settings() -> Settings {
    Settings {
        shadow_ms: 0,
        ramps_ppm: vec![500_000, 1_000_000],
        ramp_ms: 0,
        reversed_ms: 0,
        chunk_rows: 16,
        lag_rows_max: 16,
        ..Settings::default()
    }
}

impl Cluster {
    pub(crate) fn new() -> Self {
        let cluster = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let init = ["init", "t.json", "--keyspace", "k", "--bits", "6"];
        let shards = ["--shard", "1=a", "--shard", "2=b"];
        cluster.run(&[&init[..], &shards].concat()).code(0);
        cluster
            .run(&["init", "c.topology", "--from", "t.json"])
            .code(0);
        let plan = ["plan", "--topology", "c.topology", "-o", "plan.json"];
        cluster
            .run(&[&plan[..], &["--add-shard", "c"]].concat())
            .code(0);
        let snapshot = cluster.record().snapshot;
        for (id, name) in [(1, "a"), (2, "b")] {
            let shard = ShardId(id);
            let install = Command::Install {
                shard,
                term: Term(0),
                rows: home_installs(&snapshot, shard),
            };
            let done = cluster.store(name).command(&install, &Chunks::new());
            assert_eq!(done, Answer::Done);
        }
        let client = cluster.client(&[(1, "a"), (2, "b")]);
        for n in 0..KEYS {
            let keyspace = client.keyspace("k").unwrap();
            let written = keyspace.write(&key(n), Change::Put(&key(n))).unwrap();
            assert!(matches!(written.outcome, Outcome::Written { .. }));
        }
        cluster.settings(&settings());
        cluster
    }

    /// What `--settings settings.json` says from now on.
    pub(crate) fn settings(&self, settings: &Settings) {
        let text = serde_json::to_string(settings).unwrap();
        fs::write(self.path("settings.json"), text).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn store(&self, name: &str) -> Arc<SqliteStore> {
        Arc::new(SqliteStore::open(self.path(&format!("{name}.db"))).unwrap())
    }

    pub(crate) fn record(&self) -> Record {
        FileTopology::new(self.path("c.topology")).load().unwrap()
    }

    fn client(&self, shards: &[(u32, &str)]) -> Client {
        let topology = Arc::new(FileTopology::new(self.path("c.topology")));
        let snapshot = topology.load().unwrap().snapshot;
        let stores = shards.iter().map(|(id, name)| {
            let store: Arc<dyn Store> = self.store(name);
            (ShardId(*id), store)
        });
        let stores: Stores = stores.collect();
        Client::new(snapshot, stores, topology, Policy::default(), 7)
    }

    /// Every key has its value.
    #[track_caller]
    pub(crate) fn is_whole(&self, shards: &[(u32, &str)]) {
        let client = self.client(shards);
        for n in 0..KEYS {
            let ended = client.keyspace("k").unwrap().get(&key(n)).unwrap();
            let value = ended.found.and_then(|found| found.value);
            assert_eq!(value, Some(key(n)), "key {n}");
        }
    }

    fn process(&self, arguments: &[&str]) -> Process {
        let mut process = Process::new(env!("CARGO_BIN_EXE_ringshift"));
        process
            .current_dir(self.folder.path())
            .args(arguments)
            .stdin(Stdio::null());
        process
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.process(arguments).output().unwrap().into()
    }

    /// The same, on this cluster's record.
    pub(crate) fn on(&self, command: &str, more: &[&str]) -> Ran {
        let arguments = [&[command, "--topology", "c.topology"], more].concat();
        self.run(&arguments)
    }

    pub(crate) fn reshard(&self, more: &[&str]) -> Ran {
        let plan = ["plan.json", "--settings", "settings.json"];
        self.on("reshard", &[&plan[..], more].concat())
    }

    /// Begins to reshard, and goes on meanwhile.
    pub(crate) fn begin(&self, more: &[&str]) -> Running {
        let begin = ["reshard", "plan.json", "--settings", "settings.json"];
        self.start(&[&begin[..], more].concat())
    }

    /// An agent of these settings.
    pub(crate) fn agent(&self) -> Running {
        self.start(&["agent", "--settings", "settings.json"])
    }

    /// The status, whenever it changes.
    pub(crate) fn watch(&self) -> Running {
        self.start(&["status", "--watch", "--every", "50"])
    }

    fn start(&self, arguments: &[&str]) -> Running {
        let on = ["--topology", "c.topology", "--json"];
        let mut child = self
            .process(&[arguments, &on].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Running { child, lines }
    }

    /// Changes a shard's file behind its guard's back.
    pub(crate) fn meddle(&self, name: &str, sql: &str) -> usize {
        let path = self.path(&format!("{name}.db"));
        let connection = rusqlite::Connection::open(path).unwrap();
        connection.execute(sql, []).unwrap()
    }
}

pub(crate) fn key(n: u32) -> Vec<u8> {
    format!("user:{n}").into_bytes()
}

/// The binary at work, killed at the latest when the test is over.
pub(crate) struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Running {
    /// Reads on until a line has that in it.
    #[track_caller]
    pub(crate) fn until(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(self.lines.read_line(&mut line).unwrap(), 0, "no {text}");
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Whether it hasn't ended.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Ctrl-C.
    pub(crate) fn interrupt(&self) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    }

    /// kill -9.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for the end: the exit code, and what is left of the output.
    pub(crate) fn end(mut self) -> Ran {
        let mut out = String::new();
        std::io::Read::read_to_string(&mut self.lines, &mut out).unwrap();
        let mut err = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        std::io::Read::read_to_string(&mut stderr, &mut err).unwrap();
        let code = self.child.wait().unwrap().code();
        Ran { code, out, err }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}
