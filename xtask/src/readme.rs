//! The JavaScript and Python of the READMEs, run as they stand there, against the packages as they
//! are published. (The Rust is run by the core's doc tests.)

use std::fs;
use std::path::{Path, PathBuf};

use crate::package;
use crate::python;
use crate::sh::{self, Sh};

const READMES: [&str; 3] = [
    "README.md",
    "bindings-wasm/README.md",
    "bindings-python/README.md",
];

/// The step.
pub(crate) fn run() -> Result<(), String> {
    let folder = sh::target_dir().join("readme");
    let modules = folder.join("node_modules/ringshift");
    fs::create_dir_all(&modules).map_err(|e| format!("`{}`: {e}", modules.display()))?;
    Sh::new("tar --strip-components 1 -xzf")
        .arg(package::tarball()?.display().to_string())
        .arg("-C")
        .arg(modules.display().to_string())
        .run()?;
    for readme in READMES {
        let text = sh::read(Path::new(readme))?;
        let name = readme.replace('/', "-");
        for (number, code) in blocks(&text, "js").iter().enumerate() {
            let file = written(&folder, &format!("{name}-{number}.mjs"), code)?;
            Sh::new("node").arg(file.display().to_string()).run()?;
        }
        for (number, code) in blocks(&text, "python").iter().enumerate() {
            let file = written(&folder, &format!("{name}-{number}.py"), code)?;
            python::python().arg(file.display().to_string()).run()?;
        }
    }
    Ok(())
}

fn written(folder: &Path, name: &str, code: &str) -> Result<PathBuf, String> {
    let file = folder.join(name);
    fs::write(&file, code).map_err(|e| format!("`{}`: {e}", file.display()))?;
    Ok(file)
}

/// The fenced blocks of a language, in their order.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Option<String> = None;
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(word)) if word == language => open = Some(String::new()),
            (Some(_), Some("")) => found.extend(open.take()),
            (Some(code), _) => {
                code.push_str(line);
                code.push('\n');
            }
            (None, _) => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_by_their_language() {
        let text = "a\n```js\none\n```\n```rust\ntwo\n```\n```js\nthree\nfour\n```\n";
        assert_eq!(blocks(text, "js"), ["one\n", "three\nfour\n"]);
        assert_eq!(blocks(text, "python"), Vec::<String>::new());
    }
}
