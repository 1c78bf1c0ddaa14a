//! What was promised, and whether it holds.

use serde_json::json;

use crate::figures::Figures;
use crate::lookups::SIZES;

/// A figure and its bound.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Limit {
    /// What is promised, for people.
    pub(crate) about: String,
    /// Where it is measured: a figure's name, and its field.
    figure: String,
    field: &'static str,
    pub(crate) bound: f64,
    pub(crate) at_least: bool,
}

/// A limit, judged. Without a value it wasn't measured, and doesn't hold.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Judged {
    pub(crate) limit: Limit,
    pub(crate) value: Option<f64>,
    pub(crate) holds: bool,
}

/// All of them, judged by `figures`.
pub(crate) fn judge(figures: &Figures) -> Vec<Judged> {
    let judged = |limit: Limit| {
        let value = figures.get(&limit.figure, limit.field);
        let holds = value.is_some_and(|value| {
            if limit.at_least {
                value >= limit.bound
            } else {
                value <= limit.bound
            }
        });
        Judged {
            limit,
            value,
            holds,
        }
    };
    all().into_iter().map(judged).collect()
}

/// The judged limits as figures: under `limit-check/` and the name of what was measured.
pub(crate) fn note(figures: &mut Figures, judged: &[Judged]) {
    for Judged {
        limit,
        value,
        holds,
    } in judged
    {
        let name = format!("limit-check/{}/{}", limit.figure, limit.field);
        let bound = if limit.at_least {
            "at_least"
        } else {
            "at_most"
        };
        let check =
            json!({ "about": limit.about, "value": value, bound: limit.bound, "holds": holds });
        figures.0.insert(name, check);
    }
}

impl Judged {
    /// One line of a table.
    pub(crate) fn row(&self) -> [String; 4] {
        let sign = if self.limit.at_least { "≥" } else { "≤" };
        [
            self.limit.about.clone(),
            format!("{sign} {}", plain(self.limit.bound)),
            self.value.map_or_else(|| "not measured".to_owned(), plain),
            if self.holds { "holds" } else { "**MISSED**" }.to_owned(),
        ]
    }
}

/// A number without digits that say nothing.
pub(crate) fn plain(value: f64) -> String {
    let digits = match value.abs() {
        0.0..10.0 => 2,
        10.0..1_000.0 => 1,
        _ => 0,
    };
    let text = format!("{value:.digits$}");
    if text.contains('.') {
        let text = text.trim_end_matches('0').trim_end_matches('.');
        return text.to_owned();
    }
    text
}

fn at_most(about: String, figure: String, field: &'static str, bound: f64) -> Limit {
    Limit {
        about,
        figure,
        field,
        bound,
        at_least: false,
    }
}

fn at_least(about: String, figure: String, field: &'static str, bound: f64) -> Limit {
    Limit {
        at_least: true,
        ..at_most(about, figure, field, bound)
    }
}

fn all() -> Vec<Limit> {
    let mut all = routes();
    all.extend(peers());
    all.extend(changes());
    all
}

/// Against the hash and one load.
fn routes() -> Vec<Limit> {
    let mut all = Vec::new();
    for (name, what, bound) in [
        ("route", "route of a stable key", 1.15),
        (
            "route-overrides",
            "with 10,000 overrides of other keys",
            1.3,
        ),
        ("route-wave", "of a key in a wave", 2.0),
    ] {
        for mode in ["stream", "dependent"] {
            for size in SIZES {
                all.push(at_most(
                    format!("{what} / limit, {mode}, {size} shards"),
                    format!("{name}/{mode}/{size}"),
                    "ratio_to_limit",
                    bound,
                ));
            }
        }
    }
    for (mode, bound) in [("stream", 1.0), ("cold", 0.7)] {
        for size in SIZES {
            all.push(at_most(
                format!("route_many / route, {mode}, {size} shards"),
                format!("route_many/{mode}/{size}"),
                "ratio_to_route",
                bound,
            ));
        }
    }
    all
}

/// Against what others have.
fn peers() -> Vec<Limit> {
    let mut all = Vec::new();
    for (size, bound) in SIZES.into_iter().zip([5.0, 5.0, 10.0]) {
        all.push(at_least(
            format!("fastest ring crate as installed / route, stream, {size} x 160"),
            format!("route/stream/{size}"),
            "times_faster_than_best_ring",
            bound,
        ));
    }
    for mode in ["stream", "cold", "dependent"] {
        for size in SIZES {
            all.push(at_least(
                format!("fastest of all peers / route, {mode}, {size} shards"),
                format!("route/{mode}/{size}"),
                "times_faster_than_best_peer",
                1.0,
            ));
        }
    }
    all.push(at_least(
        "pingora-ketama's ring build / ours, 1,000 x 160".to_owned(),
        "ring_build/1000x160".to_owned(),
        "times_faster_than_pingora_ketama",
        2.0,
    ));
    all
}

/// What a change costs, and what an operation does.
fn changes() -> Vec<Limit> {
    let mut all = Vec::new();
    for (shards, ms) in [(64, 3.0), (5_000, 30.0)] {
        all.push(at_most(
            format!("add one shard to {shards}: plan and compile, ns ({ms} ms)"),
            format!("add_one_shard/{shards}"),
            "median_ns",
            ms * 1e6,
        ));
    }
    for shards in [64, 1_000] {
        all.push(at_most(
            format!("compile 2^16 slots, {shards} shards, ns (1 ms)"),
            format!("compile/16/{shards}"),
            "median_ns",
            1e6,
        ));
    }
    for bits in [16, 20] {
        for shards in [64, 1_000] {
            all.push(at_most(
                format!("router's bytes beside 4 a slot, 2^{bits} slots, {shards} shards"),
                format!("memory/{bits}/{shards}"),
                "bytes_beside_4_a_slot",
                65_536.0,
            ));
        }
    }
    for (bits, shards) in [(16, 7), (16, 65), (20, 1_000), (20, 5_000)] {
        all.push(at_most(
            format!(
                "fullest shard / its share, {shards} shards of weights 0.3 to 3, 2^{bits} slots"
            ),
            format!("balance/balanced/{bits}/{shards}"),
            "max_over_mean",
            1.01,
        ));
        all.push(at_most(
            format!("slots off the exact share, {shards} shards, 2^{bits} slots"),
            format!("balance/balanced/{bits}/{shards}"),
            "slots_off_max",
            1.0,
        ));
    }
    for name in ["read", "write"] {
        let figure = format!("operation/{name}");
        let about = format!("a {name} of a stable key, plan to Done, ns");
        all.push(at_most(about, figure.clone(), "median_ns", 150.0));
        let about = format!("allocations of 100,000 {name}s");
        all.push(at_most(about, figure, "allocations", 0.0));
    }
    all
}

/// How many hold, of how many.
pub(crate) fn summary(judged: &[Judged]) -> String {
    let hold = judged.iter().filter(|judged| judged.holds).count();
    format!("{hold} of {} limits hold", judged.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_holds_by_what_was_measured_and_never_by_silence() {
        let mut figures = Figures::default();
        figures.number("route/stream/8", "ratio_to_limit", 1.15);
        figures.number("route/stream/64", "ratio_to_limit", 1.16);
        figures.number("route/stream/8", "times_faster_than_best_ring", 5.5);
        let judged = judge(&figures);
        note(&mut figures, &judged);
        let held = |name: &str| {
            let check = figures.0.get(&format!("limit-check/route/{name}"));
            check.and_then(|check| check.get("holds")?.as_bool())
        };
        assert_eq!(held("stream/8/ratio_to_limit"), Some(true));
        assert_eq!(held("stream/64/ratio_to_limit"), Some(false));
        assert_eq!(held("stream/1000/ratio_to_limit"), Some(false));
        assert_eq!(held("stream/8/times_faster_than_best_ring"), Some(true));
        assert!(summary(&judged).starts_with("2 of "));
    }

    #[test]
    fn numbers_are_short() {
        let all = [0.0, 1.15, 3.0, 12.34, 150.0, 3_000_000.0].map(plain);
        assert_eq!(all, ["0", "1.15", "3", "12.3", "150", "3000000"]);
    }
}
