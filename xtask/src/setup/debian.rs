//! Debian's packages, for what can't be had the ordinary way.

use std::path::Path;

use crate::sh::Sh;

/// Whether this is Debian, or made of it.
pub(super) fn is_here() -> bool {
    Path::new("/etc/debian_version").exists()
}

/// Installs packages, their names separated by spaces. Fails where that can't be.
pub(super) fn apt(packages: &str) -> Result<(), String> {
    if !is_here() {
        return Err("this is not Debian".to_owned());
    }
    if Sh::new("id -u").output().as_deref() != Some("0") {
        return Err(format!(
            "apt-get needs root: `sudo apt-get install {packages}`"
        ));
    }
    // An index that can't be refreshed may still be good enough.
    if let Err(why) = Sh::new("apt-get update -q").run() {
        println!("{why}; going on with the index as it is");
    }
    Sh::new("apt-get install -y -q --no-install-recommends")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(packages)
        .run()
}

/// The major version of a package that `apt-get install` would bring, 20 of `20.20.2-1`.
pub(super) fn candidate_major(package: &str) -> Option<u32> {
    let policy = Sh::new("apt-cache policy").arg(package).output()?;
    candidate(&policy)
}

fn candidate(policy: &str) -> Option<u32> {
    let line = policy
        .lines()
        .find_map(|line| line.trim().strip_prefix("Candidate:"))?;
    // Some versions have an epoch in front: `1:5.0-2`.
    let version = line.rsplit(':').next()?.trim();
    version.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_candidate_is_read() {
        let policy = "nodejs:\n  Installed: (none)\n  Candidate: 1:18.19.0+dfsg-6~deb12u2\n";
        assert_eq!(candidate(policy), Some(18));
        assert_eq!(candidate("nodejs:\n  Candidate: (none)\n"), None);
    }
}
