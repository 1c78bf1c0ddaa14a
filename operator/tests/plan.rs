//! `ringshift plan`: what people type, the table, the JSON that a coordinator begins with.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::path::Path;
use std::process::{Command, Output};

use ringshift::migration::{Plan, Strategy};
use ringshift_operator::plan::read_plan;
use ringshift_operator::topology::read_snapshot;

fn ringshift(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ringshift"))
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap()
}

#[track_caller]
fn fine(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[track_caller]
fn refused(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code));
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let names = ["1=pg-1", "2=pg-2", "3=pg-3", "4=pg-4"];
    let mut arguments = vec!["init", "t.json", "--keyspace", "users", "--bits", "8"];
    names
        .iter()
        .for_each(|name| arguments.extend(["--shard", name]));
    fine(&ringshift(folder.path(), &arguments));
    folder
}

#[test]
fn whole_slots_go_to_a_new_server() {
    let folder = folder();
    let sizes = r#"{"users":{"keys":2560000,"bytes":256000000000}}"#;
    std::fs::write(folder.path().join("sizes.json"), sizes).unwrap();
    let arguments = [
        "plan",
        "--from",
        "t.json",
        "--add-shard",
        "pg-5",
        "--move-slots",
        "users:1-50=pg-5",
        "--strategy",
        "over-shard-move",
        "--sizes",
        "sizes.json",
        "--rate",
        "50MB",
        "-o",
        "plan.json",
    ];
    let text = fine(&ringshift(folder.path(), &arguments));
    for part in [
        "strategy over-shard-move",
        "50 of 256 slots move (19.5 %)",
        "pg-5        0     50",
        "500000 keys, 50.0 GB",
        "wrote plan.json",
        "a later add, remove or reweight moves them too",
        "only whole slots move",
    ] {
        assert!(text.contains(part), "`{part}` isn't in:\n{text}");
    }
    let plan = read_plan(&folder.path().join("plan.json")).unwrap();
    let snapshot = read_snapshot(&folder.path().join("t.json")).unwrap();
    plan.check(&snapshot).unwrap();
    assert_eq!(plan.log.strategy, Strategy::OverShardMove);
    assert_eq!(
        plan.time.copy_ms,
        plan.waves.iter().map(|wave| wave.copy_ms).sum()
    );
    // The same on standard output.
    let mut json = arguments[..arguments.len() - 2].to_vec();
    json.push("--json");
    let printed = fine(&ringshift(folder.path(), &json));
    assert_eq!(serde_json::from_str::<Plan>(&printed).unwrap(), plan);
}

#[test]
fn the_strategy_that_fits_is_taken_when_asked() {
    let folder = folder();
    let arguments = [
        "plan",
        "--topology",
        "t.json",
        "--remove-shard",
        "pg-2",
        "--strategy",
        "advise",
        "--risk",
        "low",
    ];
    let text = fine(&ringshift(folder.path(), &arguments));
    assert!(
        text.contains("strategy canary") && text.contains("0.1 %, 1 % and 10 %"),
        "{text}"
    );
}

#[test]
fn tenants_and_files_of_wishes() {
    let folder = folder();
    let arguments = [
        "plan",
        "--topology",
        "t.json",
        "--move-prefix",
        "users:acme:=pg-2",
    ];
    let text = fine(&ringshift(folder.path(), &arguments));
    assert!(text.contains("the prefix `acme:`"), "{text}");
    std::fs::write(
        folder.path().join("wish.json"),
        r#"{"drain":[4],"balance":"keep"}"#,
    )
    .unwrap();
    let arguments = ["plan", "--topology", "t.json", "--wish", "wish.json"];
    let text = fine(&ringshift(folder.path(), &arguments));
    assert!(text.contains("64 of 256 slots move"), "{text}");
}

#[test]
fn what_cannot_be_meant_says_what_can() {
    let folder = folder();
    let plan = |more: &[&str]| {
        ringshift(
            folder.path(),
            &[&["plan", "--topology", "t.json"], more].concat(),
        )
    };
    assert!(refused(&plan(&[]), 1).contains("nothing is wished"));
    assert!(refused(&plan(&["--strategy", "hope"]), 2).contains("maintenance-window"));
    assert!(refused(&plan(&["--move-slots", "users=1"]), 2).contains("users:1-50,77=pg-5"));
    assert!(refused(&plan(&["--move-slots", "users:300=pg-1"]), 1).contains("0 to 255 (plan)"));
    assert!(refused(&plan(&["--remove-shard", "pg-9"]), 1).contains("no shard `pg-9`"));
    assert!(refused(&plan(&["--grow-bits", "users=21"]), 1).contains("at most 20"));
    assert!(refused(&plan(&["--rate", "fast", "--remove-shard", "pg-1"]), 2).contains("50MB"));
    std::fs::write(folder.path().join("not.json"), "{}").unwrap();
    assert!(read_plan(&folder.path().join("not.json")).is_err());
    assert!(read_plan(&folder.path().join("none.json")).is_err());
}
