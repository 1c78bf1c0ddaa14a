//! Clients over real sockets.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ringshift::{Epoch, Snapshot};
use ringshift_operator::topology::serve::{Server, Source};
use ringshift_operator::topology::{HttpTopology, TopologySource, Watch};

use crate::{advanced, first, forked};

const TIMEOUT: Duration = Duration::from_secs(5);

fn over(server: &Server) -> HttpTopology {
    HttpTopology::new(&format!("http://{}/topology", server.address()), TIMEOUT)
}

#[test]
fn a_client_takes_the_whole_once_and_deltas_then() {
    let source = Arc::new(Source::new());
    let server = Server::start("127.0.0.1:0", source.clone()).unwrap();
    let topology = over(&server);
    assert_eq!(
        topology.fetch(Epoch::ZERO).unwrap_err().code(),
        "topology_missing"
    );
    let mut now = first("demo");
    source.put(now.clone()).unwrap();
    let mut watch = Watch::new(&topology, Epoch::ZERO, Duration::from_millis(5));
    assert_eq!(watch.poll().unwrap(), Some(now.clone()));
    assert_eq!(watch.poll().unwrap(), None);
    for _ in 0..3 {
        now = advanced(&now);
        source.put(now.clone()).unwrap();
        assert_eq!(watch.next().unwrap().unwrap(), now);
    }
    let figures = source.figures();
    assert_eq!(
        (figures.whole, figures.deltas, figures.unchanged),
        (1, 3, 1)
    );
    // Who lacks what was read last gets it again.
    assert_eq!(topology.fetch(Epoch::ZERO).unwrap(), Some(now.clone()));
    assert_eq!(source.figures().whole, 2);
}

#[test]
fn threads_hear_of_news_by_long_polls() {
    let source = Arc::new(Source::new());
    let server = Server::start("127.0.0.1:0", source.clone()).unwrap();
    let one = first("demo");
    source.put(one.clone()).unwrap();
    let two = advanced(&one);
    thread::scope(|scope| {
        for _ in 0..50 {
            let topology = over(&server);
            let (one, two) = (&one, &two);
            scope.spawn(move || {
                assert_eq!(topology.fetch(Epoch::ZERO).unwrap().as_ref(), Some(one));
                let heard = topology
                    .watch(one.epoch(), Duration::from_secs(30))
                    .unwrap();
                assert_eq!(heard.as_ref(), Some(two));
            });
        }
        while source.figures().waiting < 50 {
            thread::sleep(Duration::from_millis(5));
        }
        source.put(two.clone()).unwrap();
    });
    let figures = source.figures();
    assert_eq!((figures.deltas, figures.encoded), (50, 1));
}

/// A server that answers these, one after the other, and what it was asked.
fn scripted(answers: Vec<Vec<u8>>) -> (String, thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let asked = thread::spawn(move || {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") {
                stream.read_exact(&mut byte).unwrap();
                request.push(byte[0]);
            }
            asked.push(String::from_utf8(request).unwrap().to_lowercase());
            stream.write_all(&answer).unwrap();
        }
        asked
    });
    (url, asked)
}

fn says(status: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    [head.as_bytes(), body].concat()
}

#[test]
fn a_delta_that_does_not_hold_is_made_good_by_the_whole() {
    let one = first("demo");
    let two = advanced(&one);
    let good = one.delta(&two).unwrap().encode();
    let mut damaged = good.clone();
    *damaged.last_mut().unwrap() ^= 1;
    let elsewhere = two.delta(&advanced(&two)).unwrap().encode();
    for bad in [
        &damaged,
        &elsewhere,
        &good[..60].to_vec(),
        &b"<html>".to_vec(),
    ] {
        let (url, asked) = scripted(vec![
            says("200 OK", &one.encode()),
            says("226 IM Used", bad),
            says("200 OK", &two.encode()),
        ]);
        let topology = HttpTopology::new(&url, TIMEOUT);
        assert_eq!(topology.fetch(Epoch::ZERO).unwrap(), Some(one.clone()));
        assert_eq!(topology.fetch(one.epoch()).unwrap(), Some(two.clone()));
        let asked = asked.join().unwrap();
        assert!(!asked[0].contains("a-im") && !asked[0].contains("if-none-match"));
        assert!(asked[1].contains("a-im: ringshift-delta"));
        assert!(!asked[2].contains("a-im"));
    }
}

#[test]
fn what_is_wrong_with_an_answer_has_its_error() {
    let (one, other) = (first("demo"), first("other"));
    let fork = forked(&Snapshot::clone(&one));
    let half = &one.encode()[..60];
    for (answer, code) in [
        (says("500 Internal Server Error", b""), "topology_io"),
        (says("301 Moved\r\nlocation: /x", b""), "topology_io"),
        (
            says("226 IM Used", &one.delta(&fork).unwrap().encode()),
            "topology_io",
        ),
        (says("200 OK", b"<html>"), "topology_format"),
        (says("200 OK", half), "snapshot_format"),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\nRSHT".to_vec(),
            "topology_io",
        ),
        (b"nonsense\r\n\r\n".to_vec(), "topology_io"),
    ] {
        let (url, _) = scripted(vec![answer, says("200 OK", &one.encode())]);
        let topology = HttpTopology::new(&url, TIMEOUT);
        let error = topology.fetch(Epoch::ZERO).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert_eq!(
            topology.fetch(Epoch::ZERO).unwrap(),
            Some(one.clone()),
            "it goes on"
        );
    }
    let nobody = HttpTopology::new("http://127.0.0.1:9/", TIMEOUT);
    assert_eq!(nobody.fetch(Epoch::ZERO).unwrap_err().code(), "topology_io");
    // What is of another cluster, or a fork, is for whoever installs it to refuse.
    let (url, _) = scripted(vec![
        says("200 OK", &one.encode()),
        says("200 OK", &other.encode()),
    ]);
    let topology = HttpTopology::new(&url, TIMEOUT);
    topology.fetch(Epoch::ZERO).unwrap();
    assert_eq!(topology.fetch(one.epoch()).unwrap(), Some(other));
}
