//! The page that shows a run: `benches/README.md`, between its markers.

use std::fmt::Write;

use crate::figures::Figures;
use crate::limits::{Judged, plain, summary};
use crate::lookups::SIZES;

const BEGIN: &str = "<!-- begin: written by `cargo xtask bench --language rust` -->";
const END: &str = "<!-- end -->";

/// `page` with the run in place of what stood between the markers.
///
/// # Errors
/// Where a marker is missing.
pub(crate) fn put(page: &str, run: &str) -> Result<String, String> {
    let lacks = |marker: &str| format!("the page lacks its marker `{marker}`");
    let (before, rest) = page.split_once(BEGIN).ok_or_else(|| lacks(BEGIN))?;
    let (_, after) = rest.split_once(END).ok_or_else(|| lacks(END))?;
    Ok(format!("{before}{BEGIN}\n\n{run}\n{END}{after}"))
}

/// A run as Markdown.
pub(crate) fn markdown(figures: &Figures, judged: &[Judged]) -> String {
    let mut text = String::new();
    let field = |field: &str| figures.text("run", field).unwrap_or("unknown").to_owned();
    let _ = writeln!(
        text,
        "{}, {}, {}. {} keys of {} bytes on average, {} rounds. Load of the machine before and after: \
         {} and {}. Crates: {}.\n",
        field("date"),
        field("cpu"),
        field("rustc"),
        plain(figures.get("run", "keys").unwrap_or(0.0)),
        plain(figures.get("run", "key_bytes").unwrap_or(0.0)),
        plain(figures.get("run", "rounds").unwrap_or(0.0)),
        field("load_before"),
        field("load_after"),
        field("versions"),
    );
    text.push_str("![Nanoseconds a key, by candidate](route.svg)\n\n");
    text.push_str(&lookups(figures));
    let _ = writeln!(text, "\n### Limits\n\n{}:\n", summary(judged));
    let rows = judged.iter().map(|judged| judged.row().to_vec()).collect();
    text.push_str(&table(&["What", "Limit", "Measured", ""], rows));
    text.push_str("\n### Once a change, and each operation\n\n");
    text.push_str(&changes(figures));
    text.push_str("\n### Shares, movement, memory\n\n");
    text.push_str(&shares(figures));
    text.push_str("\n### Cost curves\n\n");
    text.push_str(&curves(figures));
    text
}

fn table(head: &[&str], rows: Vec<Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
    let rule: Vec<String> = head.iter().map(|_| "---".to_owned()).collect();
    let mut text = line(&head) + &line(&rule);
    for row in rows {
        text += &line(&row);
    }
    text
}

/// Who was looked up, in the order of the first mode and size.
fn candidates(figures: &Figures) -> Vec<&str> {
    let names = figures.0.keys();
    names
        .filter_map(|name| name.strip_suffix("/stream/8"))
        .collect()
}

/// Every candidate in every mode, as stream / cold / dependent.
fn lookups(figures: &Figures) -> String {
    let mut rows = Vec::new();
    for name in candidates(figures) {
        let mut row = vec![name.to_owned()];
        for size in SIZES {
            let cells = ["stream", "cold", "dependent"].map(|mode| {
                let ns = figures.get(&format!("{name}/{mode}/{size}"), "median_ns");
                ns.map_or_else(|| "-".to_owned(), plain)
            });
            row.push(cells.join(" / "));
        }
        rows.push(row);
    }
    let head = ["ns a key: stream / cold / dependent", "8", "64", "1,000"];
    table(&head, rows)
}

fn changes(figures: &Figures) -> String {
    let mut rows = Vec::new();
    for (name, figure) in &figures.0 {
        let route = name.ends_with(|digit: char| digit.is_ascii_digit())
            && ["/stream/", "/cold/", "/dependent/"]
                .iter()
                .any(|mode| name.contains(mode));
        if route || name.starts_with("curve/") {
            continue;
        }
        let Some(ns) = figures.get(name, "median_ns") else {
            continue;
        };
        let time = if name.starts_with("operation/") {
            format!("{} ns", plain(ns))
        } else {
            format!("{} us", plain(ns / 1e3))
        };
        let bytes = figure.get("bytes").and_then(serde_json::Value::as_f64);
        let bytes = bytes.map_or_else(String::new, |bytes| format!("{} bytes", plain(bytes)));
        rows.push(vec![format!("`{name}`"), time, bytes]);
    }
    table(&["What", "Median", "Size"], rows)
}

fn shares(figures: &Figures) -> String {
    let mut rows = Vec::new();
    for (name, figure) in &figures.0 {
        let kinds = ["balance/", "moved/", "memory/"];
        if !kinds.iter().any(|kind| name.starts_with(kind)) {
            continue;
        }
        let fields = figure.as_object().into_iter().flatten();
        let cells = fields.map(|(field, value)| {
            let value = value.as_f64().unwrap_or(f64::NAN);
            let digits = if field.starts_with("share") { 4 } else { 2 };
            if value.fract() == 0.0 {
                format!("{field} {value:.0}")
            } else {
                format!("{field} {value:.digits$}")
            }
        });
        rows.push(vec![
            format!("`{name}`"),
            cells.collect::<Vec<_>>().join(", "),
        ]);
    }
    table(&["What", "Figures"], rows)
}

/// One line a point: what a route costs in a stream, with a bar, and what a change of it costs.
fn curves(figures: &Figures) -> String {
    let names: Vec<&str> = figures
        .0
        .keys()
        .filter_map(|name| name.strip_prefix("curve/route/"))
        .collect();
    let ns = |kind: &str, name: &str| figures.get(&format!("curve/{kind}/{name}"), "median_ns");
    let longest = names.iter().filter_map(|name| ns("route", name));
    let longest = longest.fold(1.0, f64::max);
    let mut rows = Vec::new();
    for name in names {
        let route = ns("route", name).unwrap_or(0.0);
        let bytes = figures.get(&format!("curve/memory/{name}"), "bytes");
        rows.push(vec![
            name.replace('/', " "),
            format!("{} `{}`", plain(route), bar(route / longest)),
            plain(ns("compile", name).unwrap_or(0.0) / 1e3),
            plain(ns("decode", name).unwrap_or(0.0) / 1e3),
            bytes.map_or_else(String::new, plain),
        ]);
    }
    let head = [
        "With",
        "route, stream, ns",
        "compile, us",
        "decode, us",
        "router, bytes",
    ];
    table(&head, rows)
}

/// Twenty places, so many of them filled.
fn bar(part: f64) -> String {
    (0..20)
        .map(|place| {
            if f64::from(place) < part * 20.0 {
                '#'
            } else {
                '.'
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_markers_is_replaced() {
        let page = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let put_once = put(&page, "new");
        let wanted = format!("before\n{BEGIN}\n\nnew\n{END}\nafter\n");
        assert_eq!(put_once.as_ref(), Ok(&wanted));
        assert_eq!(put(&wanted, "new"), put_once);
        assert!(put("no markers", "new").is_err());
    }

    #[test]
    fn a_run_has_a_row_for_each_candidate_and_each_limit() {
        let mut figures = Figures::default();
        figures.number("limit/stream/8", "median_ns", 4.0);
        figures.number("route/stream/8", "median_ns", 4.25);
        figures.number("decode/16/64", "median_ns", 1_500.0);
        figures.number("curve/route/shards/8", "median_ns", 4.0);
        let judged = crate::limits::judge(&figures);
        let text = markdown(&figures, &judged);
        assert!(
            text.contains("| route | 4.25 / - / - | - / - / - |"),
            "{text}"
        );
        assert!(text.contains("| `decode/16/64` | 1.5 us |  |"), "{text}");
        assert!(
            text.contains("| shards 8 | 4 `####################` |"),
            "{text}"
        );
        assert_eq!(text.matches("**MISSED**").count(), judged.len());
    }

    #[test]
    fn bars_are_in_proportion() {
        assert_eq!(bar(0.5), "##########..........");
        assert_eq!(bar(0.0), "....................");
    }
}
