//! Keys as a caller of each language types them, and the bytes that all of them make of it.

use ringshift::{Composite, KEY_BYTES_MAX, KeyRule};
use serde_json::{Value, json};

use super::hex;
use crate::vectors::unhex;

/// What a typed key becomes, or the slug that refuses it.
type Made = Result<Vec<u8>, &'static str>;

pub(super) fn typed_keys() -> Result<Vec<Value>, String> {
    typed()
        .into_iter()
        .map(|typed| {
            let mut case = json!({"key": typed});
            let (name, value) = match made(&typed)? {
                Ok(bytes) => ("bytes", written(&bytes)),
                Err(slug) => ("error", json!(slug)),
            };
            if let Some(case) = case.as_object_mut() {
                case.insert(name.to_owned(), value);
            }
            Ok(case)
        })
        .collect()
}

/// Bytes as hex; long ones as the rule that made them.
fn written(bytes: &[u8]) -> Value {
    let runs = |bytes: &[u8]| {
        (1..=4).find_map(|width| {
            let unit = bytes.get(..width)?;
            let same = bytes.chunks(width).all(|other| other == unit);
            same.then(|| json!({"repeat": hex(unit), "count": bytes.len() / width}))
        })
    };
    if bytes.len() < 300 {
        return json!(hex(bytes));
    }
    if let Some(run) = runs(bytes) {
        return run;
    }
    match bytes.split_first_chunk::<4>() {
        Some((length, rest)) => match runs(rest) {
            Some(run) => json!([hex(length), run]),
            None => json!(hex(bytes)),
        },
        None => json!(hex(bytes)),
    }
}

fn typed() -> Vec<Value> {
    let run =
        |of: &str, repeat: &str, count: usize| json!({of: {"repeat": repeat, "count": count}});
    let max = KEY_BYTES_MAX;
    let mut keys = Vec::new();
    for text in [
        "",
        "a",
        "user:42",
        "7",
        "ключ",
        "é",
        "e\u{301}",
        "鍵-Ω-🗝",
        "\0",
        "a\0b",
        "\u{feff}a",
        "\u{ffff}",
        "\u{10ffff}",
        "{user42}.cart",
        "\r\n\t ",
        "\u{2028}",
    ] {
        keys.push(json!({"text": text}));
    }
    for bytes in ["", "00", "ff", "c328", "eda080", "00ff7b7d", "f09f979d"] {
        keys.push(json!({"hex": bytes}));
    }
    keys.push(run("text", "a", max));
    keys.push(run("text", "a", max + 1));
    keys.push(run("text", "é", max / 2));
    keys.push(run("text", "é", max / 2 + 1));
    keys.push(run("text", "🗝", max / 4));
    keys.push(run("text", "🗝", max / 4 + 1));
    keys.push(run("hex", "61", max));
    keys.push(run("hex", "61", max + 1));
    for units in [
        "",
        "0061",
        "043a043b044e0447",
        "d83ddddd",
        "d83d",
        "dddd",
        "ddddd83d",
        "0061d83d",
        "d83d0061",
        "d83dd83ddddd",
        "dbffdfff",
        "d800dc00",
        "feff0061",
    ] {
        keys.push(json!({"utf16": units}));
    }
    let ints = integers();
    keys.extend(ints.iter().map(|digits| json!({"int": digits})));
    keys.extend([
        json!({"none": true}),
        json!({"float": 1.5}),
        json!({"float": -0.25}),
        json!({"float": 1e300}),
        json!({"bool": true}),
        json!({"bool": false}),
        json!({"uuid": "6ba7b810-9dad-11d1-80b4-00c04fd430c8"}),
    ]);
    keys.extend(
        composites()
            .into_iter()
            .map(|parts| json!({"parts": parts})),
    );
    keys
}

/// The edges of what languages call an integer.
fn integers() -> Vec<String> {
    let mut ints: Vec<String> = ["0", "-0", "1", "-1", "7", "42", "-9007199254740993"]
        .map(str::to_owned)
        .to_vec();
    ints.extend(
        [i64::from(i32::MIN), (1 << 53) - 1, 1 << 53, (1 << 53) + 1].map(|n| n.to_string()),
    );
    ints.extend([i64::MIN, i64::MAX].map(|n| n.to_string()));
    ints.push(u64::MAX.to_string());
    ints.push((u128::from(u64::MAX) + 1).to_string());
    ints.extend([i128::MIN, i128::MAX].map(|n| n.to_string()));
    ints
}

fn composites() -> Vec<Value> {
    let max = KEY_BYTES_MAX;
    let long = |count: usize| json!({"hex": {"repeat": "07", "count": count}});
    vec![
        json!([]),
        json!([{"text": ""}]),
        json!([{"text": "ab"}, {"text": "c"}]),
        json!([{"text": "a"}, {"text": "bc"}]),
        json!([{"text": "7"}]),
        json!([{"int": "7"}]),
        json!([{"hex": "37"}]),
        json!([{"text": "общий"}, {"int": "-19000"}, {"hex": "00ff"}]),
        json!([{"text": "鍵🗝"}, {"text": ""}, {"int": "-0"}]),
        json!([{"int": "81384788765712384"}, {"int": "18446744073709551615"}]),
        json!([{"int": i128::MAX.to_string()}, {"int": i128::MIN.to_string()}]),
        json!([{"utf16": "d83ddddd"}, {"text": "m"}]),
        json!([{"text": "m"}, {"utf16": "d83d"}]),
        json!([{"text": "m"}, {"none": true}]),
        json!([{"float": 0.5}, {"text": "m"}]),
        json!([{"bool": true}]),
        json!([{"uuid": "6ba7b810-9dad-11d1-80b4-00c04fd430c8"}]),
        json!([{"text": "a"}, {"parts": [{"text": "b"}]}]),
        json!([{"parts": []}]),
        json!([long(max - 4)]),
        json!([long(max - 3)]),
        json!([long(max - 4), {"text": ""}]),
    ]
}

/// What the core makes of it.
pub(crate) fn made(typed: &Value) -> Result<Made, String> {
    let (kind, value) = only_field(typed)?;
    let bytes = if kind == "parts" {
        let mut key = Composite::new();
        for part in value.as_array().ok_or("parts are a list")? {
            let (kind, value) = only_field(part)?;
            match scalar(kind, value)? {
                Ok(bytes) => key = key.bytes(&bytes),
                Err(slug) => return Ok(Err(slug)),
            }
        }
        match key.finish() {
            Ok(bytes) => bytes,
            Err(error) => return Ok(Err(error.code().as_str())),
        }
    } else {
        match scalar(kind, value)? {
            Ok(bytes) => bytes,
            Err(slug) => return Ok(Err(slug)),
        }
    };
    Ok(match KeyRule::Whole.routing_part(&bytes) {
        Ok(_) => Ok(bytes),
        Err(error) => Err(error.code().as_str()),
    })
}

fn only_field(typed: &Value) -> Result<(&str, &Value), String> {
    let fields = typed.as_object().filter(|fields| fields.len() == 1);
    let field = fields.and_then(|fields| fields.iter().next());
    let (kind, value) = field.ok_or_else(|| format!("`{typed}` is no typed key"))?;
    Ok((kind, value))
}

fn scalar(kind: &str, value: &Value) -> Result<Made, String> {
    let text = || match value {
        Value::String(text) => Ok(text.clone()),
        run => {
            let (repeat, count) = (run["repeat"].as_str(), run["count"].as_u64());
            let count = count.and_then(|count| usize::try_from(count).ok());
            let text = repeat
                .zip(count)
                .map(|(repeat, count)| repeat.repeat(count));
            text.ok_or_else(|| format!("`{run}` is no text"))
        }
    };
    Ok(match kind {
        "text" => Ok(text()?.into_bytes()),
        "hex" => Ok(unhex(&text()?)?),
        "utf16" => {
            let units = unhex(&text()?)?;
            let units: Vec<u16> = units
                .chunks_exact(2)
                .map(|unit| {
                    unit.iter()
                        .fold(0, |unit, byte| unit << 8 | u16::from(*byte))
                })
                .collect();
            match String::from_utf16(&units) {
                Ok(text) => Ok(text.into_bytes()),
                Err(_) => Err("key_encoding"),
            }
        }
        "int" => {
            let number: i128 = text()?.parse().map_err(|_| format!("`{value}`: no i128"))?;
            Ok(number.to_string().into_bytes())
        }
        "none" | "float" | "bool" | "uuid" | "parts" => Err("key_type"),
        other => return Err(format!("no kind of key is called `{other}`")),
    })
}
