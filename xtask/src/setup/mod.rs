//! Installs what the tests need: the ordinary way first, then Debian's packages, and where
//! neither goes, the words to say what is missing. Quick when everything is there.

pub(crate) mod browser;
mod debian;
pub(crate) mod node;
pub(crate) mod python;
mod rust;
mod stamp;

/// What is still missing, and how to get it: a line for people each.
type Missing = Vec<String>;

/// The command. Fails when something that the gate requires is still missing at its end.
pub(crate) fn run() -> Result<(), String> {
    let mut missing = Missing::new();
    rust::install(&mut missing);
    node::install(&mut missing);
    python::install(&mut missing);
    browser::install(&mut missing);
    if missing.is_empty() {
        println!("everything that the tests need is here");
        return Ok(());
    }
    Err(format!("still missing:\n  - {}", missing.join("\n  - ")))
}
