//! Takes a shard back where nobody leads.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ringshift::ShardId;
use ringshift::migration::{Action, Coordinator, Doing, Ending, Move, Settings};
use ringshift_operator::agent::draw_nonce;
use ringshift_operator::runner::Runner;
use ringshift_operator::topology::{FileTopology, Record, TopologyStore};

use crate::cli::CliError;
use crate::cli::carry::Carry;

/// Leads for as long as it takes to readmit `shard`, and leaves a migration where it stands.
pub(super) fn take_back(
    arguments: &Carry,
    record: &Record,
    shard: ShardId,
) -> Result<(), CliError> {
    let topology = Arc::new(FileTopology::new(&arguments.topology));
    let listed = &record.snapshot.content().shards;
    let stores = arguments.shelf().all(listed, |_| false)?;
    let settings = record.log.settings.as_deref();
    let settings = Arc::new(settings.map_or_else(Settings::default, Settings::clone));
    let term = topology
        .draw_term()
        .map_err(CliError::topology(&arguments.topology))?;
    let runner = Runner::new(topology, stores);
    let nonce = draw_nonce().map_err(CliError::Input)?;
    let mut coordinator = Coordinator::new(term, settings, None, runner.now())
        .led_by(nonce)
        .that_stays();
    let mut asked = false;
    loop {
        let action = coordinator.poll();
        let busy = matches!(coordinator.status().doing, Doing::TakesOffice);
        let own = match &action {
            Action::Do { point, .. } => matches!(
                point.goal,
                Move::TakeOver | Move::Tend | Move::Quarantine | Move::Readmit
            ),
            Action::Wait { .. } => busy,
            Action::Over(_) => false,
        };
        if !own {
            let shut = coordinator.shut().any(|one| one == shard);
            match action {
                _ if shut && !asked => {
                    asked = true;
                    coordinator.readmit(shard);
                    continue;
                }
                // What it says of itself now is told to whoever leads next: that came first.
                _ if asked && !shut => return Ok(()),
                Action::Over(Ending::Stuck(error)) => {
                    return Err(CliError::Refused(format!("{error} ({})", error.code())));
                }
                Action::Over(_) => return Err(overtaken()),
                _ if !asked => {
                    let text = "the shard isn't shut, so there is nothing to take back";
                    return Err(CliError::Refused(text.to_owned()));
                }
                _ => {}
            }
        }
        match action {
            Action::Do { id, command, .. } => {
                let answer = runner.carry_out(&command);
                coordinator.handle_answer(runner.now(), id, answer);
            }
            Action::Wait { until } => {
                let ms = until.since(runner.now()).min(20);
                thread::sleep(Duration::from_millis(ms));
                coordinator.handle_timeout(runner.now());
            }
            Action::Over(_) => return Err(overtaken()),
        }
    }
}

fn overtaken() -> CliError {
    CliError::Refused("another coordinator has taken over; ask again".to_owned())
}
