//! Rows that something else changed: each is refused when it is read, by its table's name, and files from before rows had
//! checksums are converted.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};

use super::{Linked, USERS, age, append, put, read_stream};
use crate::{Error, FILE, Store};

fn open(dir: &Path) -> crate::Result<Store> {
    Store::open(dir, Box::new(Linked))
}

/// A closed store with a user and a stream.
fn closed() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    put(&store, "1", "secretive name", 41);
    put(&store, "1", "other", 42);
    let appends = vec![append("1/log", "record")];
    store.commit(store.begin(), appends).wait().unwrap();
    drop(store);
    let path = dir.path().join(FILE);
    (dir, path)
}

/// What a bad disk does: the value is another, and still parses.
fn age_in_the_file(path: &Path, from: &str, to: &str) {
    let connection = Connection::open(path).unwrap();
    let mut statement = connection.prepare("SELECT key, value FROM rows").unwrap();
    let rows: Vec<(Vec<u8>, Vec<u8>)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<rusqlite::Result<_>>()
        .unwrap();
    let mut changed = 0;
    for (key, value) in rows {
        let text = String::from_utf8(value).unwrap_or_default();
        if text.contains(from) {
            let text = text.replace(from, to);
            changed += connection
                .execute(
                    "UPDATE rows SET value = ?2 WHERE key = ?1",
                    params![key, text.as_bytes()],
                )
                .unwrap();
        }
    }
    assert_eq!(changed, 1);
}

/// As the program before checksums left its files.
fn made_older(path: &Path) {
    let connection = Connection::open(path).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE old (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
             INSERT INTO old SELECT key, value FROM rows;
             INSERT INTO old SELECT key, value FROM batches;
             DROP TABLE rows;
             DROP TABLE batches;
             ALTER TABLE old RENAME TO rows;
             PRAGMA user_version = 1;",
        )
        .unwrap();
}

#[test]
fn a_changed_row_that_still_parses_is_refused_by_its_tables_name() {
    let (dir, path) = closed();
    age_in_the_file(&path, "41", "91");
    let store = open(dir.path()).unwrap();
    assert_eq!(age(&store, "1", "other"), Some(42), "the others are served");
    let point = store.begin().get(&USERS, &("1", "secretive name")).unwrap_err();
    let range = store.begin().range(&USERS, &("1",), None, 9).unwrap_err();
    for error in [point, range] {
        assert!(matches!(&error, Error::DamagedRow { path: named, .. } if *named == path));
        let text = error.to_string();
        assert!(text.contains(USERS.name()) && text.contains(FILE), "{text}");
        assert!(!text.contains("secretive"), "{text}");
    }
    assert!(matches!(store.check().unwrap_err(), Error::DamagedRow { .. }));
}

#[test]
fn a_changed_key_and_a_changed_version_are_refused() {
    let (dir, path) = closed();
    let connection = Connection::open(&path).unwrap();
    connection
        .execute(
            "UPDATE rows SET key = CAST(replace(CAST(key AS TEXT), 'other', 'ether') AS BLOB) WHERE instr(key, 'other')",
            [],
        )
        .unwrap();
    let store = open(dir.path()).unwrap();
    let found = store.begin().get(&USERS, &("1", "ether"));
    assert!(!matches!(found, Ok(Some(_))), "nobody wrote that row");
    drop(store);
    connection
        .execute(
            "UPDATE rows SET value = x'0000000000000001' WHERE key = x'0000'",
            [],
        )
        .unwrap();
    drop(connection);
    assert!(matches!(
        open(dir.path()).err().unwrap(),
        Error::DamagedRow { .. }
    ));
}

#[test]
fn a_file_from_before_checksums_is_converted_and_then_guarded() {
    let (dir, path) = closed();
    made_older(&path);
    let store = open(dir.path()).unwrap();
    assert_eq!(age(&store, "1", "secretive name"), Some(41));
    assert_eq!(read_stream(&mut store.begin(), "1/log"), [b"record"]);
    store.check().unwrap();
    put(&store, "1", "new", 43);
    drop(store);
    age_in_the_file(&path, "41", "91");
    let store = open(dir.path()).unwrap();
    assert_eq!(age(&store, "1", "new"), Some(43));
    let error = store.begin().get(&USERS, &("1", "secretive name")).unwrap_err();
    assert!(matches!(error, Error::DamagedRow { .. }), "{error}");
}

#[test]
fn a_snapshot_from_before_checksums_loads_and_a_changed_one_does_not() {
    let (_dir, path) = closed();
    let other = Store::memory(Box::new(Linked));
    age_in_the_file(&path, "41", "91");
    let error = other.load(&path).unwrap_err();
    assert!(
        matches!(&error, Error::DamagedRow { path: named, .. } if *named == path),
        "{error}"
    );
    age_in_the_file(&path, "91", "41");
    made_older(&path);
    other.load(&path).unwrap();
    assert_eq!(age(&other, "1", "secretive name"), Some(41));
}

#[test]
fn more_rows_than_a_page_are_converted() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    let written: crate::Result<()> = store.run(|tx| {
        (0..2100_u32)
            .try_for_each(|number| tx.put(&USERS, &("1", format!("{number}")), super::user("x", number)))
    });
    written.unwrap();
    drop(store);
    made_older(&dir.path().join(FILE));
    open(dir.path()).unwrap().check().unwrap();
}
