//! Runs the gate: every step in order, each command printed before it runs, a table at the end.

use std::time::Instant;

use crate::gate::{STEPS, Step};

/// The command.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    if args.iter().any(|a| a == "--list") {
        for step in STEPS {
            println!("{:<15} {}", step.name, step.about);
        }
        return Ok(());
    }
    let chosen = choose(args)?;
    let mut done: Vec<(&str, String)> = Vec::new();
    let (mut passed, mut failure) = (0, None);
    let start = Instant::now();
    for step in chosen {
        println!("\n== {}: {}", step.name, step.about);
        let begun = Instant::now();
        let outcome = (step.run)();
        let seconds = begun.elapsed().as_secs_f64();
        let mark = if outcome.is_ok() { "" } else { "   FAILED" };
        done.push((step.name, format!("{seconds:7.1} s{mark}")));
        match outcome {
            Ok(()) => passed += 1,
            Err(message) => {
                failure = Some(format!("step `{}`: {message}", step.name));
                break;
            }
        }
    }
    println!();
    for (name, result) in &done {
        println!("{name:<15} {result}");
    }
    println!("{:<15} {:7.1} s", "all", start.elapsed().as_secs_f64());
    println!("{passed} passed, {} failed", usize::from(failure.is_some()));
    failure.map_or(Ok(()), Err)
}

/// The steps that the arguments name: all, some, or all from one on.
fn choose(args: &[String]) -> Result<Vec<&'static Step>, String> {
    let find = |name: &String| {
        let known = STEPS.iter().position(|s| s.name == name.as_str());
        known.ok_or_else(|| format!("unknown step `{name}`; `cargo xtask test --list` lists them"))
    };
    match args {
        [] => Ok(STEPS.iter().collect()),
        [from, name] if from == "--from" => Ok(STEPS.iter().skip(find(name)?).collect()),
        names => {
            let wanted = names.iter().map(find).collect::<Result<Vec<_>, _>>()?;
            Ok(STEPS
                .iter()
                .enumerate()
                .filter(|(i, _)| wanted.contains(i))
                .map(|(_, s)| s)
                .collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(args: &[&str]) -> Result<Vec<&'static str>, String> {
        let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
        Ok(choose(&args)?.iter().map(|s| s.name).collect())
    }

    #[test]
    fn steps_are_chosen_by_name_in_their_own_order() {
        assert_eq!(names(&["model", "fmt"]), Ok(vec!["fmt", "model"]));
        let later = STEPS.iter().map(|s| s.name).skip_while(|n| *n != "model");
        assert_eq!(names(&["--from", "model"]), Ok(later.collect()));
        assert_eq!(names(&[]).map(|n| n.len()), Ok(STEPS.len()));
        assert!(names(&["--from", "nothing"]).is_err_and(|e| e.contains("`nothing`")));
        assert!(names(&["--from"]).is_err());
    }
}
