//! The order of the core's modules: one may import only what stands before it.
//!
//! That is what keeps the core readable from its first file to its last, and free of circles. The
//! paths that are looked at are `crate::…`, in `use` and anywhere else. Inside the core they name
//! the module that an item lives in (`crate::ids::Epoch`): a path by way of the re-exports of
//! `lib.rs` would hide who depends on whom.

use std::fs;
use std::path::Path;

use crate::lexer::{self, Token};
use crate::sh;

/// The groups, lowest first. Within one, anything goes.
const ORDER: &[&[&str]] = &[
    &[
        "ids", "time", "hash", "digest", "key", "error", "weight", "order",
    ],
    &["ring", "balance", "directory", "replicas", "slotting"],
    &["scope", "phase", "wave"],
    // The words of fencing and its pure rules, which routes and steps carry.
    &["guard"],
    &["snapshot"],
    &["route", "pin", "router"],
    &["advise"],
    &["step"],
    &["policy"],
    &["budget", "op", "transaction", "shadow"],
    &["migration"],
    &["record"],
    &["recipes"],
    &["store"],
    &["driver"],
    &["lib"],
];

fn rank(module: &str) -> Option<usize> {
    ORDER.iter().position(|group| group.contains(&module))
}

/// The command: scans `core/src`, prints every breach, and fails if there is one.
pub(crate) fn run() -> Result<(), String> {
    let source = Path::new("core/src");
    let files = sh::rust_files(source)?;
    let mut breaches = Vec::new();
    for path in &files {
        let inside = path.strip_prefix(source).unwrap_or(path);
        let home = Home::of(inside);
        for (line, what) in home.breaches(&sh::read(path)?) {
            breaches.push(format!("{}:{line}: {what}", path.display()));
        }
    }
    if fs::exists(source.join("lib.rs")).is_ok_and(|there| !there) {
        return Err("`core/src/lib.rs` is missing".to_owned());
    }
    for breach in &breaches {
        println!("{breach}");
    }
    if breaches.is_empty() {
        println!("{} files import in order", files.len());
        return Ok(());
    }
    Err(format!(
        "{} imports are out of order; see CONTRIBUTING.md",
        breaches.len()
    ))
}

/// Where a file stands in the module tree.
struct Home {
    module: String,
    /// How many `super`s lead from the file's top to the crate's root.
    depth: usize,
    is_test: bool,
}

impl Home {
    /// Of a path inside `src`: `ids.rs`, `snapshot/mod.rs`, `snapshot/codec.rs`.
    fn of(inside: &Path) -> Self {
        let mut names: Vec<String> = inside
            .with_extension("")
            .iter()
            .map(|n| n.to_string_lossy().into_owned())
            .collect();
        if names.last().is_some_and(|n| n == "mod") {
            names.pop();
        }
        Self {
            module: names.first().cloned().unwrap_or_default(),
            depth: names.len(),
            is_test: names.len() > 1 && names.iter().any(|n| n == "tests"),
        }
    }

    /// Each breach with its line.
    fn breaches(&self, source: &str) -> Vec<(usize, String)> {
        if self.is_test {
            return Vec::new();
        }
        let Some(own) = rank(&self.module) else {
            return vec![(
                1,
                format!(
                    "module `{}` has no place in the order; give it one",
                    self.module
                ),
            )];
        };
        if self.module == "lib" {
            return Vec::new();
        }
        let tokens = lexer::without_tests(lexer::tokens(source));
        let mut breaches = Vec::new();
        for (line, target) in targets(&tokens, self.depth) {
            match rank(&target) {
                Some(there) if there <= own && target != "lib" => {}
                Some(_) => breaches.push((
                    line,
                    format!(
                        "`{}` may not import `{target}`, which stands after it",
                        self.module
                    ),
                )),
                None => breaches.push((
                    line,
                    format!("`crate::{target}` names no module; write `crate::module::{target}`"),
                )),
            }
        }
        breaches
    }
}

/// What is named directly below the crate's root: the second word of each `crate::…`, with the
/// braces of `crate::{a::X, b}` opened, and of each chain of `super`s that goes as far up.
fn targets(tokens: &[Token], depth: usize) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut inline: Vec<usize> = Vec::new();
    let mut braces = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        let after = tokens.get(at + 1..).unwrap_or_default();
        match token.text.as_str() {
            "{" => {
                braces += 1;
                let before = at.checked_sub(2).and_then(|i| tokens.get(i));
                if before.is_some_and(|t| t.is("mod")) {
                    inline.push(braces);
                }
            }
            "}" => {
                inline.pop_if(|opened| *opened == braces);
                braces = braces.saturating_sub(1);
            }
            "crate" => found.extend(below_root(after)),
            "super" if !is_path_tail(tokens, at) => {
                let (supers, rest) = climb(after);
                if supers >= depth + inline.len() {
                    found.extend(below_root(rest));
                }
            }
            _ => {}
        }
    }
    found
}

/// Whether `::` stands before the token: then it goes on with a path that was begun before.
fn is_path_tail(tokens: &[Token], at: usize) -> bool {
    at.checked_sub(1)
        .and_then(|i| tokens.get(i))
        .is_some_and(|t| t.is(":"))
        && at
            .checked_sub(2)
            .and_then(|i| tokens.get(i))
            .is_some_and(|t| t.is(":"))
}

/// After a first `super`: how many there are in all, and what follows them.
fn climb(mut rest: &[Token]) -> (usize, &[Token]) {
    let mut supers = 1;
    while let [a, b, c, tail @ ..] = rest
        && a.is(":")
        && b.is(":")
        && c.is("super")
    {
        supers += 1;
        rest = tail;
    }
    (supers, rest)
}

/// After `crate`: the words that its `::` leads to.
fn below_root(after: &[Token]) -> Vec<(usize, String)> {
    let [a, b, rest @ ..] = after else {
        return Vec::new();
    };
    if !(a.is(":") && b.is(":")) {
        return Vec::new();
    }
    match rest.split_first() {
        Some((first, inside)) if first.is("{") => firsts(inside),
        Some((first, _)) => vec![(first.line, first.text.clone())],
        None => Vec::new(),
    }
}

/// The first word of each member of a brace group whose `{` has been passed.
fn firsts(inside: &[Token]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let (mut depth, mut at_start) = (0_usize, true);
    for token in inside {
        match token.text.as_str() {
            "{" => depth += 1,
            "}" if depth == 0 => break,
            "}" => depth -= 1,
            "," if depth == 0 => at_start = true,
            _ if at_start && (token.is_word() || token.is("*")) => {
                found.push((token.line, token.text.clone()));
                at_start = false;
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaches(path: &str, source: &str) -> Vec<(usize, String)> {
        Home::of(Path::new(path)).breaches(source)
    }

    #[test]
    fn what_stands_before_may_be_imported() {
        let source = "
            use alloc::vec::Vec;
            use crate::ids::{Epoch, Slot};
            use crate::{hash::Hasher, ring::{Ring, Vnode}, snapshot as s};
            /// See [`crate::driver::drive`] and `crate::Epoch`.
            pub(crate) fn f() -> crate::wave::Wave { let _ = \"crate::driver\"; super::g() }
            #[cfg(test)]
            mod tests { use crate::migration::Plan; use crate::Epoch; }
        ";
        assert_eq!(breaches("snapshot/codec.rs", source), []);
        assert_eq!(breaches("lib.rs", "pub use crate::driver::drive;"), []);
        assert_eq!(breaches("op/tests.rs", "use crate::driver::drive;"), []);
        assert_eq!(breaches("route.rs", "use crate::router::Router;"), []);
    }

    #[test]
    fn what_stands_after_may_not() {
        let found = breaches(
            "ids.rs",
            "use crate::time::Instant;\nuse crate::snapshot::Snapshot;",
        );
        let message = "`ids` may not import `snapshot`, which stands after it";
        assert_eq!(found, [(2, message.to_owned())]);
        for source in [
            "use crate::{ids::Epoch, op::Operation};",
            "fn f(x: crate::op::Operation) {}",
            "pub(in crate::op) fn f() {}",
            "use super::super::op::Operation;",
            "macro_rules! m { () => { $crate::op::f() } }",
            "mod inner { mod deep { use super::super::super::super::op::X; } }",
        ] {
            assert_eq!(breaches("policy/write.rs", source).len(), 1, "{source}");
        }
        assert_eq!(breaches("time.rs", "use super::op::Operation;").len(), 1);
        assert_eq!(breaches("time.rs", "mod inner { use super::OWN; }"), []);
    }

    #[test]
    fn flat_paths_and_unknown_modules_are_refused() {
        let flat = "`crate::Epoch` names no module; write `crate::module::Epoch`";
        assert_eq!(
            breaches("router.rs", "use crate::Epoch;"),
            [(1, flat.to_owned())]
        );
        assert_eq!(
            breaches("router.rs", "use crate::{ids::Slot, Epoch};").len(),
            1
        );
        assert_eq!(breaches("router.rs", "use crate::*;").len(), 1);
        assert_eq!(breaches("gossip.rs", "").len(), 1);
    }

    #[test]
    fn a_folder_is_one_module() {
        assert_eq!(Home::of(Path::new("snapshot/mod.rs")).module, "snapshot");
        assert_eq!(Home::of(Path::new("hash/compat.rs")).module, "hash");
    }
}
