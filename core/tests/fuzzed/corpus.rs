//! The inputs that a target begins with.

use std::fs;
use std::path::Path;

use crate::targets::Target;

/// What the vectors make, and what `NAME.txt` in `folder` holds: one input a line, in hex, under
/// lines that say why it is there.
pub(crate) fn of(target: &Target, folder: &str) -> Vec<Vec<u8>> {
    let file = Path::new(folder).join(target.name).with_extension("txt");
    let text = fs::read_to_string(&file).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let kept = lines.map(|line| {
        let pairs = line.as_bytes().chunks(2);
        let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        pairs.map(byte).collect()
    });
    let mut all: Vec<Vec<u8>> = kept.collect();
    all.extend((target.seeds)());
    all.push(Vec::new());
    all
}
