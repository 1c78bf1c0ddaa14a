//! A topology behind HTTP: conditional GETs that take a delta where there is one, and long polls.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use ringshift::limits::SNAPSHOT_BYTES_MAX;
use ringshift::record::{LOG_BYTES_MAX, advance, snapshot_in};
use ringshift::{Epoch, Snapshot};
use ureq::Agent;

use crate::topology::serve::{DELTA_NAME, tag_of};
use crate::topology::{TopologyError, TopologySource};

/// More bytes than any topology has.
const BYTES_MAX: u64 = SNAPSHOT_BYTES_MAX as u64 + LOG_BYTES_MAX + 1024;

/// The topology at a URL, to be read: the bytes of a topology record or of a snapshot, or a delta
/// from the snapshot that was read here last.
///
/// Any number of threads may share one. It speaks `http:` only: where the way is not trusted, put
/// what ends TLS beside the client.
#[derive(Debug)]
pub struct HttpTopology {
    url: String,
    agent: Agent,
    timeout: Duration,
    seen: Mutex<Option<Arc<Snapshot>>>,
}

/// What came back.
enum Got {
    Unchanged,
    Snapshot(Arc<Snapshot>),
}

impl HttpTopology {
    /// The topology at `url`. An answer may take `timeout`, beyond what it was asked to wait.
    pub fn new(url: &str, timeout: Duration) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .build();
        Self {
            url: url.to_owned(),
            agent: Agent::new_with_config(config),
            timeout,
            seen: Mutex::new(None),
        }
    }

    /// The snapshot at the URL if it is newer than that; a server that can holds the answer back
    /// for up to `wait` (in whole seconds, rounded up) until there is one.
    ///
    /// # Errors
    /// [`TopologyError::Missing`] where the server has none yet, [`TopologyError::Http`] where it
    /// doesn't answer as it should, and what is wrong with its bytes.
    pub fn watch(
        &self,
        newer_than: Epoch,
        wait: Duration,
    ) -> Result<Option<Arc<Snapshot>>, TopologyError> {
        // Who lacks what was read here last must get it, so it is no condition then.
        let seen = self
            .seen
            .lock()
            .clone()
            .filter(|seen| seen.epoch() <= newer_than);
        let got = match self.get(seen.as_deref(), true, wait) {
            // Whatever was wrong with a delta, the whole makes good.
            Ok(None) => self.get(seen.as_deref(), false, Duration::ZERO)?,
            got => got?,
        };
        let Some(Got::Snapshot(snapshot)) = got else {
            return Ok(None);
        };
        *self.seen.lock() = Some(Arc::clone(&snapshot));
        // The same epoch with other content is handed on: whoever installs it must hear of a fork.
        let same = seen.is_some_and(|seen| seen.digest() == snapshot.digest());
        let news = snapshot.epoch() > newer_than || (snapshot.epoch() == newer_than && !same);
        Ok(news.then_some(snapshot))
    }

    /// `None` for a delta that doesn't lead on.
    fn get(
        &self,
        seen: Option<&Snapshot>,
        deltas: bool,
        wait: Duration,
    ) -> Result<Option<Got>, TopologyError> {
        let mut request = self.agent.get(&self.url);
        if let Some(seen) = seen {
            request = request.header("if-none-match", tag_of(seen));
            if deltas {
                request = request.header("a-im", DELTA_NAME);
            }
        }
        if !wait.is_zero() {
            let seconds = wait.as_millis().div_ceil(1_000);
            request = request.header("prefer", format!("wait={seconds}"));
        }
        let limit = self.timeout + wait + Duration::from_secs(u64::from(!wait.is_zero()));
        let request = request.config().timeout_global(Some(limit)).build();
        let mut response = request.call().map_err(|error| self.failed(&error))?;
        let status = response.status().as_u16();
        let mut bytes = Vec::new();
        let body = response.body_mut().as_reader();
        let read = body.take(BYTES_MAX + 1).read_to_end(&mut bytes);
        let found = read.map_err(|error| self.failed(&error))? as u64;
        if found > BYTES_MAX {
            let (bytes, max) = (found, BYTES_MAX);
            return Err(TopologyError::TooLarge { bytes, max });
        }
        match (status, seen) {
            (200, _) => Ok(Some(Got::Snapshot(snapshot_in(&bytes)?))),
            (226, Some(seen)) => Ok(advance(seen, &bytes).ok().map(Got::Snapshot)),
            (304, _) => Ok(Some(Got::Unchanged)),
            (404, _) => Err(TopologyError::Missing(self.url.clone().into())),
            _ => Err(self.failed(&format!("it answered with status {status}"))),
        }
    }

    fn failed(&self, reason: &dyn std::fmt::Display) -> TopologyError {
        TopologyError::Http {
            url: self.url.clone(),
            reason: reason.to_string(),
        }
    }
}

impl TopologySource for HttpTopology {
    fn fetch(&self, newer_than: Epoch) -> Result<Option<Arc<Snapshot>>, TopologyError> {
        self.watch(newer_than, Duration::ZERO)
    }
}
