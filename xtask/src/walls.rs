//! What must hold for every file, looked at in the text: sizes, `#![no_std]`, the lint table.

use std::path::Path;

use crate::sh;

/// The most lines of a `.rs` file. About 400 is where to split one.
const FILE_LINES_MAX: usize = 500;

/// No Rust file is longer than [`FILE_LINES_MAX`].
pub(crate) fn sizes() -> Result<(), String> {
    let files = sh::rust_files(Path::new("."))?;
    let mut too_long = Vec::new();
    let mut longest = 0;
    for path in &files {
        let lines = sh::read(path)?.lines().count();
        longest = longest.max(lines);
        if lines > FILE_LINES_MAX {
            too_long.push(format!("{}: {lines} lines", path.display()));
        }
    }
    if too_long.is_empty() {
        println!("{} files, the longest {longest} lines", files.len());
        return Ok(());
    }
    Err(format!(
        "over {FILE_LINES_MAX} lines, split by what they do:\n{}",
        too_long.join("\n")
    ))
}

/// The core is `no_std`, unsafe code is forbidden, and every member keeps the lint table.
pub(crate) fn lints() -> Result<(), String> {
    let lib = sh::read(Path::new("core/src/lib.rs"))?;
    if !has_line(&lib, "#![no_std]") {
        return Err("`core/src/lib.rs` lacks `#![no_std]`".to_owned());
    }
    for path in sh::rust_files(Path::new("core/src"))? {
        if has_line(&sh::read(&path)?, "extern crate std;") {
            return Err(format!("`{}` brings `std` into the core", path.display()));
        }
    }
    let workspace = sh::read(Path::new("Cargo.toml"))?;
    if !section(&workspace, "[workspace.lints.rust]").any(|l| l == r#"unsafe_code = "forbid""#) {
        return Err("the lint table in `Cargo.toml` doesn't forbid `unsafe_code`".to_owned());
    }
    let members = members(&workspace);
    for member in &members {
        let manifest = sh::read(&Path::new(member).join("Cargo.toml"))?;
        if let Some(lint) = lacking(&workspace, &manifest) {
            return Err(format!(
                "`{member}/Cargo.toml` neither takes the workspace's lint table nor repeats its \
                 line `{lint}`"
            ));
        }
    }
    println!(
        "no_std holds, {} members keep the lint table",
        members.len()
    );
    Ok(())
}

/// The first line of the workspace's lint table that a member doesn't keep. It takes the table
/// whole, or repeats it: for another language's glue, whose macros write the unsafe code that can
/// only be forbidden elsewhere.
fn lacking<'a>(workspace: &'a str, member: &str) -> Option<&'a str> {
    if section(member, "[lints]").any(|l| l == "workspace = true") {
        return None;
    }
    let lacks = |table, own| {
        lint_lines(workspace, table).find(|line| lint_lines(member, own).all(|l| l != *line))
    };
    lacks("[workspace.lints.rust]", "[lints.rust]")
        .or_else(|| lacks("[workspace.lints.clippy]", "[lints.clippy]"))
}

/// The lines of a lint table but the one on unsafe code.
fn lint_lines<'a>(manifest: &'a str, head: &'static str) -> impl Iterator<Item = &'a str> {
    section(manifest, head)
        .filter(|l| !l.is_empty() && !l.starts_with('#') && !l.starts_with("unsafe_code"))
}

fn has_line(text: &str, line: &str) -> bool {
    text.lines().any(|l| l.trim() == line)
}

/// The lines of a TOML table, by its head.
fn section<'a>(manifest: &'a str, head: &str) -> impl Iterator<Item = &'a str> {
    let lines = manifest.lines().map(str::trim);
    lines
        .skip_while(move |l| *l != head)
        .skip(1)
        .take_while(|l| !l.starts_with('['))
}

/// The names in `members = ["…", …]`.
fn members(workspace: &str) -> Vec<String> {
    let list = workspace.split_once("members").map_or("", |(_, rest)| rest);
    let list = list.split_once(']').map_or("", |(inside, _)| inside);
    list.split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_ends_at_the_next() {
        let text = "[a]\nx = 1\n[lints]\nworkspace = true\n[b]\ny = 2\n";
        assert_eq!(
            section(text, "[lints]").collect::<Vec<_>>(),
            ["workspace = true"]
        );
        assert_eq!(section(text, "[c]").count(), 0);
    }

    #[test]
    fn a_table_is_taken_or_repeated() {
        let workspace = "[workspace.lints.rust]\nunsafe_code = \"forbid\"\nmissing_docs = \"deny\"\n\
                         [workspace.lints.clippy]\n# why\ntodo = \"deny\"\n";
        assert_eq!(lacking(workspace, "[lints]\nworkspace = true\n"), None);
        let own = "[lints.rust]\nmissing_docs = \"deny\"\n[lints.clippy]\ntodo = \"deny\"\n";
        assert_eq!(lacking(workspace, own), None);
        let weaker = own.replace("todo = \"deny\"", "todo = \"warn\"");
        assert_eq!(lacking(workspace, &weaker), Some("todo = \"deny\""));
        assert_eq!(lacking(workspace, ""), Some("missing_docs = \"deny\""));
    }

    #[test]
    fn members_are_read_over_lines() {
        assert_eq!(
            members("members = [\n  \"core\",\n  \"xtask\",\n]\nx = [\"y\"]"),
            ["core", "xtask"]
        );
    }
}
