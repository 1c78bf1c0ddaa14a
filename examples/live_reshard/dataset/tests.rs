//! Inputs, good and bad.

use super::parse::parse;
use super::*;

fn pairs(text: &str) -> Vec<(String, String)> {
    let records = parse(text.as_bytes(), "test")
        .expect("a good input")
        .records;
    let text = |value| String::from_utf8(value).expect("UTF-8");
    records
        .into_iter()
        .map(|one| (one.key, text(one.value)))
        .collect()
}

#[track_caller]
fn same(text: &str, expected: &[(&str, &str)]) {
    let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    assert_eq!(pairs(text), expected.iter().map(own).collect::<Vec<_>>());
}

#[track_caller]
fn refused(text: impl AsRef<[u8]>, expected: &str) {
    let error = parse(text.as_ref(), "test").expect_err("a bad input");
    assert_eq!(error.to_string(), expected);
}

#[test]
fn the_bundled_set_is_whole() {
    let cities = Dataset::bundled().expect("the bundled set");
    assert_eq!((cities.records.len(), cities.duplicates), (25_000, 0));
    assert_eq!(cities.records[0].key, "362");
    assert!(
        cities
            .records
            .iter()
            .all(|one| one.value.starts_with(one.key.as_bytes()))
    );
    assert!(CITIES.len() < 2_500_000);
}

#[test]
fn csv_takes_its_key_from_the_first_column_or_by_name() {
    same("a,1\nb,2\n", &[("a", "a,1"), ("b", "b,2")]);
    same("n,ID\r\n1,a\r\n2,b", &[("a", "1,a"), ("b", "2,b")]);
    same("\u{feff}id,n\na,1\n", &[("a", "a,1")]);
    same(",1\n\nb,2\n", &[("1", ",1"), ("b", "b,2")]);
}

#[test]
fn csv_quotes_may_hide_commas_quotes_and_line_ends() {
    same(
        "\"a,b\",1\n\"say \"\"x\"\"\",2\n\"two\nlines\",3\nlast,4",
        &[
            ("a,b", "\"a,b\",1"),
            ("say \"x\"", "\"say \"\"x\"\"\",2"),
            ("two\nlines", "\"two\nlines\",3"),
            ("last", "last,4"),
        ],
    );
}

#[test]
fn json_lines_take_their_key_by_name_or_line() {
    same(
        "{\"id\":\"a\"}\r\n\n{\"key\":7}\n {\"x\":1}\n",
        &[
            ("a", "{\"id\":\"a\"}"),
            ("7", "{\"key\":7}"),
            ("4", "{\"x\":1}"),
        ],
    );
}

#[test]
fn the_last_of_two_records_with_one_key_stays() {
    let set = parse(b"a,1\nb,2\na,3\n", "test").expect("a good input");
    assert_eq!(set.duplicates, 1);
    same("a,1\nb,2\na,3\n", &[("a", "a,3"), ("b", "b,2")]);
}

#[test]
fn bad_inputs_are_refused_with_their_line() {
    let empty = "there is no record in the input; give CSV rows or one JSON object a line";
    refused("", empty);
    refused("id,name\n", empty);
    refused("\n\n", empty);
    refused(
        b"a,1\nb,\xff\n",
        "line 2: not UTF-8; convert the input first",
    );
    refused(
        "a,1\nb,2\nc\n",
        "line 3: not CSV: 1 fields, but the first row has 2",
    );
    refused(
        "{\"id\":1}\n{\"id\":\n",
        "line 2: not one JSON object: EOF while parsing a value at column 6",
    );
    refused(
        "{\"id\":[1]}\n",
        "line 1: `id` or `key` must be a string or a number",
    );
    let longest = "k".repeat(KEY_BYTES_MAX);
    refused(
        format!("a,1\nk{longest},2\n"),
        "line 2: the key has 65537 bytes, and 65536 is the most",
    );
    let row = format!("{longest},2");
    same(&row, &[(&longest, &row)]);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Dataset::from_input(Path::new("/no/such/file")).expect_err("not there");
    assert!(
        error
            .to_string()
            .starts_with("can't read `/no/such/file`: ")
    );
}

#[test]
fn the_first_records_can_be_kept() {
    let mut set = parse(b"a\nb\nc\n", "test").expect("a good input");
    set.keep_first(2);
    assert_eq!(*set.keys(), ["a", "b"]);
}
