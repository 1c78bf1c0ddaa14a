//! Keys from the command line or from standard input, one after the other.

use std::io::{self, BufRead, Write};
use std::sync::Arc;

use ringshift::{Composite, KEY_BYTES_MAX, KeyError, Keyspace, Router};
use ringshift_operator::topology::read_snapshot;

use crate::cli::{CliError, Lookup};

/// Does `work` for each key: as it was typed, and as it is routed. A key that is refused is named
/// on standard error, and the others go on.
pub(super) fn each_key(
    arguments: &Lookup,
    mut work: impl FnMut(&Keyspace<'_>, &[u8], &[u8]) -> Result<Result<(), KeyError>, CliError>,
) -> Result<(), CliError> {
    let snapshot =
        read_snapshot(&arguments.topology).map_err(CliError::topology(&arguments.topology))?;
    let router = Router::new(Arc::new(snapshot));
    let keyspace = pick(&router, arguments.keyspace.as_deref())?;
    if arguments.split.as_deref() == Some("") {
        let text = "`--split` needs a text to split at, a colon say";
        return Err(CliError::Usage(text.to_owned()));
    }
    let mut refused = 0_u64;
    let mut one = |typed: &[u8], bytes: usize| -> Result<(), CliError> {
        let result = if bytes > KEY_BYTES_MAX {
            Err(KeyError::TooLong { bytes })
        } else {
            match &arguments.split {
                Some(separator) => match composite(typed, separator.as_bytes()) {
                    Ok(key) => work(&keyspace, typed, &key)?,
                    Err(error) => Err(error),
                },
                None => work(&keyspace, typed, typed)?,
            }
        };
        if let Err(error) = result {
            refused += 1;
            let start: String = readable(typed).chars().take(40).collect();
            // Without standard error, the exit code still says it.
            let _ = writeln!(
                io::stderr(),
                "ringshift: key `{start}`: {error} ({})",
                error.code()
            );
        }
        Ok(())
    };
    if arguments.keys.is_empty() {
        let mut input = io::stdin().lock();
        let mut line = Vec::new();
        while let Some(bytes) = read_line(&mut input, &mut line).map_err(CliError::Input)? {
            one(&line, bytes)?;
        }
    } else {
        for key in &arguments.keys {
            let key = key.as_encoded_bytes();
            one(key, key.len())?;
        }
    }
    match refused {
        0 => Ok(()),
        refused => Err(CliError::Keys(refused)),
    }
}

pub(super) fn pick<'r>(router: &'r Router, name: Option<&str>) -> Result<Keyspace<'r>, CliError> {
    let keyspaces = &router.snapshot().content().keyspaces;
    let name = match (name, keyspaces.as_slice()) {
        (Some(name), _) => name,
        (None, [only]) => &only.name,
        (None, several) => {
            let names: Vec<_> = several.iter().map(|k| k.name.as_str()).collect();
            return Err(CliError::Usage(format!(
                "there are {} keyspaces; choose one with `--keyspace`: {}",
                names.len(),
                names.join(", ")
            )));
        }
    };
    router.keyspace(name).map_err(CliError::Keyspace)
}

/// The composite key whose parts stand between `separator` in `typed`.
fn composite(typed: &[u8], separator: &[u8]) -> Result<Vec<u8>, KeyError> {
    let mut composite = Composite::new();
    let mut rest = typed;
    while let Some(at) = rest.windows(separator.len()).position(|w| w == separator) {
        composite = composite.bytes(rest.get(..at).unwrap_or_default());
        rest = rest.get(at + separator.len()..).unwrap_or_default();
    }
    composite.bytes(rest).finish()
}

/// Reads a line without its end into `line`, and answers how many bytes it has; of one that is too
/// long for a key, only the beginning is kept. `None` at the end of the input.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Option<usize>> {
    line.clear();
    let mut bytes = 0;
    loop {
        let buffer = match input.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if buffer.is_empty() && bytes == 0 {
            return Ok(None);
        }
        let end = buffer.iter().position(|&byte| byte == b'\n');
        let part = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or(buffer);
        // One more than a key may have, for the carriage return of some systems.
        let room = (KEY_BYTES_MAX + 1).saturating_sub(line.len());
        line.extend_from_slice(part.get(..room.min(part.len())).unwrap_or(part));
        let used = part.len() + usize::from(end.is_some());
        let over = buffer.is_empty() || end.is_some();
        bytes += used;
        input.consume(used);
        if over {
            bytes -= usize::from(end.is_some());
            if bytes == line.len() && line.last() == Some(&b'\r') {
                line.pop();
                bytes -= 1;
            }
            return Ok(Some(bytes));
        }
    }
}

/// The key as text: as it is when it is plain UTF-8, else with escapes.
pub(super) fn readable(key: &[u8]) -> String {
    match std::str::from_utf8(key) {
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        _ => key.escape_ascii().to_string(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that fails should say where")]
mod tests {
    use super::*;

    #[test]
    fn lines_end_as_systems_end_them() {
        let mut input = io::BufReader::with_capacity(3, &b"one\ntwo\r\n\nlast"[..]);
        let mut line = Vec::new();
        for expected in [&b"one"[..], b"two", b"", b"last"] {
            let bytes = read_line(&mut input, &mut line).unwrap();
            assert_eq!((bytes, line.as_slice()), (Some(expected.len()), expected));
        }
        assert_eq!(read_line(&mut input, &mut line).unwrap(), None);
    }

    #[test]
    fn of_an_endless_line_only_the_beginning_is_kept() {
        let long = vec![b'x'; KEY_BYTES_MAX * 3];
        let mut line = Vec::new();
        let bytes = read_line(&mut &long[..], &mut line).unwrap();
        assert_eq!(bytes, Some(long.len()));
        assert_eq!(line.len(), KEY_BYTES_MAX + 1);
    }

    #[test]
    fn parts_stand_between_separators() {
        let expected = Composite::new().str("eu").str("").str("7").finish();
        assert_eq!(composite(b"eu::::7", b"::"), expected);
    }
}
