//! Ctrl-C: the first asks, the second leaves.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::cli::CliError;

/// The exit code of whoever leaves at once, as of a process that the signal kills.
const LEFT_AT_ONCE: i32 = 130;

/// Whether somebody has pressed Ctrl-C, or the system wants the process to end.
#[derive(Clone, Debug, Default)]
pub(super) struct Interrupts {
    asked: Arc<AtomicBool>,
}

impl Interrupts {
    /// Listens from now on. The second time, the process says `leaving` and ends with 130.
    pub(super) fn listen(leaving: String) -> Result<Self, CliError> {
        let failed = |error: io::Error| {
            CliError::Refused(format!("the system doesn't say when to stop: {error}"))
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        let interrupts = Self::default();
        let asked = Arc::clone(&interrupts.asked);
        let (ready, listens) = std::sync::mpsc::channel();
        thread::Builder::new()
            .name("interrupts".to_owned())
            .spawn(move || {
                runtime.block_on(async move {
                    let mut signals = match Signals::new() {
                        Ok(signals) => signals,
                        Err(error) => return ready.send(Err(error)).unwrap_or_default(),
                    };
                    // Nobody waits any more when the command is over already.
                    let _ = ready.send(Ok(()));
                    while signals.next().await {
                        if asked.swap(true, Ordering::SeqCst) {
                            let _ = writeln!(io::stderr(), "\nringshift: {leaving}");
                            std::process::exit(LEFT_AT_ONCE);
                        }
                    }
                });
            })
            .map_err(failed)?;
        let begun = listens.recv().unwrap_or(Ok(()));
        begun.map_err(failed)?;
        Ok(interrupts)
    }

    pub(super) fn asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> bool {
        let heard = tokio::select! {
            heard = self.interrupt.recv() => heard,
            heard = self.terminate.recv() => heard,
        };
        heard.is_some()
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    #[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> bool {
        tokio::signal::ctrl_c().await.is_ok()
    }
}
