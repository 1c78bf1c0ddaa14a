//! CSV (RFC 4180) and JSON lines to records.

use std::collections::HashMap;

use csv::{ByteRecord, ReaderBuilder};
use serde_json::{Map, Value};

use super::{Dataset, DatasetError, KEY_BYTES_MAX, Record};

/// The names under which a record may carry its key.
const KEY_NAMES: [&str; 2] = ["id", "key"];

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads records; an input whose first visible byte is `{` is JSON lines, any other is CSV.
pub(super) fn parse(bytes: &[u8], source: &str) -> Result<Dataset, DatasetError> {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let text = str::from_utf8(bytes).map_err(|error| {
        let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let ends = good.split(|byte| *byte == b'\n').count();
        DatasetError::NotUtf8 {
            line: u64::try_from(ends).unwrap_or(u64::MAX),
        }
    })?;
    let mut gathered = Gathered::default();
    if text.trim_start().starts_with('{') {
        json_lines(text, &mut gathered)?;
    } else {
        csv(text, &mut gathered)?;
    }
    if gathered.records.is_empty() {
        return Err(DatasetError::Empty);
    }
    Ok(Dataset {
        source: source.to_owned(),
        records: gathered.records,
        duplicates: gathered.duplicates,
    })
}

/// The records so far; a key that comes again replaces its value.
#[derive(Default)]
struct Gathered {
    records: Vec<Record>,
    places: HashMap<String, usize>,
    duplicates: usize,
}

impl Gathered {
    fn add(&mut self, line: u64, key: &str, value: &[u8]) -> Result<(), DatasetError> {
        let key = if key.is_empty() {
            line.to_string()
        } else {
            key.to_owned()
        };
        if key.len() > KEY_BYTES_MAX {
            let bytes = key.len();
            return Err(DatasetError::KeyTooLong { line, bytes });
        }
        let value = value.to_vec();
        let known = self.places.get(&key);
        if let Some(record) = known.and_then(|place| self.records.get_mut(*place)) {
            record.value = value;
            self.duplicates += 1;
            return Ok(());
        }
        self.places.insert(key.clone(), self.records.len());
        self.records.push(Record { key, value });
        Ok(())
    }
}

/// A first row with a cell `id` or `key` is a header, and that cell names the key's column.
fn csv(text: &str, gathered: &mut Gathered) -> Result<(), DatasetError> {
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .from_reader(text.as_bytes());
    let mut column = None;
    let mut row = ByteRecord::new();
    loop {
        let more = reader.read_byte_record(&mut row);
        let line = row.position().map_or(0, csv::Position::line);
        let more = more.map_err(|error| DatasetError::BadCsv {
            line: error.position().map_or(line, csv::Position::line),
            cause: match error.kind() {
                csv::ErrorKind::UnequalLengths {
                    expected_len, len, ..
                } => format!("{len} fields, but the first row has {expected_len}"),
                _ => error.to_string(),
            },
        })?;
        if !more {
            return Ok(());
        }
        let place = if let Some(place) = column {
            place
        } else {
            let is_key = |cell: &[u8]| {
                let cell = cell.trim_ascii();
                KEY_NAMES
                    .iter()
                    .any(|name| cell.eq_ignore_ascii_case(name.as_bytes()))
            };
            let named = row.iter().position(is_key);
            column = Some(named.unwrap_or_default());
            if named.is_some() {
                continue;
            }
            0
        };
        let byte = |position: Option<&csv::Position>| {
            position.and_then(|position| usize::try_from(position.byte()).ok())
        };
        let range = byte(row.position()).zip(byte(Some(reader.position())));
        let raw = range
            .and_then(|(from, to)| text.get(from..to))
            .unwrap_or("");
        let key = row.get(place).and_then(|cell| str::from_utf8(cell).ok());
        let value = raw.trim_matches(['\r', '\n']);
        gathered.add(line, key.unwrap_or(""), value.as_bytes())?;
    }
}

fn json_lines(text: &str, gathered: &mut Gathered) -> Result<(), DatasetError> {
    for (line, number) in text.lines().zip(1_u64..) {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let object: Map<String, Value> =
            serde_json::from_str(line).map_err(|error| DatasetError::BadJson {
                line: number,
                // The line in the message of the parser is always 1.
                cause: format!("{error}").replace(" at line 1 column", " at column"),
            })?;
        let key = match KEY_NAMES.iter().find_map(|name| object.get(*name)) {
            Some(Value::String(key)) => key.clone(),
            Some(Value::Number(key)) => key.to_string(),
            None => String::new(),
            Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) => {
                return Err(DatasetError::BadKey { line: number });
            }
        };
        gathered.add(number, &key, line.as_bytes())?;
    }
    Ok(())
}
