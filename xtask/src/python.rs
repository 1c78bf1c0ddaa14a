//! The gate's steps in Python. They look at the wheel as it is installed, never at the tree it is
//! made from.

use std::fs;
use std::path::PathBuf;

use crate::package;
use crate::setup::python::{folder, make, python_of};
use crate::sh::{self, Sh};

/// The environment that holds the wheel and nothing else.
fn clean() -> PathBuf {
    sh::target_dir().join("python-clean")
}

/// Installs the wheel where nothing else is, then runs its tests there.
pub(crate) fn wheel() -> Result<(), String> {
    let clean = clean();
    make(&clean)?;
    install(&clean)?;
    // Before the test tools come within reach: what the wheel needs, it brings.
    let modules = "import ringshift, ringshift.migrate; print(ringshift.__version__)";
    python().arg("-c").arg(modules).run()?;
    lend_tools()?;
    python()
        .args("-m pytest -q -p no:cacheprovider bindings-python/tests")
        .run()
}

/// Its declarations against strict consumers, against what is in the wheel, and the style.
pub(crate) fn types() -> Result<(), String> {
    python()
        .args("-m mypy --strict --config-file bindings-python/pyproject.toml")
        .args("bindings-python/python bindings-python/tests --exclude tester.py")
        .run()?;
    python()
        .args("-m mypy.stubtest ringshift --mypy-config-file bindings-python/pyproject.toml")
        .run()?;
    python().args("-m ruff check bindings-python").run()?;
    python()
        .args("-m ruff format --check bindings-python")
        .run()
}

/// Installs the wheel of `dist/` into an environment, with nothing from a network.
pub(crate) fn install(environment: &std::path::Path) -> Result<(), String> {
    Sh::program(&python_of(environment))
        .args("-m pip install --quiet --disable-pip-version-check --no-index --force-reinstall")
        .arg(package::the_wheel()?.display().to_string())
        .run()
}

/// Where the interpreter of the environment that [`wheel`] has made is.
pub(crate) fn python_path() -> String {
    python_of(&clean())
}

/// The interpreter of the environment that [`wheel`] has made.
pub(crate) fn python() -> Sh {
    Sh::program(&python_of(&clean()))
}

/// Lets the clean environment see the tools of the other one, behind everything of its own.
fn lend_tools() -> Result<(), String> {
    let ask = "import sysconfig; print(sysconfig.get_path('purelib'))";
    let packages = |python: String| Sh::program(&python).arg("-c").arg(ask).output();
    let (Some(own), Some(tools)) = (
        packages(python_of(&clean())),
        packages(python_of(&folder())),
    ) else {
        return Err("an environment can't be asked where its packages are".to_owned());
    };
    let file = PathBuf::from(own).join("tools.pth");
    fs::write(&file, format!("{tools}\n"))
        .map_err(|e| format!("`{}` can't be written: {e}", file.display()))
}
