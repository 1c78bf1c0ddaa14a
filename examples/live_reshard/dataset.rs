//! The records that the run moves about: a bundled set, or the user's own.

mod parse;
#[cfg(test)]
#[expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]
mod tests;

use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use crate::wish::of_tenant;

/// 25,000 cities; `data/README.md` says where from and under which licence.
const CITIES: &[u8] = include_bytes!("data/cities.csv");

/// The longest key that the core takes.
pub(crate) const KEY_BYTES_MAX: usize = 64 * 1024;

/// One record, as the input has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Record {
    pub(crate) key: String,
    /// The whole record, without its line end.
    pub(crate) value: Vec<u8>,
}

/// All records, in the order of the input, each key once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Dataset {
    /// Where it is from, for people.
    pub(crate) source: String,
    pub(crate) records: Vec<Record>,
    /// Records that a later one with the same key replaced.
    pub(crate) duplicates: usize,
}

/// Why an input can't be used.
#[derive(Debug)]
pub(crate) enum DatasetError {
    Io {
        source: String,
        error: io::Error,
    },
    /// There is no record in it.
    Empty,
    NotUtf8 {
        line: u64,
    },
    /// A row has another number of fields than the first one, say.
    BadCsv {
        line: u64,
        cause: String,
    },
    /// A line is not one JSON object.
    BadJson {
        line: u64,
        cause: String,
    },
    /// `id` or `key` is neither a string nor a number.
    BadKey {
        line: u64,
    },
    KeyTooLong {
        line: u64,
        bytes: usize,
    },
}

impl Dataset {
    /// The bundled cities.
    pub(crate) fn bundled() -> Result<Self, DatasetError> {
        parse::parse(CITIES, "25,000 cities of GeoNames (CC BY 4.0)")
    }

    /// Reads a file of CSV or JSON lines, told apart by the first byte; `-` is standard input.
    pub(crate) fn from_input(path: &Path) -> Result<Self, DatasetError> {
        let (source, bytes) = if path == Path::new("-") {
            let mut bytes = Vec::new();
            let read = io::stdin().lock().read_to_end(&mut bytes);
            ("standard input".to_owned(), read.map(|_| bytes))
        } else {
            (path.display().to_string(), fs::read(path))
        };
        match bytes {
            Ok(bytes) => parse::parse(&bytes, &source),
            Err(error) => Err(DatasetError::Io { source, error }),
        }
    }

    /// Keeps the first `count` records.
    pub(crate) fn keep_first(&mut self, count: usize) {
        self.records.truncate(count);
    }

    /// Puts a tenant in front of each key.
    pub(crate) fn give_to_tenants(&mut self) {
        for (place, record) in self.records.iter_mut().enumerate() {
            record.key = of_tenant(place, &record.key);
        }
    }

    /// The keys, by their place: what a history calls a key's id.
    pub(crate) fn keys(&self) -> Arc<[String]> {
        self.records.iter().map(|one| one.key.clone()).collect()
    }
}

impl std::error::Error for DatasetError {}

impl fmt::Display for DatasetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { source, error } => write!(f, "can't read `{source}`: {error}"),
            Self::Empty => f.write_str(
                "there is no record in the input; give CSV rows or one JSON object a line",
            ),
            Self::NotUtf8 { line } => {
                write!(f, "line {line}: not UTF-8; convert the input first")
            }
            Self::BadCsv { line, cause } => write!(f, "line {line}: not CSV: {cause}"),
            Self::BadJson { line, cause } => {
                write!(f, "line {line}: not one JSON object: {cause}")
            }
            Self::BadKey { line } => {
                write!(f, "line {line}: `id` or `key` must be a string or a number")
            }
            Self::KeyTooLong { line, bytes } => write!(
                f,
                "line {line}: the key has {bytes} bytes, and {KEY_BYTES_MAX} is the most"
            ),
        }
    }
}
