//! The chart of a run: what a key costs in a stream, on a scale of powers of ten.

use std::fmt::Write;

use crate::figures::Figures;
use crate::limits::plain;
use crate::lookups::{OURS, SIZES};

const LINE: f64 = 18.0;
const LABELS: f64 = 210.0;
const BARS: f64 = 420.0;
/// One and a hundred thousand nanoseconds: the ends of the scale, as powers of ten.
const DECADES: f64 = 5.0;

/// The chart as SVG. Ours are blue, the floor and the limit grey, peers orange.
pub(crate) fn svg(figures: &Figures) -> String {
    let mut body = String::new();
    let mut y = 0.0;
    for size in SIZES {
        y += 2.0 * LINE;
        let _ = writeln!(
            body,
            r#"<text x="10" y="{y}" font-weight="bold">{size} shards, stream: ns a key</text>"#
        );
        for (name, ns) in sorted(figures, size) {
            y += LINE;
            line(&mut body, y, name, ns);
        }
    }
    let (width, height) = (LABELS + BARS + 90.0, y + LINE);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{body}</svg>\n"
    )
}

fn sorted(figures: &Figures, size: u32) -> Vec<(&str, f64)> {
    let end = format!("/stream/{size}");
    let mut all: Vec<(&str, f64)> = figures
        .0
        .keys()
        .filter_map(|name| Some((name.strip_suffix(&end)?, figures.get(name, "median_ns")?)))
        .collect();
    all.sort_by(|a, b| a.1.total_cmp(&b.1));
    all
}

fn line(body: &mut String, y: f64, name: &str, ns: f64) {
    let colour = match name {
        "floor" | "limit" => "#888888",
        name if OURS.contains(&name) => "#1f77b4",
        _ => "#ff9d45",
    };
    let width = BARS * (ns.max(1.0).log10() / DECADES).min(1.0);
    let (text, bar) = (LABELS - 8.0, y - 11.0);
    let _ = writeln!(
        body,
        r#"<text x="{text}" y="{y}" text-anchor="end">{name}</text><rect x="{LABELS}" y="{bar}" width="{width:.1}" height="13" fill="{colour}"/><text x="{:.1}" y="{y}">{}</text>"#,
        LABELS + width + 5.0,
        plain(ns),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_grow_with_the_logarithm() {
        let mut figures = Figures::default();
        for (name, ns) in [("limit", 1.0), ("route", 10.0), ("maglev", 100_000.0)] {
            figures.number(&format!("{name}/stream/8"), "median_ns", ns);
        }
        let svg = svg(&figures);
        for width in ["0.0", "84.0", "420.0"] {
            assert!(
                svg.contains(&format!(r#"width="{width}" height="13""#)),
                "{svg}"
            );
        }
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
    }
}
