//! Running a command: printed first, so that a failing step can be repeated by hand.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A command in the making. Nothing runs before [`Sh::run`], [`Sh::succeeds`] or [`Sh::output`].
pub(crate) struct Sh {
    program: String,
    args: Vec<String>,
    envs: Vec<(String, String)>,
}

impl Sh {
    /// `line` split at spaces: the program, then its arguments. For words with spaces in them
    /// there is [`Sh::arg`].
    pub(crate) fn new(line: &str) -> Self {
        let mut words = line.split_whitespace().map(str::to_owned);
        Self {
            program: words.next().unwrap_or_default(),
            args: words.collect(),
            envs: Vec::new(),
        }
    }

    /// A program whose name may have spaces in it, such as a path.
    pub(crate) fn program(name: &str) -> Self {
        Self {
            program: name.to_owned(),
            args: Vec::new(),
            envs: Vec::new(),
        }
    }

    /// One more argument, taken as it is.
    pub(crate) fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// More arguments, split at spaces.
    pub(crate) fn args(mut self, words: &str) -> Self {
        self.args
            .extend(words.split_whitespace().map(str::to_owned));
        self
    }

    /// A variable of the command's environment.
    pub(crate) fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.envs.push((name.to_owned(), value.into()));
        self
    }

    /// Several of them.
    pub(crate) fn envs(self, envs: Vec<(String, String)>) -> Self {
        envs.into_iter()
            .fold(self, |sh, (name, value)| sh.env(&name, value))
    }

    /// Prints the command, runs it with our own output, and fails with its exit status.
    pub(crate) fn run(self) -> Result<(), String> {
        println!("$ {}", self.line());
        let status = self.command().status().map_err(|e| self.cannot_start(&e))?;
        if status.success() {
            return Ok(());
        }
        let code = status
            .code()
            .map_or_else(|| "a signal".to_owned(), |c| format!("status {c}"));
        Err(format!("`{}` ended with {code}", self.line()))
    }

    /// Whether it starts and ends well. Silent: for looking at what the machine has.
    pub(crate) fn succeeds(self) -> bool {
        let silent = self
            .command()
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        silent.is_ok_and(|s| s.success())
    }

    /// What it writes to its standard output, trimmed; `None` when it fails. Silent, too.
    pub(crate) fn output(self) -> Option<String> {
        let out = self.command().stderr(Stdio::null()).output().ok()?;
        let text = String::from_utf8(out.stdout).ok()?;
        out.status.success().then(|| text.trim().to_owned())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).stdin(Stdio::null());
        command.envs(self.envs.iter().map(|(n, v)| (n, v)));
        command
    }

    fn line(&self) -> String {
        let envs = self.envs.iter().map(|(n, v)| format!("{n}={}", quoted(v)));
        let words = [&self.program]
            .into_iter()
            .chain(&self.args)
            .map(|w| quoted(w));
        envs.chain(words).collect::<Vec<_>>().join(" ")
    }

    fn cannot_start(&self, error: &std::io::Error) -> String {
        format!("`{}` can't be started: {error}", self.program)
    }
}

/// A word as a shell would need it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=/.,:+@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// The workspace's folder, as `cargo run` says it. What was compiled in comes second: two checkouts
/// that share a target folder share this program, and it must not judge the other one's tree.
pub(crate) fn root() -> PathBuf {
    let compiled = || env!("CARGO_MANIFEST_DIR").to_owned();
    let own = PathBuf::from(env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| compiled()));
    own.parent().map_or_else(|| own.clone(), Path::to_owned)
}

/// The folder of what is built, from the root of the file system on.
pub(crate) fn target_dir() -> PathBuf {
    let told = env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".to_owned());
    root().join(told.trim_end_matches('/'))
}

/// The folder for builds by a second toolchain: beside the usual one, since two compilers that
/// share a folder rebuild everything at each change of hands.
pub(crate) fn second_target_dir() -> PathBuf {
    let mut name = target_dir().into_os_string();
    name.push("-web");
    PathBuf::from(name)
}

/// The first file of this name in the folders of PATH.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let file = format!("{name}{}", env::consts::EXE_SUFFIX);
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(&file))
        .find(|path| path.is_file())
}

/// Every file below `folder` whose name ends in `.rs`, sorted; build products and hidden folders
/// left out.
pub(crate) fn rust_files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |e| format!("`{}` can't be read: {e}", folder.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        let product = name.starts_with('.')
            || name == "target"
            || name.starts_with("target-")
            || name == "node_modules";
        if product {
            continue;
        }
        if path.is_dir() {
            found.extend(rust_files(&path)?);
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// A text file's content.
pub(crate) fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|e| format!("`{}` can't be read: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_line_can_be_pasted() {
        let sh = Sh::new("cargo doc --no-deps")
            .env("RUSTDOCFLAGS", "-D warnings")
            .arg("it's");
        assert_eq!(
            sh.line(),
            r"RUSTDOCFLAGS='-D warnings' cargo doc --no-deps 'it'\''s'"
        );
    }

    #[test]
    fn a_failing_command_says_its_status() {
        let failed = Sh::new("cargo").arg("--no-such-option").run();
        assert!(failed.is_err_and(|e| e.contains("ended with status")));
        let absent = Sh::new("no-such-program-anywhere").run();
        assert!(absent.is_err_and(|e| e.contains("can't be started")));
    }
}
