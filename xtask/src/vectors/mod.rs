//! The test vectors: answers written down once, which every language must give.
//!
//! A file that changes means that keys move in somebody's cluster. So the committed file is the
//! contract, and `--check` fails when the code would write another.

pub(crate) mod clusters;
mod coordinator;
mod deltas;
mod errors;
mod gates;
pub(crate) mod operation;
pub(crate) mod placement;
mod plans;
mod snapshot;
pub(crate) mod transactions;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

/// One table of a file.
pub(crate) struct Section {
    name: &'static str,
    /// What the cases show, and how to read them.
    about: &'static str,
    cases: Vec<Value>,
}

/// Makes the sections of one file.
type Maker = fn() -> Result<Vec<Section>, String>;

/// File names below `core/tests/vectors`, and what makes them.
const FILES: &[(&str, Maker)] = &[
    ("placement.json", placement::sections),
    ("snapshot.json", snapshot::sections),
    ("deltas.json", deltas::sections),
    ("operation.json", operation::sections),
    ("transactions.json", transactions::sections),
    ("plans.json", plans::sections),
    ("gates.json", gates::sections),
    ("coordinator.json", coordinator::sections),
    ("errors.json", errors::sections),
];

/// The command: writes every file, or with `check` compares instead.
pub(crate) fn run(check: bool) -> Result<(), String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/tests/vectors");
    let mut stale = Vec::new();
    for (name, maker) in FILES {
        let text = render(&maker()?)?;
        let path = folder.join(name);
        if check {
            // Git may have given the file the line ends of its system.
            let there = fs::read_to_string(&path).unwrap_or_default();
            if there.replace("\r\n", "\n") != text {
                stale.push(*name);
            }
        } else {
            fs::write(&path, text).map_err(|e| format!("`{name}` can't be written: {e}"))?;
        }
    }
    if stale.is_empty() {
        println!(
            "{} vector files {}",
            FILES.len(),
            if check { "agree" } else { "written" }
        );
        return Ok(());
    }
    Err(format!(
        "the code gives other answers than `{}`; if that is meant, every user's keys move: run `cargo xtask vectors` and say why in the changelog",
        stale.join("`, `")
    ))
}

/// The file: one line a case, so that a diff shows which.
fn render(sections: &[Section]) -> Result<String, String> {
    let mut text = String::from("{\n");
    for (n, section) in sections.iter().enumerate() {
        let about = quoted(section.about)?;
        let _ = write!(
            text,
            "\"{}\": {{\n  \"about\": {about},\n  \"cases\": [\n",
            section.name
        );
        for (n, case) in section.cases.iter().enumerate() {
            let case = serde_json::to_string(case).map_err(|e| e.to_string())?;
            let comma = if n + 1 < section.cases.len() { "," } else { "" };
            let _ = writeln!(text, "    {case}{comma}");
        }
        let comma = if n + 1 < sections.len() { "," } else { "" };
        let _ = writeln!(text, "  ]\n}}{comma}");
    }
    text.push_str("}\n");
    Ok(text)
}

/// The bytes that hex writes.
pub(crate) fn unhex(text: &str) -> Result<Vec<u8>, String> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| {
            let pair = std::str::from_utf8(pair).ok();
            pair.and_then(|pair| u8::from_str_radix(pair, 16).ok())
                .ok_or_else(|| format!("`{text}` is no hex"))
        })
        .collect()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn quoted(text: &str) -> Result<String, String> {
    serde_json::to_string(text).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_rendered_is_json_with_a_line_a_case() -> Result<(), String> {
        let cases = vec![json!({"n": 1}), json!({"n": 2})];
        let sections = [Section {
            name: "tens",
            about: "a \"quote\"",
            cases,
        }];
        let text = render(&sections)?;
        assert!(text.contains("\n    {\"n\":1},\n    {\"n\":2}\n"));
        let value: Value = serde_json::from_str(&text).map_err(|e| e.to_string())?;
        assert_eq!(
            value,
            json!({"tens": {"about": "a \"quote\"", "cases": [{"n": 1}, {"n": 2}]}})
        );
        Ok(())
    }
}
