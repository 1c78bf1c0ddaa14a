//! Ten thousand clients that wait for news.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ringshift::record::advance;
use ringshift::{Installed, Phase, Router};
use ringshift_operator::topology::serve::{Source, attend, tag_of};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::{advanced, first};

const CLIENTS: usize = 10_000;
/// What they hear of, one after the other.
const PHASES: [Phase; 3] = [Phase::DoubleWrite, Phase::ReadNew, Phase::Reversed];

/// Status and body of the next answer.
async fn answer(stream: &mut DuplexStream) -> (u16, Vec<u8>) {
    let mut bytes = Vec::new();
    let end = loop {
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "it hung up");
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
    };
    let mut body = bytes.split_off(end + 4);
    let head = String::from_utf8(bytes).unwrap().to_lowercase();
    let status = head.get(9..12).unwrap().parse().unwrap();
    let length = head.split("content-length: ").nth(1).unwrap_or("0");
    let length: usize = length.lines().next().unwrap().trim().parse().unwrap();
    while body.len() < length {
        assert_ne!(stream.read_buf(&mut body).await.unwrap(), 0, "it hung up");
    }
    (status, body)
}

/// Who is told when all clients have the news.
type Everybody = Arc<std::sync::Mutex<Option<oneshot::Sender<()>>>>;

/// One client: follows the source until it is closed. `heard` counts who has the news in force.
async fn follow(
    mut stream: DuplexStream,
    mut router: Router,
    heard: Arc<AtomicUsize>,
    all: Everybody,
) -> usize {
    let mut refreshes = 0;
    loop {
        let tag = tag_of(router.snapshot());
        let request = format!(
            "GET /topology HTTP/1.1\r\nhost: x\r\nif-none-match: {tag}\r\n\
             a-im: ringshift-delta\r\nprefer: wait=60\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let (status, body) = answer(&mut stream).await;
        if status == 304 {
            return refreshes;
        }
        assert_eq!(status, 226);
        refreshes += 1;
        let snapshot = advance(router.snapshot(), &body).unwrap();
        assert_eq!(router.install(snapshot), Ok(Installed::Replaced));
        assert_eq!(
            router.keyspace("orders").unwrap().waves()[0].phase,
            PHASES[refreshes - 1]
        );
        if (heard.fetch_add(1, Ordering::AcqRel) + 1).is_multiple_of(CLIENTS)
            && let Some(all) = all.lock().unwrap().take()
        {
            all.send(()).unwrap();
        }
    }
}

/// The connections are pipes in memory, and all else is what serves sockets: a process may have
/// some thousand files open, and twice ten thousand are more.
///
/// Of three phases the fastest counts: another process may take a busy machine's cores for a while.
#[test]
fn ten_thousand_clients_hear_of_a_phase_within_two_seconds_from_one_encoding() {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let source = Arc::new(Source::new());
        let base = first("demo");
        source.put(base.clone()).unwrap();
        let router = Router::new(base.clone());
        let heard = Arc::new(AtomicUsize::new(0));
        let all = Everybody::default();
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let (ours, theirs) = duplex(1_024);
                tokio::spawn(attend(theirs, source.clone()));
                tokio::spawn(follow(ours, router.clone(), heard.clone(), all.clone()))
            })
            .collect();
        let patience = Instant::now() + Duration::from_secs(60);
        let waiting = async || {
            while source.figures().waiting < CLIENTS as u64 {
                assert!(
                    Instant::now() < patience,
                    "they don't come: {:?}",
                    source.figures()
                );
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        waiting().await;

        let (mut now, mut best) = (base, Duration::MAX);
        for (round, phase) in (1..).zip(PHASES) {
            let (tell, everybody) = oneshot::channel();
            *all.lock().unwrap() = Some(tell);
            now = advanced(&now);
            let begun = Instant::now();
            source.put(now.clone()).unwrap();
            everybody.await.unwrap();
            let took = begun.elapsed();
            println!("{CLIENTS} clients heard of {phase} in {took:?}");
            best = best.min(took);

            // All wait again, and nobody has asked more often than once.
            waiting().await;
            let figures = source.figures();
            assert_eq!(
                (figures.deltas, figures.encoded),
                (CLIENTS as u64 * round, round)
            );
            assert_eq!((figures.whole, figures.unchanged), (0, 0));
        }
        assert!(best < Duration::from_secs(2), "it took {best:?} at best");

        source.close();
        for client in clients {
            assert_eq!(client.await.unwrap(), PHASES.len());
        }
    });
}
