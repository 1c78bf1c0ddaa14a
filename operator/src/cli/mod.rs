//! The command line: what may be said, and how it ends.

mod adopt;
mod advise;
mod agent;
mod ask;
mod carry;
mod error;
mod explain;
mod follow;
mod health;
mod init;
mod interrupt;
mod keys;
mod leader;
mod output;
mod plan;
mod progress;
mod readmit;
mod reshard;
mod route;
mod serve;
mod show;
mod status;
mod stores;
mod story;
mod verify;
mod wish;
mod words;

use std::ffi::OsString;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

pub(crate) use error::CliError;

const ENDING: &str = "\
Exit codes:
    0  done
    1  refused or failed; standard error says why, and what to do
    2  the command line was not understood
    3  verify has found keys that differ, or rows astray
    4  the migration is paused, or waits for somebody's word; or reshard no longer looks on
    5  the migration went back to where it began, by itself or at somebody else's wish
    6  nobody leads, or who leads has not heard the request in time
  130  a second Ctrl-C: left at once, the migration stands as it is

A topology file is a topology in JSON, a snapshot's bytes, or a coordinator's record; which of
them is told by how it begins.";

/// Route keys to shards, and see where they are.
#[derive(Debug, Parser)]
#[command(name = "ringshift", version, after_help = ENDING)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a new topology file, with a seed drawn at random
    #[command(after_help = ENDING)]
    Init(init::Init),
    /// Print `key<TAB>slot<TAB>shard` for each key
    #[command(after_help = ENDING)]
    Route(Lookup),
    /// Print each step from a key to its shards
    #[command(after_help = ENDING)]
    Explain(Lookup),
    /// Bring the rows of a system that shards already under a shard's guard, where they are
    #[command(after_help = ENDING)]
    Adopt(adopt::Adopt),
    /// Say from loads and sizes what is wrong, and which wish mends it
    #[command(after_help = ENDING)]
    Advise(advise::Advise),
    /// Lead when nobody else does, and run whatever migration is wished; stand by otherwise
    #[command(after_help = ENDING)]
    Agent(agent::Agent),
    /// Print the shards, their shares of the slots, and the waves
    #[command(after_help = ENDING)]
    Show(show::Show),
    /// Say what a change would move, how, for how long, and whether it can be undone; changes nothing
    #[command(after_help = ENDING)]
    Plan(Box<plan::Plan>),
    /// Begin a plan, and carry it out in the foreground; Ctrl-C pauses it
    #[command(after_help = ENDING)]
    Reshard(Box<reshard::Reshard>),
    /// Say where a migration stands, what it waits for, and what comes next
    #[command(after_help = ENDING)]
    Status(status::Status),
    /// Have a migration pause after its present move, in a safe state
    #[command(after_help = ENDING)]
    Pause(ask::Pause),
    /// Go on with a migration that was paused
    #[command(after_help = ENDING)]
    Resume(ask::Resume),
    /// Take a migration back to where it began
    #[command(name = "rollback", after_help = ENDING)]
    RollBack(ask::RollBack),
    /// Take back a shard that was shut because its file is older than it was
    #[command(after_help = ENDING)]
    Readmit(ask::Readmit),
    /// Compare both sides of each wave, and look for rows on shards that shouldn't have them
    #[command(after_help = ENDING)]
    Verify(verify::Verify),
    /// Hand the routing state out over HTTP, until Ctrl-C
    #[command(after_help = ENDING)]
    Serve(serve::Serve),
}

/// What `route` and `explain` have in common.
#[derive(Debug, Args)]
struct Lookup {
    /// The topology file
    #[arg(long, value_name = "FILE")]
    topology: PathBuf,
    /// The keyspace; may be left out when there is only one
    #[arg(long, value_name = "NAME")]
    keyspace: Option<String>,
    /// Keys are composites: their parts stand between this text
    #[arg(long, value_name = "SEPARATOR")]
    split: Option<String>,
    /// One JSON object a key
    #[arg(long)]
    json: bool,
    /// The keys; without any, one a line from standard input
    #[arg(value_name = "KEY")]
    keys: Vec<OsString>,
}

/// Runs the binary.
pub(crate) fn main() -> ExitCode {
    // Clap prints help and usage errors itself, and exits with 0 and 2.
    let cli = Cli::parse();
    let mut out = BufWriter::new(io::stdout().lock());
    let result = run(cli.command, &mut out);
    let flushed = out.flush();
    match result.and_then(|()| Ok(flushed?)) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads has seen enough, as `head` has.
        Err(CliError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(error) => {
            // With standard error gone there is nobody left to tell.
            let _ = writeln!(io::stderr(), "ringshift: {}", error.text());
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(command: Command, out: &mut dyn Write) -> Result<(), CliError> {
    match command {
        Command::Agent(agent) => agent::run(&agent, out),
        Command::Init(init) => init::run(&init, out),
        Command::Route(keys) => route::run(&keys, out),
        Command::Explain(keys) => explain::run(&keys, out),
        Command::Advise(advise) => advise::run(&advise, out),
        Command::Adopt(adopt) => adopt::run(&adopt, out),
        Command::Show(show) => show::run(&show, out),
        Command::Plan(plan) => plan::run(&plan, out),
        Command::Reshard(reshard) => reshard::run(&reshard, out),
        Command::Status(status) => status::run(&status, out),
        Command::Pause(pause) => ask::pause(&pause, out),
        Command::Readmit(readmit) => ask::readmit(&readmit, out),
        Command::Resume(resume) => ask::resume(&resume, out),
        Command::RollBack(back) => ask::roll_back(&back, out),
        Command::Verify(verify) => verify::run(&verify, out),
        Command::Serve(serve) => serve::run(&serve, out),
    }
}
