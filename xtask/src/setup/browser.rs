//! A Chromium, and the program that drives it for tests.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Missing, debian};
use crate::sh;

const CHROMES: &[&str] = &[
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
];
const DRIVERS: &[&str] = &["chromedriver", "chromium.chromedriver"];
/// Nothing but the pages of the test: no window, no first questions, no talk with its maker.
const ARGS: &str = "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run \
                    --disable-background-networking --disable-component-update --disable-sync \
                    --disable-dev-shm-usage";

pub(super) fn install(missing: &mut Missing) {
    if chrome().is_some() && driver().is_some() {
        return;
    }
    if let Err(why) = debian::apt("chromium chromium-driver") {
        println!("{why}");
    }
    for (what, path, variable) in [
        ("Chromium or Chrome", chrome(), "CHROME"),
        ("chromedriver of the same version", driver(), "CHROMEDRIVER"),
    ] {
        if path.is_none() {
            missing.push(format!(
                "{what}: your system's package (`chromium chromium-driver` on Debian), or \
                 https://googlechromelabs.github.io/chrome-for-testing; on PATH, or at {variable}"
            ));
        }
    }
}

/// The browser: `CHROME`, or the first of its names on PATH.
pub(crate) fn chrome() -> Option<PathBuf> {
    found("CHROME", CHROMES)
}

/// Its driver: `CHROMEDRIVER`, or the first of its names on PATH.
pub(crate) fn driver() -> Option<PathBuf> {
    found("CHROMEDRIVER", DRIVERS)
}

fn found(variable: &str, names: &[&str]) -> Option<PathBuf> {
    if let Ok(told) = env::var(variable) {
        return Some(PathBuf::from(told)).filter(|path| path.is_file());
    }
    names.iter().find_map(|name| sh::on_path(name))
}

/// Writes what the driver must tell the browser; gives the file.
pub(crate) fn capabilities() -> Result<PathBuf, String> {
    let chrome = chrome().ok_or("there is no Chromium here; run `cargo xtask setup`")?;
    let file = sh::target_dir().join("webdriver.json");
    let options = serde_json::json!({
        "args": ARGS.split_whitespace().collect::<Vec<_>>(),
        "binary": chrome.display().to_string(),
    });
    let json = serde_json::json!({ "goog:chromeOptions": options }).to_string();
    let written = fs::create_dir_all(file.parent().unwrap_or(Path::new(".")))
        .and_then(|()| fs::write(&file, json));
    written.map_err(|e| format!("`{}` can't be written: {e}", file.display()))?;
    Ok(file)
}
