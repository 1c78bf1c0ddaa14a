//! Runs the gate: each command printed before it runs, a table at the end.
//!
//! The core's steps and the packages' have little to do with each other, and each leaves a core of
//! the machine idle for minutes: a link, a download, a browser. So the whole gate has both under
//! way at once; steps chosen by name run one after the other.

use std::env;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use crate::gate::{STEPS, Step, Turn};

/// The command.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    if args.iter().any(|a| a == "--list") {
        for step in STEPS {
            println!("{:<15} {}", step.name, step.about);
        }
        return Ok(());
    }
    if args.is_empty() {
        whole()
    } else {
        Table::new().steps(choose(args)?)
    }
}

/// Every step, each in its turn.
fn whole() -> Result<(), String> {
    let mut table = Table::new();
    let of = |turn: Turn| STEPS.iter().filter(move |step| step.turn == turn);
    table.each(of(Turn::First));
    if table.failure.is_none() {
        let beside = Beside::start(of(Turn::Packages))?;
        table.each(of(Turn::Core));
        let passed = of(Turn::Packages).count();
        table.also("beside these", passed, beside.end());
        table.each(of(Turn::Last));
    }
    table.end()
}

/// How each step went.
struct Table {
    start: Instant,
    done: Vec<(&'static str, String)>,
    passed: usize,
    failure: Option<String>,
}

impl Table {
    fn new() -> Self {
        Self {
            start: Instant::now(),
            done: Vec::new(),
            passed: 0,
            failure: None,
        }
    }

    /// Runs some steps and ends.
    fn steps(mut self, steps: Vec<&'static Step>) -> Result<(), String> {
        self.each(steps.into_iter());
        self.end()
    }

    /// Runs one after the other, up to the first that fails; none after an earlier failure.
    fn each(&mut self, steps: impl Iterator<Item = &'static Step>) {
        for step in steps {
            if self.failure.is_some() {
                return;
            }
            println!("\n== {}: {}", step.name, step.about);
            let begun = Instant::now();
            let outcome = (step.run)();
            let seconds = begun.elapsed().as_secs_f64();
            let mark = if outcome.is_ok() { "" } else { "   FAILED" };
            self.done
                .push((step.name, format!("{seconds:7.1} s{mark}")));
            match outcome {
                Ok(()) => self.passed += 1,
                Err(message) => {
                    println!("\nstep `{}` FAILED: {message}", step.name);
                    self.failure = Some(format!("step `{}`: {message}", step.name));
                }
            }
        }
    }

    /// Counts what ran elsewhere.
    fn also(&mut self, name: &'static str, steps: usize, outcome: Result<(), String>) {
        match outcome {
            Ok(()) => self.passed += steps,
            Err(message) => {
                self.done.push((name, "          FAILED".to_owned()));
                self.failure.get_or_insert(message);
            }
        }
    }

    fn end(self) -> Result<(), String> {
        println!();
        for (name, result) in &self.done {
            println!("{name:<15} {result}");
        }
        let seconds = self.start.elapsed().as_secs_f64();
        println!("{:<15} {seconds:7.1} s", "all");
        let failed = usize::from(self.failure.is_some());
        println!("{} passed, {failed} failed", self.passed);
        self.failure.map_or(Ok(()), Err)
    }
}

/// This program once more, with some steps, its lines printed among ours behind a mark.
struct Beside {
    child: Child,
    printing: Vec<JoinHandle<()>>,
}

impl Beside {
    fn start(steps: impl Iterator<Item = &'static Step>) -> Result<Self, String> {
        let failed = |e: std::io::Error| format!("the packages' steps can't be started: {e}");
        let mut child = Command::new(env::current_exe().map_err(failed)?)
            .arg("test")
            .args(steps.map(|step| step.name))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let printing = child.stdout.take().map(print).into_iter();
        let printing = printing.chain(child.stderr.take().map(print)).collect();
        Ok(Self { child, printing })
    }

    fn end(mut self) -> Result<(), String> {
        let status = self.child.wait();
        for thread in self.printing {
            // It only prints.
            let _ = thread.join();
        }
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(_) => Err("of the packages' steps one failed; its lines begin with `|`".to_owned()),
            Err(e) => Err(format!("the packages' steps can't be waited for: {e}")),
        }
    }
}

fn print(from: impl Read + Send + 'static) -> JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(from).split(b'\n') {
            let Ok(line) = line else { return };
            println!("| {}", String::from_utf8_lossy(&line));
        }
    })
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
