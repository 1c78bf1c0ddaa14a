//! The copy of the core in which every protection has a switch.

use std::fs;
use std::path::{Path, PathBuf};

use crate::broken::{Variant, files_of};
use crate::sh;

/// Which variant is on; asked by the copy, and by nothing else.
pub(super) const SWITCH: &str = "RINGSHIFT_BROKEN";

/// What the copy's `lib.rs` has at its end.
const ASK: &str = r#"
extern crate std as broken_std;

/// Whether the protection of that name is taken out.
pub(crate) fn broken(name: &str) -> bool {
    static ON: broken_std::sync::OnceLock<broken_std::string::String> =
        broken_std::sync::OnceLock::new();
    let on = ON.get_or_init(|| broken_std::env::var("SWITCH").unwrap_or_default());
    on == name
}
"#;

/// Makes the copy anew, and answers where it is. Files that are the same are left alone, so that
/// cargo builds no more than has changed.
pub(super) fn make(
    root: &Path,
    variants: impl Iterator<Item = &'static Variant>,
) -> Result<PathBuf, String> {
    let place = sh::target_dir().join("broken");
    let workspace = sh::read(&root.join("Cargo.toml"))?;
    put(&place.join("Cargo.toml"), &alone(&workspace)?)?;
    let lock = place.join("Cargo.lock");
    if !lock.exists() {
        put(&lock, &sh::read(&root.join("Cargo.lock"))?)?;
    }
    put(
        &place.join("README.md"),
        &sh::read(&root.join("README.md"))?,
    )?;
    for (below, text) in patched(root, variants)? {
        put_bytes(&place.join(below), &text)?;
    }
    Ok(place)
}

/// The core's files, with every switch in them, by their paths in the workspace.
fn patched(
    root: &Path,
    variants: impl Iterator<Item = &'static Variant>,
) -> Result<Vec<(PathBuf, Vec<u8>)>, String> {
    let mut texts = Vec::new();
    let core = root.join("core");
    for path in files_of(&core)? {
        let below = path.strip_prefix(root).map_err(|e| e.to_string())?;
        texts.push((
            below.to_owned(),
            fs::read(&path).map_err(|e| e.to_string())?,
        ));
    }
    for variant in variants {
        for edit in variant.edits {
            let file = Path::new("core/src").join(edit.file);
            let (_, text) = texts
                .iter_mut()
                .find(|(path, _)| *path == file)
                .ok_or_else(|| format!("`{}`: there is no `{}`", variant.name, file.display()))?;
            let whole = String::from_utf8_lossy(text).into_owned();
            let times = whole.matches(edit.was).count();
            if times != 1 {
                return Err(format!(
                    "`{}`: `{}` has {times} times, not once:\n{}",
                    variant.name,
                    file.display(),
                    edit.was
                ));
            }
            let ask = format!("crate::broken(\"{}\")", variant.name);
            *text = whole
                .replace(edit.was, &edit.put.replace("BROKEN", &ask))
                .into_bytes();
        }
    }
    let lib = texts
        .iter_mut()
        .find(|(path, _)| path == Path::new("core/src/lib.rs"))
        .ok_or("the core has no `lib.rs`")?;
    lib.1
        .extend_from_slice(ASK.replace("SWITCH", SWITCH).as_bytes());
    Ok(texts)
}

/// The workspace with no other member than the core.
fn alone(workspace: &str) -> Result<String, String> {
    let line = workspace
        .lines()
        .find(|line| line.starts_with("members = ["))
        .ok_or("`Cargo.toml` has no line of members")?;
    let mut out = String::new();
    for text in workspace.lines() {
        if text.starts_with("[profile.wasm") {
            break;
        }
        let text = if text == line {
            "members = [\"core\"]"
        } else {
            text
        };
        out.push_str(text);
        out.push('\n');
    }
    Ok(out)
}

fn put(path: &Path, text: &str) -> Result<(), String> {
    put_bytes(path, text.as_bytes())
}

fn put_bytes(path: &Path, bytes: &[u8]) -> Result<(), String> {
    if fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    fs::write(path, bytes).map_err(|e| format!("{}: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_edit_finds_its_place() {
        let texts = patched(&sh::root(), crate::broken::all());
        assert!(texts.is_ok(), "{texts:?}");
    }

    #[test]
    fn a_workspace_is_left_with_its_core() {
        let text = "[workspace]\nmembers = [\"core\", \"other\"]\n[profile.wasm]\nlto = true\n";
        assert_eq!(
            alone(text),
            Ok("[workspace]\nmembers = [\"core\"]\n".to_owned())
        );
        assert!(alone("[workspace]\n").is_err());
    }
}
