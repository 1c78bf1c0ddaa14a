//! A shard's store in a process of its own, over a socket: what a server that can be killed needs.

use std::env;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command as Process, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use ringshift::migration::command::{Answer, ChunkId, Command};
use ringshift::store::{BatchResponse, Content, Response, StoredRow};
use ringshift::{Attempt, AttemptKind, Batch, BatchReply, DomainId, Failure, Reply};
use ringshift_operator::store::{Chunks, SqliteStore, Store};
use serde::{Deserialize, Serialize};

const FILE: &str = "RINGSHIFT_TEST_FILE";
const PATIENCE: Duration = Duration::from_secs(5);

/// What is asked of the server, in one frame.
#[derive(Serialize, Deserialize)]
enum Call<'a> {
    Attempt(
        Attempt,
        #[serde(borrow)] &'a [u8],
        #[serde(borrow)] Content<'a>,
    ),
    Batch(Batch, #[serde(borrow)] Vec<(&'a [u8], Content<'a>)>),
    /// With the rows that it applies.
    Command(Command, Vec<StoredRow>),
}

/// What it answers, in one frame.
#[derive(Serialize, Deserialize)]
enum Said {
    Attempt(Response),
    Batch(BatchResponse),
    /// With the rows that it has read.
    Command(Box<Answer>, Vec<StoredRow>),
}

/// A frame: the length of its bytes, and these.
fn send(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    stream.write_all(&length.to_le_bytes())?;
    stream.write_all(bytes)
}

fn receive(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut bytes = vec![0; u32::from_le_bytes(length) as usize];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// The store of a shard that [`Server`] serves. It keeps nothing; a request that wasn't answered
/// isn't sent again.
#[derive(Clone, Default)]
pub(crate) struct Remote {
    /// Where the server listens; it comes back on another port.
    port: Arc<AtomicU16>,
    /// How many of the application's reads have found a row there.
    read: Arc<AtomicU64>,
}

impl Remote {
    pub(crate) fn reads(&self) -> u64 {
        self.read.load(Ordering::SeqCst)
    }

    fn call(&self, call: &Call<'_>) -> Result<Said, Failure> {
        let port = self.port.load(Ordering::SeqCst);
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
        let mut stream = stream.map_err(|_| Failure::NotSent)?;
        // Where nobody listens, a socket may be given that very port, and reach itself.
        if stream.local_addr().ok() == stream.peer_addr().ok() {
            return Err(Failure::NotSent);
        }
        let ask = |stream: &mut TcpStream| {
            stream.set_read_timeout(Some(PATIENCE))?;
            let bytes = postcard::to_allocvec(call).map_err(io::Error::other)?;
            send(stream, &bytes)?;
            receive(stream)
        };
        let bytes = ask(&mut stream).map_err(|_| Failure::MaybeApplied)?;
        postcard::from_bytes(&bytes).map_err(|_| Failure::MaybeApplied)
    }

    fn command_over(&self, command: &Command, chunks: &Chunks) -> Option<Answer> {
        let rows = match command {
            Command::Apply { chunk, .. } => chunks.get(*chunk)?.to_vec(),
            _ => Vec::new(),
        };
        let said = self.call(&Call::Command(command.clone(), rows)).ok()?;
        let Said::Command(answer, rows) = said else {
            return None;
        };
        if let Some((chunk, domain)) = reads(command) {
            chunks.put(chunk, domain, rows);
        }
        Some(*answer)
    }
}

/// Where the rows go that a command reads.
fn reads(command: &Command) -> Option<(ChunkId, DomainId)> {
    match command {
        Command::Changes { fence, chunk, .. } => Some((*chunk, fence.domain)),
        _ => None,
    }
}

impl Store for Remote {
    fn attempt(&self, attempt: &Attempt, key: &[u8], content: Content<'_>) -> Response {
        let response = match self.call(&Call::Attempt(*attempt, key, content)) {
            Ok(Said::Attempt(response)) => response,
            Ok(_) => Reply::Failed(Failure::MaybeApplied).into(),
            Err(failure) => Reply::Failed(failure).into(),
        };
        let found = matches!(response.reply, Reply::Found { .. });
        if found && attempt.kind == AttemptKind::Read {
            self.read.fetch_add(1, Ordering::SeqCst);
        }
        response
    }

    fn batch(&self, batch: &Batch, requests: &[(&[u8], Content<'_>)]) -> BatchResponse {
        match self.call(&Call::Batch(batch.clone(), requests.to_vec())) {
            Ok(Said::Batch(response)) => response,
            Ok(_) => BatchReply::Failed(Failure::MaybeApplied).into(),
            Err(failure) => BatchReply::Failed(failure).into(),
        }
    }

    fn command(&self, command: &Command, chunks: &Chunks) -> Answer {
        let answer = self.command_over(command, chunks);
        answer.unwrap_or(Answer::Unreachable)
    }

    fn last_error(&self) -> Option<String> {
        None
    }
}

/// The process that serves a shard's file; killed at the latest when the test is over.
pub(crate) struct Server {
    child: Child,
}

impl Server {
    /// Starts it, and tells `remote` where it listens.
    pub(crate) fn start(file: &Path, remote: &Remote) -> Self {
        let mut child = Process::new(env::current_exe().unwrap())
            .args(["--exact", "remote::the_process_that_serves_a_shard"])
            .args(["--ignored", "--nocapture"])
            .env(FILE, file)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines
            .map_while(Result::ok)
            .find_map(|line| line.split("listens on ").nth(1)?.parse().ok());
        remote.port.store(port.unwrap(), Ordering::SeqCst);
        Self { child }
    }

    /// kill -9, of this process and no other.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        assert!(!status.success() && status.code().is_none(), "{status}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "runs for ever; `served` starts it"]
fn the_process_that_serves_a_shard() {
    let store = Arc::new(SqliteStore::open(env::var(FILE).unwrap()).unwrap());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    println!("listens on {}", listener.local_addr().unwrap().port());
    for stream in listener.incoming() {
        let store = Arc::clone(&store);
        thread::spawn(move || answer(&store, stream?));
    }
}

/// Carries out what comes over one connection.
fn answer(store: &SqliteStore, mut stream: TcpStream) -> io::Result<()> {
    loop {
        let bytes = receive(&mut stream)?;
        let call: Call<'_> = postcard::from_bytes(&bytes).map_err(io::Error::other)?;
        let said = match call {
            Call::Attempt(attempt, key, content) => {
                Said::Attempt(store.attempt(&attempt, key, content))
            }
            Call::Batch(batch, requests) => Said::Batch(store.batch(&batch, &requests)),
            Call::Command(command, rows) => {
                let chunks = Chunks::new();
                if let Command::Apply { fence, chunk, .. } = &command {
                    chunks.put(*chunk, fence.domain, rows);
                }
                let answer = store.command(&command, &chunks);
                let read = reads(&command).and_then(|(chunk, _)| chunks.get(chunk));
                {
                    let rows = read.map(|rows| rows.to_vec()).unwrap_or_default();
                    Said::Command(Box::new(answer), rows)
                }
            }
        };
        let bytes = postcard::to_allocvec(&said).map_err(io::Error::other)?;
        send(&mut stream, &bytes)?;
    }
}
