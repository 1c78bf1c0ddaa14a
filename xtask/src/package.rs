//! What is published: the npm tarball and the wheel, under `dist/`, each within its size.

use std::fs;
use std::path::{Path, PathBuf};

use crate::setup::python;
use crate::sh::Sh;
use crate::wasm;

/// Where packages are left.
pub(crate) const DIST: &str = "dist";
const WHEEL_BYTES_MAX: u64 = 1_500_000;

/// The command: `npm`, `wheel`, or both.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match *words {
        [] => npm().and_then(|()| wheel()),
        ["npm"] => npm(),
        ["wheel"] => wheel(),
        _ => Err("it takes `npm`, `wheel`, or nothing for both".to_owned()),
    }
}

/// Makes the tarball. The build measures what a page has to load, and refuses too much of it.
pub(crate) fn npm() -> Result<(), String> {
    remove(".tgz")?;
    Sh::new("node bindings-wasm/build.mjs")
        .envs(wasm::variables()?)
        .run()?;
    println!(
        "{}: {}",
        tarball()?.display(),
        kilobytes(size(&tarball()?)?)
    );
    Ok(())
}

/// Makes the wheel.
pub(crate) fn wheel() -> Result<(), String> {
    remove(".whl")?;
    Sh::program(&python::python_of(&python::folder()))
        .args("-m maturin build --locked --compression-level 9")
        .args("--manifest-path bindings-python/Cargo.toml")
        .args("--out")
        .arg(DIST)
        .run()?;
    let wheel = the_wheel()?;
    println!("{}", wheel.display());
    within("the wheel", size(&wheel)?, WHEEL_BYTES_MAX)
}

/// The npm tarball that is there.
pub(crate) fn tarball() -> Result<PathBuf, String> {
    only(".tgz")
}

/// The wheel that is there.
pub(crate) fn the_wheel() -> Result<PathBuf, String> {
    only(".whl")
}

/// All packages whose names end so.
fn packages(ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(DIST).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect()
}

/// An older version's package would be taken for this one's.
fn remove(ending: &str) -> Result<(), String> {
    packages(ending).iter().try_for_each(|path| {
        fs::remove_file(path).map_err(|e| format!("`{}` can't be removed: {e}", path.display()))
    })
}

fn only(ending: &str) -> Result<PathBuf, String> {
    match packages(ending).as_slice() {
        [one] => Ok(one.clone()),
        found => Err(format!(
            "`{DIST}` has {} packages that end in `{ending}`, not one; run `cargo xtask package`",
            found.len()
        )),
    }
}

fn size(path: &Path) -> Result<u64, String> {
    let data = fs::metadata(path);
    data.map(|data| data.len())
        .map_err(|e| format!("`{}` can't be looked at: {e}", path.display()))
}

fn within(what: &str, bytes: u64, max: u64) -> Result<(), String> {
    let (now, most) = (kilobytes(bytes), kilobytes(max));
    if bytes > max {
        return Err(format!("{what} has {now}, and may have {most}"));
    }
    println!("{what}: {now} of {most}");
    Ok(())
}

/// 24,310 bytes are `24.3 KB`.
fn kilobytes(bytes: u64) -> String {
    let tenths = bytes.div_ceil(100);
    format!("{}.{} KB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_kept_and_said() {
        assert_eq!(kilobytes(24_310), "24.4 KB");
        assert_eq!(within("it", 60_000, 60_000), Ok(()));
        let over = within("it", 60_001, 60_000);
        assert_eq!(over, Err("it has 60.1 KB, and may have 60.0 KB".to_owned()));
    }

    #[test]
    fn other_words_are_refused() {
        assert!(run(&["rust".to_owned()]).is_err());
    }
}
