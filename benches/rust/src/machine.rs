//! On what, when and with what a run was made, as far as the machine says.

use std::process::Command;

use crate::figures::Figures;

/// Adds it under `run`.
pub(crate) fn note(figures: &mut Figures) {
    let said = [
        ("date", output("date", &["-u", "+%Y-%m-%d %H:%M UTC"])),
        ("cpu", cpu()),
        ("rustc", output("rustc", &["--version"])),
        ("versions", versions(include_str!("../Cargo.lock"))),
    ];
    for (field, value) in said {
        println!("{field}: {value}");
        figures.note("run", field, value);
    }
}

/// How many want the processors, over the last minute.
pub(crate) fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let first = text.split_whitespace().next();
    first.unwrap_or("unknown").to_owned()
}

fn cpu() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let mut lines = text.lines().filter(|line| line.starts_with(name));
        let value = lines.next().and_then(|line| line.split_once(':'));
        value.map_or("unknown", |(_, value)| value.trim())
    };
    let count = text.lines().filter(|line| line.starts_with("processor"));
    format!(
        "{} x {} (family {}, model {})",
        count.count(),
        field("model name"),
        field("cpu family"),
        field("model\t"),
    )
}

fn output(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().ok();
    let text = output.and_then(|output| String::from_utf8(output.stdout).ok());
    text.map_or_else(|| "unknown".to_owned(), |text| text.trim().to_owned())
}

/// The peers' versions, and the hash's, as the lock file has them.
fn versions(lock: &str) -> String {
    let wanted = [
        "anchorhash",
        "consistent_hash_ring",
        "hashring",
        "hrw-hash",
        "jumpch",
        "maglev",
        "mpchash",
        "pingora-ketama",
        "twox-hash",
    ];
    let mut versions = Vec::new();
    for package in lock.split("[[package]]") {
        let field = |name: &str| {
            let head = format!("{name} = \"");
            let line = package.lines().find_map(|line| line.strip_prefix(&head));
            line.map(|line| line.trim_end_matches('"'))
        };
        if let (Some(name), Some(version)) = (field("name"), field("version"))
            && wanted.contains(&name)
        {
            versions.push(format!("{name} {version}"));
        }
    }
    versions.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_those_of_the_lock_file() {
        let versions = versions(include_str!("../Cargo.lock"));
        assert_eq!(versions.split(", ").count(), 9, "{versions}");
        assert!(versions.contains("pingora-ketama 0.9."), "{versions}");
    }
}
