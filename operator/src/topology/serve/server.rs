//! A listener, and a runtime that serves its connections.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;

use crate::topology::serve::http::attend;
use crate::topology::serve::source::Source;

/// Connections at a time. The next one waits until another has ended.
pub const CONNECTIONS_MAX: usize = 16_384;
/// How long to wait when the system has no room for another connection.
const ACCEPT_GAP: Duration = Duration::from_millis(50);
/// How long connections have to say their last word when the server stops.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Serves a source over TCP, on threads of its own, until it is dropped.
#[derive(Debug)]
pub struct Server {
    source: Arc<Source>,
    address: SocketAddr,
    runtime: Option<Runtime>,
}

impl Server {
    /// Listens at `address` (port 0: any free one) and serves from now on.
    ///
    /// # Errors
    /// What the system says: the address is taken, isn't this host's, or isn't one.
    pub fn start(address: impl ToSocketAddrs, source: Arc<Source>) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("ringshift-serve")
            .enable_all()
            .build()?;
        let entered = runtime.enter();
        let listener = TcpListener::from_std(listener)?;
        drop(entered);
        runtime.spawn(accept(listener, Arc::clone(&source)));
        Ok(Self {
            source,
            address,
            runtime: Some(runtime),
        })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns when the user interrupts the process (Ctrl-C).
    ///
    /// # Errors
    /// What the system says when it can't tell.
    pub fn until_interrupted(&self) -> io::Result<()> {
        match &self.runtime {
            Some(runtime) => runtime.block_on(tokio::signal::ctrl_c()),
            None => Ok(()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.source.close();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(LAST_WORDS);
        }
    }
}

async fn accept(listener: TcpListener, source: Arc<Source>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    // The semaphore is never closed.
    while let Ok(place) = Arc::clone(&room).acquire_owned().await {
        match listener.accept().await {
            Ok((connection, _)) => {
                let source = Arc::clone(&source);
                tokio::spawn(async move {
                    attend(connection, source).await;
                    drop(place);
                });
            }
            // Too many files are open, or the client has gone again.
            Err(_) => tokio::time::sleep(ACCEPT_GAP).await,
        }
    }
}
