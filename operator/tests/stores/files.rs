//! What concerns files only.

use std::fs;

use ringshift::Reply;
use ringshift::migration::command::{Answer, ChunkId};
use ringshift::recipes::sqlite as recipe;
use ringshift_operator::store::{SqliteStore, StoreError};

use crate::shard::{Shard, v};

#[test]
fn a_shard_is_found_again_as_it_was_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shard.db");
    let store = SqliteStore::open(&path).unwrap();
    let incarnation = store.incarnation();
    let mut shard = Shard::new(Box::new(store), None);
    shard.home();
    shard.put("a", "one", 1);
    shard.close();
    drop(shard);

    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(store.incarnation(), incarnation);
    let shard = Shard::new(Box::new(store), None);
    assert_eq!(shard.read("a").reply, Reply::Found { version: v(1, 0) });
    assert!(
        matches!(shard.put("a", "x", 2), Reply::Refused(_)),
        "still closed"
    );
}

#[test]
fn two_files_are_two_incarnations() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name| {
        SqliteStore::open(folder.path().join(name))
            .unwrap()
            .incarnation()
    };
    assert_ne!(open("a.db"), open("b.db"));
}

#[test]
fn files_that_are_not_ours_are_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text");
    fs::write(&text, "not a database").unwrap();
    let error = SqliteStore::open(&text).unwrap_err();
    assert!(matches!(error, StoreError::NotADatabase(_)), "{error}");
    assert_eq!(error.code(), "store_format");
    assert_eq!(fs::read(&text).unwrap(), b"not a database");

    let foreign = folder.path().join("foreign.db");
    let connection = rusqlite::Connection::open(&foreign).unwrap();
    connection
        .execute_batch("CREATE TABLE users (id INTEGER)")
        .unwrap();
    drop(connection);
    let before = fs::read(&foreign).unwrap();
    let error = SqliteStore::open(&foreign).unwrap_err();
    assert_eq!(fs::read(&foreign).unwrap(), before);
    assert!(matches!(error, StoreError::Foreign(_)), "{error}");

    let later = folder.path().join("later.db");
    drop(SqliteStore::open(&later).unwrap());
    let connection = rusqlite::Connection::open(&later).unwrap();
    connection
        .execute("UPDATE ringshift_meta SET format = 9", [])
        .unwrap();
    drop(connection);
    let error = SqliteStore::open(&later).unwrap_err();
    assert!(
        matches!(error, StoreError::Format { found: 9, .. }),
        "{error}"
    );

    let error = SqliteStore::open(folder.path().join("no/such/folder.db")).unwrap_err();
    assert_eq!(error.code(), "store_io", "{error}");
}

#[test]
fn every_statement_of_the_recipe_is_understood_and_finds_its_index() {
    let connection = rusqlite::Connection::open_in_memory().unwrap();
    connection.execute_batch(recipe::SCHEMA).unwrap();
    for (name, text) in recipe::STATEMENTS {
        let explain = format!("EXPLAIN QUERY PLAN {text}");
        let mut statement = connection
            .prepare(&explain)
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().unwrap() {
            let step: String = row.get(3).unwrap();

            let whole_table = step == "SCAN r" || step.starts_with("SCAN r ");
            assert!(!whole_table, "{name}: {step}");
            if name.ends_with("_APART") && step.contains(" r ") {
                assert!(step.contains("(keyspace=? AND key>?"), "{name}: {step}");
            }
            if *name == "COLLECT_FIND" && step.contains(" r ") {
                assert!(
                    step.contains("tombstone") || step.contains("(keyspace=? AND key"),
                    "{step}"
                );
            }
        }
    }
}

#[test]
fn two_stores_on_one_file_wait_for_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shard.db");
    let mut one = Shard::new(Box::new(SqliteStore::open(&path).unwrap()), None);
    let mut two = Shard::new(Box::new(SqliteStore::open(&path).unwrap()), None);
    one.home();
    two.at(one.domain, one.epoch);
    std::thread::scope(|scope| {
        for (shard, from) in [(&one, 0), (&two, 500)] {
            scope.spawn(move || {
                for n in from..from + 500 {
                    let reply = shard.put("a", "x", n);
                    assert!(matches!(reply, Reply::Written { .. }), "{reply:?}");
                }
            });
        }
    });
    assert_eq!(two.read("a").reply, Reply::Found { version: v(1, 999) });
    one.close();
    assert!(matches!(two.put("a", "x", 5000), Reply::Refused(_)));
}

/// A purge would look for the key's bytes, and never find the text.
#[test]
fn a_value_may_be_text_and_a_key_may_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shard.db");
    let mut shard = Shard::new(Box::new(SqliteStore::open(&path).unwrap()), None);
    shard.home();
    shard.put("a", "one", 1);
    let other = rusqlite::Connection::open(&path).unwrap();
    let change = |text| other.execute(text, []).unwrap();

    change("UPDATE ringshift_row SET value = 'two'");
    assert!(matches!(
        shard.changes(0, 9, 1),
        Answer::Changes { rows: 1, .. }
    ));
    let rows = shard.chunks.get(ChunkId(1)).unwrap();
    assert_eq!(rows[0].value.as_deref(), Some(&b"two"[..]));

    change("UPDATE ringshift_row SET key = 'a'");
    assert_eq!(shard.changes(0, 9, 2), Answer::Unreachable);
    assert_eq!(shard.digests(), Answer::Unreachable);
    let error = shard.store.last_error().unwrap();
    assert!(error.contains("a key is out of range"), "{error}");
}
