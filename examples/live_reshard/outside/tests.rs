use std::fs;
use std::path::Path;

use super::*;

/// A client that does nothing but say what is asked of one.
fn client(folder: &Path) -> String {
    let script = folder.join("client.sh");
    let text =
        "echo ready; cat > /dev/null; echo '{\"operations\":3,\"retries\":1,\"refreshes\":2}'";
    fs::write(&script, text).expect("written");
    format!("sh {}", script.display())
}

fn line(kind: &str, value: &str, time_ns: u64) -> String {
    format!(
        "{{\"process\":1000000,\"type\":\"{kind}\",\"f\":\"write\",\"key\":\"k\",\"value\":\"{value}\",\"time_ns\":{time_ns}}}\n"
    )
}

fn start(folder: &Path, harm: Harm) -> Outsiders {
    let record = Record {
        key: "k".to_owned(),
        value: b"\x00\xff".to_vec(),
    };
    let commands = vec![client(folder)];
    Outsiders::start(&commands, harm, folder, &[record], 7).expect("started")
}

#[test]
fn a_client_is_frozen_thawed_and_heard() {
    let folder = tempfile::tempdir().expect("a folder");
    let harm = Harm {
        freeze: Some(1),
        ..Harm::default()
    };
    let mut outsiders = start(folder.path(), harm);
    let records = fs::read_to_string(folder.path().join("records.jsonl")).expect("written");
    assert_eq!(records, "[\"k\",\"00ff\"]\n");
    for phase in [Phase::ShadowRead, Phase::ReadNew, Phase::Reversed] {
        outsiders.reached(phase).expect("harmed");
    }
    outsiders.stop().expect("stopped");
    // One operation by the machine's clock; a second one was never answered.
    let history =
        line("invoke", "5", 1_000) + &line("ok", "5", 1_100) + &line("invoke", "6", 1_200);
    fs::write(folder.path().join("outside-1.jsonl"), history).expect("written");
    let keys = ["k".to_owned()];
    let (figures, ops) = outsiders.histories(&keys, 900, 50).expect("read");
    let said = figures.first().expect("one client");
    assert_eq!(
        (said.operations, said.unknown, said.retries, said.refreshes),
        (2, 1, 1, 2)
    );
    assert_eq!(said.fate, "frozen");
    let times: Vec<_> = ops
        .iter()
        .map(|op| (op.invoke_ns, op.complete_ns))
        .collect();
    assert_eq!(times, [(150, 250), (350, 350)]);
}

#[test]
fn a_client_is_killed() {
    let folder = tempfile::tempdir().expect("a folder");
    let harm = Harm {
        kill: Some(1),
        ..Harm::default()
    };
    let mut outsiders = start(folder.path(), harm);
    outsiders.reached(Phase::ReadNew).expect("killed");
    outsiders.stop().expect("stopped");
    fs::write(
        folder.path().join("outside-1.jsonl"),
        line("invoke", "5", 9),
    )
    .expect("written");
    let (figures, _) = outsiders.histories(&["k".to_owned()], 0, 0).expect("read");
    assert_eq!(
        figures.first().map(|said| said.fate.as_str()),
        Some("killed")
    );
}

#[test]
fn what_was_to_be_harmed_and_was_not_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let harm = Harm {
        kill: Some(1),
        ..Harm::default()
    };
    assert!(start(folder.path(), harm).stop().is_err());
    let beyond = Harm {
        kill: Some(2),
        ..Harm::default()
    };
    let commands = [client(folder.path())];
    assert!(Outsiders::start(&commands, beyond, folder.path(), &[], 7).is_err());
}
