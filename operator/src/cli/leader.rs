//! Whether somebody leads, and asking them for something.

use std::thread;
use std::time::{Duration, Instant as Clock};

use ringshift::migration::Request;
use ringshift_operator::agent::wait_heard;
use ringshift_operator::topology::{FileTopology, Record, TopologyStore};
use ringshift_operator::verify::waves;

use crate::cli::CliError;

/// The lease of a leader whose settings name none, in milliseconds.
const LEASE_MS: u32 = 2_000;
/// How much longer than half a lease a beat may be late, on a busy host.
const LATE_MS: u64 = 500;

/// Whether somebody leads: the record's beat goes on. A leader raises it every quarter of a lease,
/// so this may take half of one.
pub(super) fn is_led(topology: &FileTopology, record: &Record) -> Result<bool, CliError> {
    if record.desk.leader == 0 {
        return Ok(false);
    }
    let failed = |error| CliError::topology(topology.path())(error);
    let first = topology.standing().map_err(failed)?;
    let named = record.log.settings.as_deref().map(|s| s.lease_ms);
    let leased = waves(&record.snapshot).map(|(_, wave)| wave.lease_ms);
    let lease = leased.chain(named).fold(LEASE_MS, u32::max);
    let until = Clock::now() + Duration::from_millis(u64::from(lease) / 2 + LATE_MS);
    while Clock::now() < until {
        thread::sleep(Duration::from_millis(20));
        if topology.standing().map_err(failed)? != first {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Asks whoever leads, and waits for as long as `patience` until that was heard.
pub(super) fn ask(
    topology: &FileTopology,
    request: Request,
    patience: Duration,
) -> Result<(), CliError> {
    let failed = |error| CliError::topology(topology.path())(error);
    let number = topology.request(request).map_err(failed)?;
    if wait_heard(topology, number, patience).map_err(failed)? {
        return Ok(());
    }
    Err(CliError::Unheard(format!(
        "request {number} was not heard within {} s; it still waits, and whoever leads next does it; see that ringshift agent runs",
        patience.as_secs()
    )))
}
