//! The binary, as people run it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that fails should say where"
)]

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

const DEMO: &str = r#"{"cluster":"demo","keyspaces":{"orders":{"bits":8}},
    "shards":[{"id":1,"name":"pg-1","zone":"a"},{"id":2,"name":"pg-2","weight":3}]}"#;

struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn run_with(arguments: &[&str], input: &[u8]) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ringshift"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // The binary may end without reading all of it.
    let feeder = std::thread::spawn(move || stdin.write_all(&input).is_ok());
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn run(arguments: &[&str]) -> Ran {
    run_with(arguments, b"")
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        fs::write(self.path(name), content).unwrap();
        text(&self.path(name))
    }
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_new_topology_routes_at_once_and_is_never_overwritten() {
    let folder = Folder::new();
    let file = text(&folder.path("t.json"));
    let arguments = [
        "init",
        &file,
        "--cluster",
        "c",
        "--keyspace",
        "users",
        "--shards",
        "3",
    ];
    let made = run(&arguments);
    assert_eq!((made.code, made.err.as_str()), (0, ""));
    assert!(made.out.contains("ringshift route --topology"));
    let before = fs::read(&file).unwrap();
    let again = run(&arguments);
    assert_eq!(again.code, 1);
    assert!(again.err.contains("exists already"), "{}", again.err);
    assert_eq!(fs::read(&file).unwrap(), before);

    let other = text(&folder.path("u.json"));
    run(&[
        "init",
        &other,
        "--cluster",
        "c",
        "--keyspace",
        "users",
        "--shards",
        "3",
    ]);
    assert_ne!(fs::read(&other).unwrap(), before, "another seed");

    let routed = run(&["route", "--topology", &file, "a", "b"]);
    assert_eq!(routed.code, 0);
    assert_eq!(routed.out.lines().count(), 2);
    assert!(routed.out.starts_with("a\t"), "{}", routed.out);
}

#[test]
fn shards_may_have_weight_and_zone() {
    let folder = Folder::new();
    let file = text(&folder.path("t.json"));
    let made = run(&[
        "init",
        &file,
        "--shard",
        "7=pg-7,2.5,eu",
        "--shard",
        "9=pg-9,,us",
        "--shard",
        "11=x",
    ]);
    assert_eq!(made.code, 0, "{}", made.err);
    let json: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(json["shards"][0]["weight"], 2.5);
    assert_eq!(json["shards"][1]["zone"], "us");
    for wrong in ["7", "x=a", "7=", "7=a,heavy", "7=a,nan"] {
        let ran = run(&["init", &text(&folder.path("no.json")), "--shard", wrong]);
        assert_eq!(ran.code, 2, "{wrong}");
        assert!(ran.err.contains("1=pg-1"), "{}", ran.err);
    }
    for wrong in [
        &["--shard", "1=a,-1"][..],
        &["--shard", "1=a", "--shard", "1=b"],
        &["--shards", "17", "--bits", "4"],
        &["--shards", "2", "--bits", "3"],
    ] {
        let no = text(&folder.path("no.json"));
        let ran = run(&[&["init", &no], wrong].concat());
        assert_eq!(ran.code, 1, "{wrong:?} {}", ran.err);
    }
    assert!(!folder.path("no.json").exists());
    assert_eq!(run(&["init", "x", "--shards", "0"]).code, 2);
    assert_eq!(run(&["init", "x"]).code, 2);
}

#[test]
fn keys_come_from_the_command_line_or_one_a_line() {
    let folder = Folder::new();
    let file = folder.file("t.json", DEMO);
    let arguments = run(&["route", "--topology", &file, "user:1", "user:2", "naïve"]);
    let lines = run_with(
        &["route", "--topology", &file],
        "user:1\nuser:2\r\nnaïve".as_bytes(),
    );
    assert_eq!((arguments.code, lines.code), (0, 0));
    assert_eq!(arguments.out, lines.out);
    let nothing = run(&["route", "--topology", &file]);
    assert_eq!((nothing.code, nothing.out.as_str()), (0, ""));
}

#[test]
fn json_has_one_object_a_key() {
    let folder = Folder::new();
    let file = folder.file("t.json", DEMO);
    let ran = run_with(&["route", "--topology", &file, "--json"], b"a\n\xff\n");
    let lines: Vec<Value> = ran
        .out
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(lines[0]["key"], "a");
    assert!(lines[0]["shard"].is_string() && lines[0]["slot"].is_u64());
    assert_eq!(lines[1]["key_hex"], "ff");
}

#[test]
fn explain_agrees_with_route() {
    let folder = Folder::new();
    let file = folder.file("t.json", DEMO);
    let route: Value =
        serde_json::from_str(&run(&["route", "--topology", &file, "--json", "a"]).out).unwrap();
    let ran = run(&["explain", "--topology", &file, "--json", "a"]);
    let explain: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(explain["slot"], route["slot"]);
    assert_eq!(explain["authority"], route["shard"]);
    let people = run(&["explain", "--topology", &file, "a", "b"]).out;
    assert!(
        people.contains("slot      ") && people.contains("\n\nkey       b"),
        "{people}"
    );
}

#[test]
fn composites_are_split_where_told() {
    let folder = Folder::new();
    let json = DEMO.replace(r#"{"bits":8}"#, r#"{"bits":8,"key":{"parts":1}}"#);
    let file = folder.file("t.json", json);
    let ran = run(&[
        "route",
        "--topology",
        &file,
        "--split",
        "/",
        "acme/1",
        "acme/2",
    ]);
    let slots: Vec<_> = ran
        .out
        .lines()
        .map(|l| l.split('\t').nth(1).unwrap())
        .collect();
    assert_eq!(slots[0], slots[1]);
    let whole = run(&["route", "--topology", &file, "acme/1"]);
    assert_eq!(whole.code, 1);
    assert!(whole.err.contains("key_parts"), "{}", whole.err);
    assert_eq!(
        run(&["route", "--topology", &file, "--split", "", "a"]).code,
        2
    );
}

#[test]
fn show_has_shares_against_the_ideal() {
    let folder = Folder::new();
    let file = folder.file("t.json", DEMO);
    let people = run(&["show", "--topology", &file]);
    assert!(
        people.out.contains("pg-2") && people.out.contains("75.00 %"),
        "{}",
        people.out
    );
    assert!(!people.out.contains('█'), "no picture into a pipe");
    let json: Value =
        serde_json::from_str(&run(&["show", "--topology", &file, "--json"]).out).unwrap();
    assert_eq!(json["keyspaces"][0]["shards"][0]["slots"], 64);
    assert_eq!(json["keyspaces"][0]["shards"][0]["ideal"], 64.0);
}

#[test]
fn a_snapshot_s_bytes_and_a_record_are_read_as_well() {
    use ringshift_operator::topology::{FileTopology, TopologyStore, snapshot_from};
    let folder = Folder::new();
    let snapshot = snapshot_from(DEMO.as_bytes()).unwrap();
    let json = folder.file("t.json", DEMO);
    let bytes = folder.file("t.snapshot", snapshot.encode());
    let record = folder.path("t.record");
    FileTopology::new(&record).create(&snapshot).unwrap();
    let ask = |file: &str| run(&["route", "--topology", file, "a", "b", "c"]).out;
    assert_eq!(ask(&json), ask(&bytes));
    assert_eq!(ask(&json), ask(&text(&record)));
}

#[test]
fn bad_topologies_are_refused_with_a_reason_and_code_1() {
    let folder = Folder::new();
    let snapshot = ringshift_operator::topology::snapshot_from(DEMO.as_bytes())
        .unwrap()
        .encode();
    let mut flipped = snapshot.clone();
    flipped[60] ^= 1;
    let shard = |text: &str| {
        DEMO.replace(r#"{"id":2,"name":"pg-2","weight":3}"#, text)
            .into_bytes()
    };
    for (what, content, says) in [
        ("empty", Vec::new(), "neither"),
        (
            "no shards",
            br#"{"cluster":"d","keyspaces":{"k":{}},"shards":[]}"#.to_vec(),
            "shard",
        ),
        (
            "no keyspace",
            br#"{"cluster":"d","keyspaces":{},"shards":[{"id":1,"name":"a"}]}"#.to_vec(),
            "keyspace",
        ),
        ("half of JSON", DEMO.as_bytes()[..40].to_vec(), "JSON"),
        (
            "unknown field",
            shard(r#"{"id":2,"name":"b","wieght":3}"#),
            "wieght",
        ),
        (
            "infinite weight",
            shard(r#"{"id":2,"name":"b","weight":1e999}"#),
            "number out of range",
        ),
        (
            "negative weight",
            shard(r#"{"id":2,"name":"b","weight":-1}"#),
            "weight",
        ),
        ("same name", shard(r#"{"id":2,"name":"pg-1"}"#), "name"),
        (
            "cut snapshot",
            snapshot[..snapshot.len() / 2].to_vec(),
            "bytes",
        ),
        ("damaged snapshot", flipped, "digest"),
        ("an image", b"\x89PNG\r\n".to_vec(), "neither"),
    ] {
        let file = folder.file("bad", content);
        for command in ["route", "explain", "show"] {
            let ran = run(&[command, "--topology", &file]);
            assert_eq!(ran.code, 1, "{what}");
            assert!(ran.err.contains(says), "{what}: {}", ran.err);
            assert!(
                ran.err.starts_with("ringshift: ") && ran.err.contains("bad"),
                "{}",
                ran.err
            );
            assert_eq!(ran.out, "");
        }
    }
    let missing = run(&["show", "--topology", "no-such-file"]);
    assert_eq!(missing.code, 1);
    assert!(missing.err.contains("ringshift init"), "{}", missing.err);
}

#[test]
fn bad_keys_are_named_and_the_others_go_on() {
    let folder = Folder::new();
    let file = folder.file("t.json", DEMO);
    let mut input = vec![b'x'; 10 * 1024 * 1024];
    input.extend_from_slice(b"\nshort\n");
    let ran = run_with(&["route", "--topology", &file], &input);
    assert_eq!(ran.code, 1);
    assert_eq!(ran.out.lines().count(), 1);
    assert!(ran.out.starts_with("short\t"));
    assert!(
        ran.err.contains("10485760 bytes") && ran.err.contains("key_too_long"),
        "{}",
        ran.err
    );
    assert!(ran.err.len() < 500);
}

#[test]
fn an_unknown_keyspace_is_refused_with_those_there_are() {
    let folder = Folder::new();
    let file = folder.file("t.json", DEMO);
    let ran = run(&["route", "--topology", &file, "--keyspace", "oders", "a"]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.err.contains("`oders`") && ran.err.contains("orders"),
        "{}",
        ran.err
    );
    let two = folder.file(
        "two.json",
        DEMO.replace(r#""orders":{"bits":8}"#, r#""a":{},"b":{}"#),
    );
    let ran = run(&["route", "--topology", &two, "a"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("a, b"), "{}", ran.err);
}

#[test]
fn help_has_the_exit_codes_and_usage_errors_are_code_2() {
    for arguments in [&["--help"][..], &["route", "--help"], &["init", "--help"]] {
        let ran = run(arguments);
        assert_eq!(ran.code, 0);
        assert!(ran.out.contains("Exit codes"), "{}", ran.out);
    }
    assert_eq!(run(&[]).code, 2);
    assert_eq!(run(&["rout"]).code, 2);
    assert_eq!(run(&["route"]).code, 2);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let folder = Folder::new();
    let file = folder.file("t.json", DEMO);
    let mut child = Command::new(env!("CARGO_BIN_EXE_ringshift"))
        .args(["route", "--topology", &file])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let feeder = std::thread::spawn(move || {
        let lines = b"a-key\n".repeat(100_000);
        stdin.write_all(&lines).is_ok()
    });
    let mut first = [0; 8];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}
