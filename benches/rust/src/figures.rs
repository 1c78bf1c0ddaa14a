//! What was measured, by name: one JSON object of objects.

use serde_json::{Map, Value, json};

use crate::measure::Timing;

/// The figures, in the order in which they were measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Figures(pub(crate) Map<String, Value>);

impl Figures {
    /// Adds what a candidate took, under `name`.
    pub(crate) fn time(&mut self, name: &str, timing: &Timing) {
        let figure = json!({
            "median_ns": rounded(timing.median()),
            "min_ns": rounded(timing.min()),
            "max_ns": rounded(timing.max()),
            "calls": timing.calls,
            "rounds": timing.rounds.len(),
        });
        self.0.insert(name.to_owned(), figure);
    }

    /// Adds one field to the figure of that name, which it makes if there is none.
    pub(crate) fn note(&mut self, name: &str, field: &str, value: impl Into<Value>) {
        let figure = self.0.entry(name).or_insert_with(|| json!({}));
        if let Value::Object(figure) = figure {
            figure.insert(field.to_owned(), value.into());
        }
    }

    /// Adds a ratio, or whatever else is a number with a fraction.
    pub(crate) fn number(&mut self, name: &str, field: &str, value: f64) {
        self.note(name, field, rounded(value));
    }

    /// A field's number.
    pub(crate) fn get(&self, name: &str, field: &str) -> Option<f64> {
        self.0.get(name)?.get(field)?.as_f64()
    }

    /// A field's text.
    pub(crate) fn text(&self, name: &str, field: &str) -> Option<&str> {
        self.0.get(name)?.get(field)?.as_str()
    }
}

/// With four digits behind the point: more is noise.
fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_an_object_under_its_name() {
        let timing = Timing {
            name: String::new(),
            calls: 10,
            rounds: vec![3.0, 1.0, 2.000_01],
        };
        let mut figures = Figures::default();
        figures.time("route/stream/64", &timing);
        figures.number("route/stream/64", "ratio_to_limit", 1.25);
        figures.note("route/stream/64", "best_ring", "a");
        let text = Value::Object(figures.0.clone()).to_string();
        assert_eq!(
            text,
            r#"{"route/stream/64":{"median_ns":2.0,"min_ns":1.0,"max_ns":3.0,"calls":10,"rounds":3,"ratio_to_limit":1.25,"best_ring":"a"}}"#
        );
        assert_eq!(figures.get("route/stream/64", "max_ns"), Some(3.0));
        assert_eq!(figures.text("route/stream/64", "best_ring"), Some("a"));
        assert_eq!(figures.get("route/stream/8", "max_ns"), None);
    }
}
