//! The command line.

use std::path::PathBuf;

use clap::Parser;
use clap::error::ErrorKind;
use ringshift::migration::Strategy;

use crate::wish::Wished;

/// Adds a shard to four `SQLite` shards under live traffic, and proves that nothing was lost.
///
/// Loads real records, starts readers and writers, runs the whole online plan, then checks every
/// acknowledged operation. Exit code 0: nothing was lost; 1: something was; 2: bad options.
#[derive(Clone, Debug, PartialEq, Eq, Parser)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
#[command(name = "live_reshard", version, max_term_width = 100)]
pub(crate) struct Options {
    /// Add this many shards [default: 1, unless --remove is given]
    #[arg(long, value_name = "SHARDS", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) add: Option<u16>,

    /// Remove this many of the four shards
    #[arg(long, value_name = "SHARDS", value_parser = clap::value_parser!(u16).range(1..=3))]
    pub(crate) remove: Option<u16>,

    /// How to carry it out: online, maintenance-window, shadow, incremental, canary, big-bang,
    /// over-shard-move, adopt
    ///
    /// Each with soaks short enough to watch. Unless told, the plan has all phases and small waves.
    #[arg(long, value_name = "STRATEGY", value_parser = strategy)]
    pub(crate) strategy: Option<Strategy>,

    /// What to do instead of adding or removing shards; online unless --strategy is given
    #[arg(long, value_name = "WISH", conflicts_with_all = ["add", "remove"])]
    pub(crate) wish: Option<Wished>,

    /// Shards that check no fence, as somebody else's server doesn't: clients act under leases
    #[arg(long, conflicts_with_all = ["outside", "all", "seeds"])]
    pub(crate) unfenced: bool,

    /// Load only the first records of the input
    #[arg(long, value_name = "COUNT", value_parser = at_least_one)]
    pub(crate) records: Option<usize>,

    /// Records of your own: CSV or JSON lines, `-` for standard input [default: 25,000 cities]
    ///
    /// The key is the column or field `id` or `key`, else the first column, else the line number.
    /// The value is the whole record.
    #[arg(long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,

    /// Clients that read and write all the time
    #[arg(long, value_name = "COUNT", default_value_t = 8,
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: u16,

    /// What every random choice is drawn from; one seed, one choice of keys and operations
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) seed: u64,

    /// Where the shards live; kept afterwards [default: a temporary folder, removed]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) dir: Option<PathBuf>,

    /// Die by a signal when the coordinator reaches this step; `list` prints all steps
    ///
    /// Go on afterwards with --resume and the same --dir.
    #[arg(long, value_name = "STEP")]
    pub(crate) kill_at: Option<String>,

    /// The same at a step drawn from the seed, among those that a rehearsal goes through
    #[arg(long, conflicts_with_all = ["resume", "kill_at"])]
    pub(crate) kill_random: bool,

    /// Only the coordinator dies, or freezes for a while, and another one takes over
    #[arg(long)]
    pub(crate) takeover: bool,

    /// Turn back at a step drawn from the seed, and end where it began
    #[arg(long, conflicts_with_all = ["resume", "rollback_at"])]
    pub(crate) turn_back_random: bool,

    /// Every strategy and every kind of wish, as --seeds does; 1 seed unless told
    #[arg(long, conflicts_with_all = ["strategy", "wish", "add", "remove"])]
    pub(crate) all: bool,

    /// Runs for each of so many seeds: one with a coordinator that falls, one that is turned back
    #[arg(long, value_name = "COUNT", conflicts_with_all =
          ["dir", "kill_at", "rollback_at", "history", "outside", "kill_random", "turn_back_random"],
          value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(crate) seeds: Option<u64>,

    /// Go on with what a killed run left in --dir
    #[arg(long, requires = "dir")]
    pub(crate) resume: bool,

    /// Turn back when this phase is reached, and end where it began; `list` prints all phases
    #[arg(long, value_name = "PHASE")]
    pub(crate) rollback_at: Option<String>,

    /// A client in another language, beside our own: a command; may be given several times
    ///
    /// It is told the folder, its number and the seed. See `examples/three_languages`.
    #[arg(long, value_name = "COMMAND")]
    pub(crate) outside: Vec<String>,

    /// Kill the outside client of this number in the middle of the migration
    #[arg(long, value_name = "NUMBER", requires = "outside")]
    pub(crate) kill_outside: Option<usize>,

    /// Freeze the outside client of this number for two phases, and let it go on
    #[arg(long, value_name = "NUMBER", requires = "outside")]
    pub(crate) freeze_outside: Option<usize>,

    /// Write every client operation as JSON lines, for an outside checker
    #[arg(long, value_name = "FILE")]
    pub(crate) history: Option<PathBuf>,

    /// Slots of a wave at most; smaller waves make more of them
    #[arg(long, value_name = "SLOTS", visible_alias = "batches", default_value_t = 4096,
          value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    pub(crate) wave_slots: u32,

    /// Short windows and soaks, small chunks: for tests; the figures mean little
    #[arg(long)]
    pub(crate) brisk: bool,

    /// Print the report as JSON, with stable names
    #[arg(long)]
    pub(crate) json: bool,

    /// No progress; only the report
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

impl Options {
    /// Reads the command line; prints help or what is wrong with it, and exits, if need be.
    pub(crate) fn from_command_line() -> Self {
        match Self::parse_args(std::env::args_os()) {
            Ok(options) => options,
            Err(error) => error.exit(),
        }
    }

    /// Reads arguments, the program's name first.
    pub(crate) fn parse_args<I, T>(args: I) -> Result<Self, clap::Error>
    where
        I: IntoIterator<Item = T>,
        T: Into<std::ffi::OsString> + Clone,
    {
        let options = Self::try_parse_from(args)?;
        let bad = |text: &str| {
            use clap::CommandFactory as _;
            Err(Self::command().error(ErrorKind::ArgumentConflict, text))
        };
        if options.takeover && options.kill_at.is_none() && !options.kill_random {
            return bad("--takeover needs --kill-at or --kill-random: somebody must fall");
        }
        if options.dies() && options.dir.is_none() {
            return bad("--kill-at needs --dir, so that --resume finds what is left");
        }
        if options.unfenced && options.wish.is_some_and(|wish| wish.name() == "grow-bits") {
            return bad("grow-bits needs shards that check a fence: leave --unfenced out");
        }
        Ok(options)
    }

    /// How many shards to add: one, if neither --add nor --remove says otherwise.
    pub(crate) fn shards_added(&self) -> u16 {
        match (self.add, self.remove) {
            (Some(count), _) => count,
            (None, Some(_)) => 0,
            (None, None) => 1,
        }
    }

    /// How many shards to remove.
    pub(crate) fn shards_removed(&self) -> u16 {
        self.remove.unwrap_or(0)
    }

    /// Whether only a list was asked for, of steps or of phases.
    pub(crate) fn only_lists(&self) -> bool {
        [&self.kill_at, &self.rollback_at]
            .into_iter()
            .any(|name| name.as_deref() == Some("list"))
    }

    fn dies(&self) -> bool {
        (self.kill_at.is_some() || self.kill_random) && !self.takeover && !self.only_lists()
    }
}

fn strategy(name: &str) -> Result<Strategy, String> {
    let names: Vec<_> = Strategy::ALL.iter().map(|one| one.name()).collect();
    Strategy::from_name(name).ok_or_else(|| format!("one of {}", names.join(", ")))
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.replace([',', '_'], "").parse() {
        Ok(0) => Err("at least 1 is needed".to_owned()),
        Ok(count) => Ok(count),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    fn parse(args: &str) -> Result<Options, clap::Error> {
        let name = ["live_reshard"].into_iter();
        Options::parse_args(name.chain(args.split_whitespace()))
    }

    #[track_caller]
    fn refused(args: &str, expected: &str) {
        let error = parse(args).expect_err("bad options").to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn the_command_is_sound() {
        use clap::CommandFactory as _;
        Options::command().debug_assert();
    }

    #[test]
    fn one_shard_is_added_unless_said_otherwise() {
        let shards = |args| {
            let options = parse(args).expect("good options");
            (options.shards_added(), options.shards_removed())
        };
        assert_eq!(shards(""), (1, 0));
        assert_eq!(shards("--remove 2"), (0, 2));
        assert_eq!(shards("--add 3 --remove 1"), (3, 1));
    }

    #[test]
    fn everything_can_be_said() {
        let options = parse(
            "--records 12,000 --input x.csv --threads 16 --seed 18446744073709551615 --dir d \
             --rollback-at shadow-read --resume --history h --json --batches 16 -q",
        )
        .expect("good options");
        assert_eq!(options.records, Some(12_000));
        assert_eq!(options.seed, u64::MAX);
        assert_eq!(options.wave_slots, 16);
        assert!(options.json && options.quiet && options.resume);
        let outside = parse("--outside a --outside b --kill-outside 2").expect("good options");
        assert_eq!((outside.outside.len(), outside.kill_outside), (2, Some(2)));
        assert!(parse("--kill-at list").expect("good").only_lists());
        assert_eq!(parse("--input -").expect("good").input, Some("-".into()));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        refused("--records 0", "at least 1 is needed");
        refused("--threads 0", "1..=1024");
        refused("--remove 4", "1..=3");
        refused("--wave-slots 0", "1..=1048576");
        refused("--resume", "--dir");
        refused("--kill-outside 1", "--outside");
        refused("--freeze-outside 1", "--outside");
        refused("--kill-at step", "--kill-at needs --dir");
        refused("--kill-random", "--kill-at needs --dir");
        refused("--takeover", "somebody must fall");
        refused("--strategy hope", "maintenance-window");
        refused("--wish add --add 2", "--add");
        refused("--all --wish drain", "--wish");
        refused("--unfenced --all", "--unfenced");
        refused("--unfenced --wish grow-bits", "grow-bits");
    }
}
