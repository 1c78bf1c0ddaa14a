//! Whether an installation is of the list that it was made from: a copy of that list, left beside
//! what was installed.

use std::fs;
use std::path::{Path, PathBuf};

const NAME: &str = ".ringshift-installed-from";

/// The lists, one after the other, as they are now.
pub(super) fn of(lists: &[PathBuf]) -> Result<String, String> {
    lists.iter().map(|path| crate::sh::read(path)).collect()
}

/// Whether `folder` was installed from this list.
pub(super) fn holds(folder: &Path, list: &str) -> bool {
    fs::read_to_string(folder.join(NAME)).is_ok_and(|left| left == list)
}

/// Says that `folder` is now installed from this list. Call it last: what ended half-way must not
/// look done.
pub(super) fn leave(folder: &Path, list: &str) -> Result<(), String> {
    let path = folder.join(NAME);
    fs::write(&path, list).map_err(|e| format!("`{}` can't be written: {e}", path.display()))
}
