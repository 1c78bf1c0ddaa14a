//! Python, and an environment with the tools that build and test the wheel.

use std::env;
use std::path::{Path, PathBuf};

use super::{Missing, debian, stamp};
use crate::sh::{self, Sh};

/// Asks a Python whether it will do; it says where it is.
const PROBE: &str = "import sys, venv, ensurepip; print(sys.executable if sys.version_info >= (3, \
                     11) else sys.exit(1))";
const NAMES: &[&str] = &[
    "python3",
    "python3.14",
    "python3.13",
    "python3.12",
    "python3.11",
    "python",
];
const REQUIREMENTS: &str = "bindings-python/requirements-dev.txt";

pub(super) fn install(missing: &mut Missing) {
    if interpreter().is_none() && debian::apt("python3 python3-venv").is_err()
        || interpreter().is_none()
    {
        missing.push(
            "Python 3.11 or newer with `venv` and `ensurepip`: https://python.org, your system's \
             packages (`python3 python3-venv` on Debian 12), or set PYTHON to one"
                .to_owned(),
        );
        return;
    }
    if let Err(why) = tools() {
        missing.push(format!(
            "the Python packages of `{REQUIREMENTS}`, in `{}` ({why})",
            folder().display()
        ));
    }
}

/// A Python that is new enough: `PYTHON`, or the first of its names on PATH.
pub(crate) fn interpreter() -> Option<String> {
    let told = env::var("PYTHON").ok();
    told.as_deref()
        .into_iter()
        .chain(NAMES.iter().copied())
        .find_map(|name| Sh::program(name).arg("-c").arg(PROBE).output())
}

/// The environment's folder.
pub(crate) fn folder() -> PathBuf {
    sh::target_dir().join("python")
}

/// The interpreter of an environment.
pub(crate) fn python_of(folder: &Path) -> String {
    let path = if cfg!(windows) {
        folder.join("Scripts").join("python.exe")
    } else {
        folder.join("bin").join("python")
    };
    path.display().to_string()
}

/// Makes an empty environment, in place of what is there.
pub(crate) fn make(folder: &Path) -> Result<(), String> {
    let python = interpreter().ok_or("there is no Python 3.11 or newer here")?;
    Sh::program(&python)
        .args("-m venv --clear")
        .arg(folder.display().to_string())
        .run()
}

/// The tools, unless they are in.
fn tools() -> Result<(), String> {
    let folder = folder();
    // An environment points to the Python that it was made of.
    let python = interpreter().unwrap_or_default();
    let list = format!("{python}\n{}", stamp::of(&[PathBuf::from(REQUIREMENTS)])?);
    if stamp::holds(&folder, &list) && Sh::program(&python_of(&folder)).arg("--version").succeeds()
    {
        return Ok(());
    }
    make(&folder)?;
    requirements(&folder, REQUIREMENTS)?;
    stamp::leave(&folder, &list)
}

/// Installs what a list names.
pub(crate) fn requirements(folder: &Path, list: &str) -> Result<(), String> {
    Sh::program(&python_of(folder))
        .args("-m pip install --quiet --disable-pip-version-check --requirement")
        .arg(list)
        .run()
}
