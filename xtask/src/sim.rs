//! `cargo xtask sim`: whole worlds by chance, or one of them once more, with its story.

use crate::sh::Sh;

/// Worlds that a run has unless it is told.
const WORLDS: u64 = 100_000;

const USAGE: &str = "cargo xtask sim [--worlds N] [--from SEED] | --seed SEED";

/// The command: `--worlds N` from `--from SEED` on, or `--seed SEED` alone.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let test = "cargo test --release --locked --workspace --test sim";
    let sh = Sh::new(test).args("-- --nocapture --exact worlds_by_chance");
    sh.envs(asked(args)?).run()
}

/// The gate's step: fewer worlds, and whether a seed replays exactly.
pub(crate) fn step() -> Result<(), String> {
    let test = "cargo test --release --locked --workspace --test sim";
    Sh::new(test).args("-- --nocapture --test-threads 1").run()
}

/// What the arguments ask for, as the simulation reads it.
fn asked(args: &[String]) -> Result<Vec<(String, String)>, String> {
    let mut envs = Vec::new();
    let mut args = args.iter();
    while let Some(name) = args.next() {
        let variable = match name.as_str() {
            "--worlds" => "RINGSHIFT_SIM_WORLDS",
            "--from" => "RINGSHIFT_SIM_FROM",
            "--seed" => "RINGSHIFT_SIM_SEED",
            _ => return Err(USAGE.to_owned()),
        };
        let value = args.next().ok_or(USAGE)?;
        let number: u64 = value
            .parse()
            .map_err(|_| format!("`{value}` is no number"))?;
        envs.push((variable.to_owned(), number.to_string()));
    }
    if envs.iter().all(|(name, _)| name == "RINGSHIFT_SIM_FROM") {
        envs.push(("RINGSHIFT_SIM_WORLDS".to_owned(), WORLDS.to_string()));
    }
    Ok(envs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envs(words: &str) -> Result<String, String> {
        let args: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        let envs = asked(&args)?.into_iter();
        let pairs: Vec<String> = envs
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        Ok(pairs.join(" ").replace("RINGSHIFT_SIM_", ""))
    }

    #[test]
    fn a_run_has_a_number_of_worlds_or_one_seed() {
        assert_eq!(envs("").as_deref(), Ok("WORLDS=100000"));
        assert_eq!(envs("--from 7").as_deref(), Ok("FROM=7 WORLDS=100000"));
        assert_eq!(
            envs("--worlds 9 --from 7").as_deref(),
            Ok("WORLDS=9 FROM=7")
        );
        assert_eq!(envs("--seed 4").as_deref(), Ok("SEED=4"));
        assert!(envs("--seed").is_err() && envs("--seed x").is_err() && envs("7").is_err());
    }
}
