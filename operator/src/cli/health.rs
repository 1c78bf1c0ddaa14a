//! A file that the application keeps up to date with how it is.

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use clap::Args;
use ringshift::migration::Health;

/// What is said of the world outside.
#[derive(Debug, Args)]
pub(super) struct World {
    /// A JSON file that the application keeps up to date with its errors and latency
    #[arg(long, value_name = "FILE")]
    health: Option<PathBuf>,
    /// How many minutes local time is ahead of UTC, for hours that the settings allow
    #[arg(
        long,
        value_name = "MINUTES",
        default_value_t = 0,
        allow_negative_numbers = true
    )]
    pub(super) utc_offset: i16,
}

/// The file, and when it was last read.
#[derive(Debug, Default)]
pub(super) struct HealthFile {
    path: Option<PathBuf>,
    read_at: Option<SystemTime>,
}

impl World {
    pub(super) fn file(&self) -> HealthFile {
        HealthFile {
            path: self.health.clone(),
            read_at: None,
        }
    }
}

impl HealthFile {
    /// What it says, if it has changed. What isn't kept up to date grows old, and gates see that.
    pub(super) fn news(&mut self) -> Option<Health> {
        let path = self.path.as_ref()?;
        let changed = fs::metadata(path).and_then(|file| file.modified()).ok()?;
        if self.read_at == Some(changed) {
            return None;
        }
        // Half a file, or none: it is looked at again soon.
        let health = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        self.read_at = Some(changed);
        Some(health)
    }
}
