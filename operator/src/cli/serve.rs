//! `ringshift serve`.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use ringshift_operator::topology::serve::{Follow, Server, Source};

use crate::cli::CliError;

/// How often the file is looked at.
const INTERVAL: Duration = Duration::from_millis(50);

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// The topology file; what a coordinator puts in its place is handed out at once
    #[arg(long, value_name = "FILE")]
    topology: PathBuf,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:4750")]
    listen: String,
}

pub(super) fn run(arguments: &Serve, out: &mut dyn Write) -> Result<(), CliError> {
    let source = Arc::new(Source::new());
    let follow = Follow::start(&arguments.topology, Arc::clone(&source), INTERVAL)
        .map_err(CliError::topology(&arguments.topology))?;
    let server = Server::start(&arguments.listen, source).map_err(|error| {
        let address = &arguments.listen;
        CliError::Refused(format!(
            "can't listen at `{address}`: {error}; give another `--listen ADDRESS:PORT`"
        ))
    })?;
    let address = server.address();
    writeln!(
        out,
        "serving http://{address}/topology, and a page at http://{address}/; Ctrl-C stops it"
    )?;
    out.flush()?;
    server.until_interrupted().map_err(|error| {
        CliError::Refused(format!("the system doesn't say when to stop: {error}"))
    })?;
    drop(follow);
    drop(server);
    writeln!(out, "stopped")?;
    Ok(())
}
