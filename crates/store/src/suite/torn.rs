//! Files as a crash or a bad disk may leave them: a torn log gives a consistent prefix of the commits; damage that cannot be
//! survived, a newer format, and a folder in use are refused with an error that names the file.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::{Linked, USERS, age, append, put, read_stream, user};
use crate::checked::{CHECKED, FORMAT};
use crate::{Error, FILE, Store};

const COMMITS: u32 = 150;

fn open(dir: &Path) -> crate::Result<Store> {
    Store::open(dir, Box::new(Linked))
}

fn log_of(dir: &Path) -> PathBuf {
    dir.join(format!("{FILE}-wal"))
}

/// A folder in which everything is still in the log, as a killed process leaves it.
fn killed() -> tempfile::TempDir {
    let (live, dead) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(live.path()).unwrap();
    for number in 1..=COMMITS {
        let mut tx = store.begin();
        tx.put(&USERS, &("1", "latest"), user("latest", number)).unwrap();
        tx.put(&USERS, &("2", number.to_string()), user("x", number))
            .unwrap();
        store
            .commit(tx, vec![append("1/log", number.to_be_bytes())])
            .wait()
            .unwrap();
    }
    fs::copy(live.path().join(FILE), dead.path().join(FILE)).unwrap();
    fs::copy(log_of(live.path()), log_of(dead.path())).unwrap();
    dead
}

/// Opens the folder and checks that exactly the first commits are there, all of each; tells how many.
fn prefix(dir: &Path) -> u32 {
    let store = open(dir).unwrap();
    store.check().unwrap();
    let latest = age(&store, "1", "latest").unwrap_or(0);
    let rows = store.begin().range(&USERS, &("2",), None, 9999).unwrap();
    let mut numbers: Vec<u32> = rows.iter().map(|(_, user)| user.age).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=latest).collect::<Vec<_>>());
    let log = read_stream(&mut store.begin(), "1/log");
    assert_eq!(
        log,
        (1..=latest)
            .map(|number| number.to_be_bytes().to_vec())
            .collect::<Vec<_>>()
    );
    // And it goes on from there.
    put(&store, "1", "latest", latest + 1);
    latest
}

fn copy(from: &Path) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
    }
    dir
}

#[test]
fn a_torn_log_gives_a_prefix_of_the_commits() {
    let dead = killed();
    let log = fs::read(log_of(dead.path())).unwrap();
    let mut counts = vec![];
    for cut in (0..40).map(|part| log.len() * part / 39) {
        let dir = copy(dead.path());
        fs::write(log_of(dir.path()), &log[..cut]).unwrap();
        counts.push(prefix(dir.path()));
    }
    assert!(counts.is_sorted());
    assert_eq!((counts[0], counts[39]), (0, COMMITS));
    assert!(counts.iter().any(|count| (1..COMMITS).contains(count)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn a_damaged_log_gives_a_prefix_of_the_commits(
        cut in any::<prop::sample::Index>(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1..=255_u8), 0..4),
        tail in prop::collection::vec(any::<u8>(), 0..5000),
    ) {
        static DEAD: std::sync::OnceLock<tempfile::TempDir> = std::sync::OnceLock::new();
        let dir = copy(DEAD.get_or_init(killed).path());
        let mut log = fs::read(log_of(dir.path())).unwrap();
        log.truncate(cut.index(log.len()) + 1);
        for (at, bits) in flips {
            let at = at.index(log.len());
            log[at] ^= bits;
        }
        log.extend(tail);
        fs::write(log_of(dir.path()), log).unwrap();
        prefix(dir.path());
    }
}

/// A store whose rows are all in the main file.
fn closed() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    for number in 0..300 {
        put(
            &store,
            "1",
            &format!("a name that takes some room {number}"),
            number,
        );
    }
    drop(store);
    assert!(!log_of(dir.path()).exists());
    dir
}

#[test]
fn stray_files_are_ignored() {
    let dir = closed();
    fs::write(dir.path().join(format!("{FILE}.partial")), vec![9; 5000]).unwrap();
    fs::write(dir.path().join("something-else"), "x").unwrap();
    fs::write(log_of(dir.path()), vec![0x5a; 9000]).unwrap();
    let store = open(dir.path()).unwrap();
    assert_eq!(age(&store, "1", "a name that takes some room 7"), Some(7));
    store
        .save(&dir.path().join(FILE).with_extension("saved"))
        .unwrap();
}

#[test]
fn a_file_that_was_just_begun_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(FILE), "").unwrap();
    put(&open(dir.path()).unwrap(), "1", "a", 1);
    assert_eq!(age(&open(dir.path()).unwrap(), "1", "a"), Some(1));
}

#[test]
fn a_damaged_main_file_is_refused_by_name() {
    let whole = closed();
    let file = fs::read(whole.path().join(FILE)).unwrap();
    let damaged = |bytes: Vec<u8>| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        fs::write(&path, bytes).unwrap();
        let error = open(dir.path()).and_then(|store| store.check()).unwrap_err();
        assert!(
            matches!(&error, Error::Corrupt { path: named, .. } if *named == path),
            "{error}"
        );
        assert!(error.to_string().contains(FILE));
    };
    damaged(vec![7; 9000]);
    damaged(file[..file.len() / 2].to_vec());
    damaged(file[..100].to_vec());
    let mut garbled = file.clone();
    garbled[4096 * 3..4096 * 4].fill(0xee);
    damaged(garbled);
}

#[test]
fn another_programs_file_and_a_newer_format_are_refused() {
    let dir = closed();
    let path = dir.path().join(FILE);
    let set = |name: &str, value: i64| {
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.pragma_update(None, name, value).unwrap();
    };
    set("user_version", FORMAT + 1);
    let newer = open(dir.path()).err().unwrap();
    assert!(
        matches!(&newer, Error::NewerFormat { found, known: FORMAT, path: named } if *found == FORMAT + 1 && *named == path)
    );
    set("user_version", FORMAT);
    set("application_id", 77);
    assert!(matches!(open(dir.path()).err().unwrap(), Error::Foreign { path: named, .. } if named == path));
}

/// As the programs left files that kept the batches of streams among the rows.
#[test]
fn a_file_of_the_formats_before_is_taken_on_and_older_programs_refuse_it_from_then_on() {
    for format in CHECKED..FORMAT {
        let dir = closed();
        let store = open(dir.path()).unwrap();
        let records = ["record 0", "record 1", "record 2"];
        for record in records {
            let appends = vec![append("9/log", record)];
            store.commit(store.begin(), appends).wait().unwrap();
        }
        drop(store);
        let connection = rusqlite::Connection::open(dir.path().join(FILE)).unwrap();
        connection
            .execute_batch(&format!(
                "INSERT INTO rows SELECT key, value, 0 FROM batches; DROP TABLE batches; PRAGMA user_version = {format};"
            ))
            .unwrap();
        let other = Store::memory(Box::new(Linked));
        other.load(&dir.path().join(FILE)).unwrap();
        assert_eq!(
            read_stream(&mut other.begin(), "9/log"),
            records.map(str::as_bytes)
        );
        let path = dir.path().join(FILE);
        let looked = Store::open_unconverted(dir.path(), Box::new(Linked))
            .err()
            .unwrap();
        assert!(
            matches!(&looked, Error::OlderFormat { path: named, found, known: FORMAT } if *named == path && *found == format),
            "{looked}"
        );
        let store = open(dir.path()).unwrap();
        store.check().unwrap();
        assert_eq!(
            read_stream(&mut store.begin(), "9/log"),
            records.map(str::as_bytes)
        );
        assert_eq!(age(&store, "1", "a name that takes some room 7"), Some(7));
        drop(store);
        let now: i64 = connection
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .unwrap();
        assert_eq!(now, FORMAT);
        let left: i64 = connection
            .query_row(
                "SELECT count(*) FROM rows WHERE key >= x'0001' AND key < x'0002'",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(left, 0);
    }
}

#[test]
fn a_folder_in_use_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    let error = open(dir.path()).err().unwrap();
    assert!(
        matches!(&error, Error::Locked { dir: named } if named == dir.path()),
        "{error}"
    );
    drop(store);
    open(dir.path()).unwrap();
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    put(&store, "1", "a", 1);
    store.save(&dir.path().join("saved")).unwrap();
    for entry in fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(
            entry.metadata().unwrap().permissions().mode() & 0o077,
            0,
            "{:?}",
            entry.path()
        );
    }
}
