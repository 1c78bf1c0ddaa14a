//! What goes over the wire.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use ringshift::ErrorCode;
use ringshift::record::advance;
use ringshift_operator::topology::serve::{Follow, KEPT, Server, Source, SourceAnswer, tag_of};
use ringshift_operator::topology::{FileTopology, TopologyStore};

use crate::{advanced, first, forked};

/// The head, in lower case, and the body of the answer to one request.
fn ask(server: &Server, method: &str, path: &str, headers: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let request =
        format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let end = bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let body = bytes.split_off(end + 4);
    (String::from_utf8(bytes).unwrap().to_lowercase(), body)
}

fn served() -> (Arc<Source>, Server) {
    let source = Arc::new(Source::new());
    let server = Server::start("127.0.0.1:0", source.clone()).unwrap();
    (source, server)
}

#[test]
fn whole_unchanged_and_delta_say_what_they_are() {
    let (source, server) = served();
    let get = |headers: &str| ask(&server, "GET", "/topology", headers);
    assert!(get("").0.starts_with("http/1.1 404"));
    let one = first("demo");
    source.put(one.clone()).unwrap();
    let (head, body) = get("");
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(
        head.contains(&format!("\netag: {}\r", tag_of(&one))),
        "{head}"
    );
    assert_eq!(body, one.encode());
    let knows = format!("if-none-match: \"1-00\", {}\r\n", tag_of(&one));
    let (head, body) = get(&knows);
    assert!(head.starts_with("http/1.1 304"), "{head}");
    assert_eq!(body, b"");

    let two = advanced(&one);
    source.put(two.clone()).unwrap();
    assert_eq!(
        get(&knows).1,
        two.encode(),
        "a delta is only for who asks for one"
    );
    for asks in [
        "a-im: ringshift-delta\r\n",
        "a-im: gzip, ringshift-delta\r\n",
    ] {
        let (head, body) = get(&format!("{knows}{asks}"));
        assert!(head.starts_with("http/1.1 226"), "{head}");
        for header in [
            format!("\netag: {}\r", tag_of(&two)),
            format!("\ndelta-base: {}\r", tag_of(&one)),
            "\nim: ringshift-delta\r".to_owned(),
            format!("\ncontent-length: {}\r", body.len()),
        ] {
            assert!(head.contains(&header), "{header} isn't in {head}");
        }
        assert!(body.len() <= 128);
        assert_eq!(*advance(&one, &body).unwrap(), *two);
    }
    let unknown = "if-none-match: \"1-00\"\r\na-im: ringshift-delta\r\n";
    assert!(get(unknown).0.starts_with("http/1.1 200"));
    assert_eq!(source.figures().encoded, 1);
}

#[test]
fn a_long_poll_is_answered_when_there_is_news_when_it_is_over_and_when_the_server_stops() {
    let (source, server) = served();
    let one = first("demo");
    source.put(one.clone()).unwrap();
    let waits = |seconds: u32| {
        let tag = tag_of(&one);
        format!(
            "if-none-match: {tag}\r\na-im: ringshift-delta\r\nprefer: respond-async, wait={seconds}\r\n"
        )
    };
    let begun = Instant::now();
    assert!(
        ask(&server, "GET", "/topology", &waits(1))
            .0
            .starts_with("http/1.1 304")
    );
    assert!(begun.elapsed() >= Duration::from_secs(1));
    let status = |server: &Server, seconds| ask(server, "GET", "/topology", &waits(seconds)).0;
    thread::scope(|scope| {
        let poll = scope.spawn(|| status(&server, 30));
        thread::sleep(Duration::from_millis(100));
        assert_eq!(source.figures().waiting, 1);
        source.put(advanced(&one)).unwrap();
        assert!(poll.join().unwrap().starts_with("http/1.1 226"));
    });
    assert!(begun.elapsed() < Duration::from_secs(10));
    let (source, server) = served();
    source.put(one.clone()).unwrap();
    thread::scope(|scope| {
        let poll = scope.spawn(|| status(&server, 30));
        thread::sleep(Duration::from_millis(100));
        source.close();
        assert!(poll.join().unwrap().starts_with("http/1.1 304"));
    });
    drop(server);
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[test]
fn only_forward_and_the_last_ones_are_kept() {
    let source = Source::new();
    let mut all = vec![first("demo")];
    source.put(all[0].clone()).unwrap();
    assert_eq!(source.put(all[0].clone()), Ok(false));
    let fork = forked(&all[0]);
    for _ in 0..KEPT + 5 {
        let next = advanced(all.last().unwrap());
        assert_eq!(source.put(next.clone()), Ok(true));
        all.push(next);
    }
    let code = |snapshot| source.put(snapshot).unwrap_err().code();
    assert_eq!(code(all[3].clone()), ErrorCode::OlderSnapshot);
    assert_eq!(code(first("other")), ErrorCode::ForeignCluster);
    let newest = all.last().unwrap();
    for (n, base) in all.iter().enumerate() {
        let left = all.len() - n;
        match source.answer(&[&tag_of(base)], true) {
            SourceAnswer::Unchanged { .. } => assert_eq!(left, 1),
            SourceAnswer::Delta {
                bytes, base: tag, ..
            } => {
                assert!((2..=KEPT).contains(&left), "{left}");
                assert_eq!(tag, tag_of(base));
                assert_eq!(*advance(base, &bytes).unwrap(), **newest);
            }
            SourceAnswer::Whole { bytes, .. } => {
                assert!(left > KEPT, "{left}");
                assert_eq!(bytes, newest.encode());
            }
            SourceAnswer::Missing => panic!("there is one"),
        }
    }
    // Who has the other side of a fork gets the whole, and hears of it when he installs it.
    assert!(matches!(
        source.answer(&[&tag_of(&fork)], true),
        SourceAnswer::Whole { .. }
    ));
    assert_eq!(source.figures().encoded, KEPT as u64 - 1);
}

#[test]
fn a_page_a_status_and_nothing_else() {
    let (source, server) = served();
    let get = |path: &str| ask(&server, "GET", path, "");
    let (head, page) = get("/");
    assert!(head.contains("text/html") && page.starts_with(b"<!doctype html>"));
    let status = |body: &[u8]| serde_json::from_slice::<serde_json::Value>(body).unwrap();
    assert!(status(&get("/status.json").1)["cluster"].is_null());
    source.put(first("demo")).unwrap();
    let now = status(&get("/status.json").1);
    assert_eq!(now["cluster"], "demo");
    let space = &now["keyspaces"][0];
    assert_eq!(space["waves"][0]["phase"], "prepare");
    let lengths = space["ring"]
        .as_array()
        .unwrap()
        .iter()
        .map(|arc| arc[1].as_u64().unwrap());
    assert_eq!(lengths.sum::<u64>(), 1_024);
    assert!(get("/etc/passwd").0.starts_with("http/1.1 404"));
    let (head, body) = ask(&server, "HEAD", "/topology", "");
    assert!(head.starts_with("http/1.1 200") && body.is_empty());
    let (head, _) = ask(&server, "DELETE", "/topology", "");
    assert!(head.starts_with("http/1.1 405") && head.contains("\nallow: get, head\r"));
}

#[test]
fn a_file_is_followed_and_trouble_with_it_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("topology");
    let one = first("demo");
    let source = Arc::new(Source::new());
    let every = Duration::from_millis(5);
    let missing = Follow::start(&path, source.clone(), every).unwrap_err();
    assert_eq!(missing.code(), "topology_missing");

    fs::write(&path, one.encode()).unwrap();
    let follow = Follow::start(&path, source.clone(), every).unwrap();
    assert_eq!(source.newest(), Some(one.clone()));
    let until = |what: &str, done: &dyn Fn() -> bool| {
        let end = Instant::now() + Duration::from_secs(10);
        while !done() {
            assert!(Instant::now() < end, "{what} never comes");
            thread::sleep(every);
        }
    };
    let replace = |bytes: &[u8]| {
        let new = folder.path().join("new");
        fs::write(&new, bytes).unwrap();
        fs::rename(&new, &path).unwrap();
    };
    let two = advanced(&one);
    replace(&two.encode());
    until("the second", &|| source.newest() == Some(two.clone()));
    replace(b"{");
    until("trouble", &|| source.last_trouble().is_some());
    replace(&forked(&one).encode());
    until("the fork", &|| {
        source
            .last_trouble()
            .is_some_and(|text| text.contains("second writer"))
    });
    assert_eq!(source.newest(), Some(two.clone()));
    // A coordinator's record, from here on.
    let three = advanced(&two);
    fs::remove_file(&path).unwrap();
    until("its absence", &|| {
        source
            .last_trouble()
            .is_some_and(|text| text.contains("no topology"))
    });
    FileTopology::new(&path).create(&three).unwrap();
    until("the record", &|| source.newest() == Some(three.clone()));
    until("the end of trouble", &|| source.last_trouble().is_none());
    drop(follow);
}
