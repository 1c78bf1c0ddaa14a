//! What is recorded is what the checker and the file get, also after a kill.

use std::fs;
use std::io::Write;
use std::sync::Arc;

use super::*;

fn keys() -> Arc<[String]> {
    ["a", "quote\" and ü"].map(String::from).into()
}

fn v(id: u64) -> ValueId {
    ValueId::new(id).expect("not 0")
}

/// A client that does one of everything.
fn play(recorders: &Recorders) -> Recorder {
    let mut client = recorders.client();
    client.read(0, 10).expect("recorded");
    client.found(None, 20);
    client.write(1, v(7), 20).expect("recorded");
    client.ok(30);
    client.write_if(1, Some(v(7)), v(8), 40).expect("recorded");
    client.fail(50);
    client.write_if(0, None, v(9), 60).expect("recorded");
    client.info(70);
    client.delete(1, 80).expect("recorded");
    client.ok(90);
    client.read(0, 100).expect("recorded");
    client.found(Some(v(9)), 110);
    client
}

const FILE: &str = r#"{"process":0,"type":"invoke","f":"read","key":"a","value":null,"time_ns":10}
{"process":0,"type":"ok","f":"read","key":"a","value":null,"time_ns":20}
{"process":0,"type":"invoke","f":"write","key":"quote\" and ü","value":"7","time_ns":21}
{"process":0,"type":"ok","f":"write","key":"quote\" and ü","value":"7","time_ns":30}
{"process":0,"type":"invoke","f":"write","key":"quote\" and ü","value":"8","time_ns":40,"expect":"7"}
{"process":0,"type":"fail","f":"write","key":"quote\" and ü","value":"8","time_ns":50}
{"process":0,"type":"invoke","f":"write","key":"a","value":"9","time_ns":60,"expect":null}
{"process":0,"type":"info","f":"write","key":"a","value":"9","time_ns":70}
{"process":1,"type":"invoke","f":"delete","key":"quote\" and ü","value":null,"time_ns":80}
{"process":1,"type":"ok","f":"delete","key":"quote\" and ü","value":null,"time_ns":90}
{"process":1,"type":"invoke","f":"read","key":"a","value":null,"time_ns":100}
{"process":1,"type":"ok","f":"read","key":"a","value":"9","time_ns":110}
"#;

#[test]
fn an_operation_is_small() {
    assert!(size_of::<Op>() <= 64, "{}", size_of::<Op>());
}

#[test]
fn saved_and_journalled_histories_are_the_same_and_load_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let (saved, journal) = (folder.path().join("saved"), folder.path().join("journal"));
    let ops = play(&Recorders::in_memory()).finish().expect("finished");
    save(&saved, &ops, &keys()).expect("saved");
    assert_eq!(fs::read_to_string(&saved).expect("read"), FILE);

    let recorders = create(&journal, keys()).expect("created");
    assert_eq!(play(&recorders).finish().expect("finished"), ops);
    assert_eq!(fs::read_to_string(&journal).expect("read"), FILE);

    let loaded = load(&journal, &keys()).expect("loaded");
    assert_eq!(loaded.ops, ops);
    assert_eq!((loaded.last_ns, loaded.next_process), (110, 2));
    assert_eq!(
        (loaded.value_max, loaded.unfinished, loaded.torn),
        (9, 0, 0)
    );
}

#[test]
fn a_history_is_saved_in_the_order_of_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("history");
    let recorders = Recorders::in_memory();
    let (mut one, mut two) = (recorders.client(), recorders.client());
    one.write(0, v(1), 10).expect("recorded");
    two.write(0, v(2), 15).expect("recorded");
    two.ok(30);
    one.ok(40);
    let mut ops = one.finish().expect("finished");
    ops.extend(two.finish().expect("finished"));
    save(&path, &ops, &keys()).expect("saved");
    let text = fs::read_to_string(&path).expect("read");
    let times: Vec<&str> = text.lines().filter_map(|l| l.rsplit(':').next()).collect();
    assert_eq!(times, ["10}", "15}", "30}", "40}"]);
}

#[test]
fn a_killed_journal_goes_on_with_what_was_open_unknown() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("journal");
    let recorders = create(&path, keys()).expect("created");
    let mut killed = play(&recorders);
    killed.write(0, v(12), 200).expect("recorded");
    // The kill: nothing is finished or flushed, and another client's line is cut in the middle.
    std::mem::forget(killed);
    let mut file = fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .expect("open");
    file.write_all(br#"{"process":5,"type":"invo"#)
        .expect("written");

    let (recorders, loaded) = resume(&path, keys()).expect("resumed");
    assert_eq!((loaded.unfinished, loaded.torn), (1, 1));
    assert_eq!((loaded.value_max, loaded.next_process), (12, 2));
    let last = loaded.ops.last().expect("the open one");
    assert_eq!((last.value, last.outcome), (Some(v(12)), Outcome::Info));
    let mut client = recorders.client();
    client.read(0, 300).expect("recorded");
    client.found(Some(v(12)), 310);
    client.finish().expect("finished");

    let again = load(&path, &keys()).expect("loaded");
    assert_eq!((again.unfinished, again.torn), (0, 0));
    assert_eq!(again.ops.len(), 8);
    assert_eq!(again.ops.last().expect("the last").process, 2);
}

#[test]
fn a_torn_line_with_another_behind_it_costs_only_itself() {
    let torn = FILE.replace(
        "{\"process\":1,\"type\":\"invoke\",\"f\":\"delete\"",
        "{\"process\":7,\"type\":\"inv{\"process\":1,\"type\":\"invoke\",\"f\":\"delete\"",
    );
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("journal");
    fs::write(&path, torn).expect("written");
    let loaded = load(&path, &keys()).expect("loaded");
    assert_eq!((loaded.ops.len(), loaded.torn), (6, 1));
}

#[test]
fn what_is_no_history_is_refused_with_its_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("history");
    let first = FILE.lines().next().expect("a line");
    let second = FILE.lines().nth(1).expect("a line");
    for (text, expected) in [
        ("what\n".to_owned(), "history line 1: expected value"),
        (format!("{second}\n"), "history line 1: process 0 completes"),
        (
            format!("{first}\n{first}\n"),
            "history line 2: process 0 begins",
        ),
        (
            first.replace("\"a\"", "\"z\"") + "\n",
            "history line 1: the key `z`",
        ),
        (
            first.replace("null", "\"0\"") + "\n",
            "history line 1: the value `0` is no number",
        ),
    ] {
        fs::write(&path, text).expect("written");
        let error = load(&path, &keys()).expect_err("refused").to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn ends_without_a_beginning_are_no_ops() {
    let mut client = Recorders::in_memory().client();
    client.ok(5);
    assert_eq!(client.len(), 0);
    client.read(0, 10).expect("recorded");
    client.read(0, 20).expect("recorded");
    client.found(None, 30);
    client.found(None, 40);
    let ops = client.finish().expect("finished");
    let outcomes: Vec<Outcome> = ops.iter().map(|op| op.outcome).collect();
    assert_eq!(outcomes, [Outcome::Info, Outcome::Ok]);
}
