//! How things look.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::cli::keys::readable;

/// A key in JSON: its text, and when it isn't plain UTF-8 its bytes in hex.
pub(super) fn key_fields(key: &[u8]) -> Map<String, Value> {
    let mut fields = Map::new();
    if let Ok(text) = std::str::from_utf8(key) {
        fields.insert("key".to_owned(), text.into());
    } else {
        fields.insert("key".to_owned(), readable(key).into());
        fields.insert("key_hex".to_owned(), hex(key).into());
    }
    fields
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // A string takes whatever is written to it.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Rows in columns, each as wide as its widest cell; `right` says which are numbers.
pub(super) struct Table {
    right: Vec<bool>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings; those that begin with `>` are over numbers.
    pub(super) fn new(headings: &[&str]) -> Self {
        let right = headings.iter().map(|h| h.starts_with('>')).collect();
        let row = headings
            .iter()
            .map(|h| h.trim_start_matches('>').to_owned());
        Self {
            right,
            rows: vec![row.collect()],
        }
    }

    pub(super) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    pub(super) fn text(&self) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..self.right.len()).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for ((cell, &width), &right) in row.iter().zip(&widths).zip(&self.right) {
                let gap = " ".repeat(width.saturating_sub(cell.chars().count()));
                let (before, after) = if right {
                    (gap.as_str(), "")
                } else {
                    ("", gap.as_str())
                };
                line.push_str(before);
                line.push_str(cell);
                line.push_str(after);
                line.push_str("  ");
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// A bar of `part` in a whole of `full`, `width` characters wide at most, in eighths.
pub(super) fn bar(part: u64, full: u64, width: u64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (u128::from(part) * u128::from(width) * 8)
        .checked_div(u128::from(full))
        .unwrap_or(0)
        .min(u128::from(width) * 8);
    let whole = usize::try_from(eighths / 8).unwrap_or(0);
    let rest = usize::try_from(eighths % 8).unwrap_or(0);
    let mut text = "█".repeat(whole);
    text.push_str(EIGHTHS.get(rest).copied().unwrap_or_default());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_in_proportion() {
        assert_eq!(bar(8, 8, 4), "████");
        assert_eq!(bar(1, 2, 4), "██");
        assert_eq!(bar(1, 8, 4), "▌");
        assert_eq!(bar(0, 8, 4), "");
        assert_eq!(bar(1, 0, 4), "");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&["name", ">slots"]);
        table.row(vec!["a".to_owned(), "12345678".to_owned()]);
        assert_eq!(table.text(), "name     slots\na     12345678\n");
    }
}
