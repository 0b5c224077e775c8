//! Streams, and the operations on the whole store: wiping, saving and loading.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Linked, USERS, age, append, put, read_stream, user};
use crate::{Direction, Error, Store};

pub(super) fn streams_are_dense_chained_and_in_commit_order(store: &Store, _dir: &Path) {
    let done = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for writer in 0..8_u8 {
            let done = &done;
            scope.spawn(move || {
                for number in 0..40_u8 {
                    let appends = vec![append("1/a", [writer, number]), append("1/b", [writer, number])];
                    let committed = store.commit(store.begin(), appends).wait().unwrap();
                    assert_eq!(committed.sequences.len(), 2);
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let mut tx = store.begin();
    let (a, b) = (read_stream(&mut tx, "1/a"), read_stream(&mut tx, "1/b"));
    assert_eq!(a, b, "one order of commits for both streams");
    assert_eq!(a.len(), done.into_inner());
    for writer in 0..8_u8 {
        let own: Vec<u8> = a
            .iter()
            .filter(|record| record[0] == writer)
            .map(|record| record[1])
            .collect();
        assert_eq!(own, (0..40).collect::<Vec<u8>>());
    }
    assert_eq!(store.tail(b"1/a").unwrap(), Some(319));
    assert_eq!(store.tail(b"1/c").unwrap(), None);
}

fn fill(store: &Store, stream: &str, batches: u64, each: u64) {
    for batch in 0..batches {
        let appends = (0..each)
            .map(|number| append(stream, (batch * each + number).to_be_bytes()))
            .collect();
        store.commit(store.begin(), appends).wait().unwrap();
    }
}

pub(super) fn stream_batches_are_found_by_sequence(store: &Store, _dir: &Path) {
    fill(store, "1/a", 4, 3);
    fill(store, "1/aa", 1, 1);
    let mut tx = store.begin();
    let mut firsts = |from, direction, limit| -> Vec<u64> {
        let batches = tx.stream_batches(b"1/a", from, direction, limit).unwrap();
        batches.iter().map(|batch| batch.first).collect()
    };
    assert_eq!(firsts(0, Direction::Forward, 9), [0, 3, 6, 9]);
    assert_eq!(firsts(4, Direction::Forward, 2), [3, 6]);
    assert_eq!(firsts(6, Direction::Forward, 9), [6, 9]);
    assert_eq!(firsts(12, Direction::Forward, 9), [] as [u64; 0]);
    assert_eq!(firsts(u64::MAX, Direction::Reverse, 2), [9, 6]);
    assert_eq!(firsts(6, Direction::Reverse, 9), [3, 0]);
}

pub(super) fn streams_are_listed_and_trimmed(store: &Store, _dir: &Path) {
    for stream in ["1/a", "1/b", "10/a", "2/a"] {
        fill(store, stream, 3, 2);
    }
    let mut tx = store.begin();
    assert_eq!(tx.streams(b"1/", None, 9).unwrap(), [b"1/a", b"1/b"]);
    assert_eq!(tx.streams(b"1", None, 9).unwrap().len(), 3);
    assert_eq!(tx.streams(b"", Some(b"1/b"), 1).unwrap(), [b"10/a"]);
    assert_eq!(tx.stream_trim(b"1/a", 5, 9).unwrap(), 2);
    assert_eq!(tx.stream_trim(b"1/b", 3, 9).unwrap(), 1);
    assert_eq!(
        tx.stream_trim(b"2/a", u64::MAX, 9).unwrap(),
        2,
        "the last batch stays"
    );
    assert_eq!(tx.stream_trim(b"none", 9, 9).unwrap(), 0);
    store.commit(tx, Vec::new()).wait().unwrap();
    let mut tx = store.begin();
    assert_eq!(
        tx.stream_batches(b"1/a", 0, Direction::Forward, 9).unwrap()[0].first,
        4
    );
    assert_eq!(
        tx.stream_batches(b"1/b", 0, Direction::Forward, 9).unwrap()[0].first,
        2
    );
    let committed = store
        .commit(store.begin(), vec![append("2/a", "next")])
        .wait()
        .unwrap();
    assert_eq!(committed.sequences, [6]);
}

pub(super) fn a_refused_transaction_appends_nothing(store: &Store, _dir: &Path) {
    put(store, "1", "a", 1);
    let mut loser = store.begin();
    loser.get(&USERS, &("1", "a")).unwrap();
    loser.put(&USERS, &("1", "a"), user("a", 9)).unwrap();
    put(store, "1", "a", 2);
    let refused = store.commit(loser, vec![append("1/a", "never")]);
    let kept = store.commit(store.begin(), vec![append("1/a", "kept")]);
    assert!(refused.wait().is_err());
    assert_eq!(kept.wait().unwrap().sequences, [0]);
    assert_eq!(read_stream(&mut store.begin(), "1/a"), [b"kept"]);
}

pub(super) fn one_account_is_wiped_and_the_others_stay(store: &Store, _dir: &Path) {
    for account in ["111122223333", "444455556666"] {
        put(store, account, "a", 1);
        fill(store, &format!("{account}/eu"), 2, 2);
    }
    let mut under_way = store.begin();
    under_way.get(&USERS, &("111122223333", "a")).unwrap();
    under_way
        .put(&USERS, &("111122223333", "a"), user("a", 9))
        .unwrap();
    store.reset(Some("111122223333")).unwrap();
    assert!(
        store
            .commit(under_way, Vec::new())
            .wait()
            .unwrap_err()
            .is_conflict()
    );
    assert_eq!(age(store, "111122223333", "a"), None);
    assert_eq!(age(store, "444455556666", "a"), Some(1));
    assert_eq!(store.begin().streams(b"", None, 9).unwrap(), [b"444455556666/eu"]);
    let again = store
        .commit(store.begin(), vec![append("111122223333/eu", "first")])
        .wait()
        .unwrap();
    assert_eq!(again.sequences, [0]);
    assert_eq!(read_stream(&mut store.begin(), "111122223333/eu").len(), 1);
    assert_eq!(read_stream(&mut store.begin(), "444455556666/eu").len(), 4);
}

pub(super) fn everything_is_wiped(store: &Store, _dir: &Path) {
    put(store, "1", "a", 1);
    fill(store, "1/a", 2, 2);
    let before = store.version();
    let mut read = store.begin();
    assert!(read.get(&USERS, &("1", "a")).unwrap().is_some());
    assert_eq!(read.era(), store.begin().era());
    assert_eq!(store.reset(None).unwrap(), before + 1);
    assert_ne!(read.era(), store.begin().era());
    let late = store.commit(read, vec![append("1/a", "of before")]).wait();
    assert!(matches!(late, Err(Error::Conflict)), "a record of what is gone");
    assert_eq!(age(store, "1", "a"), None);
    assert!(store.begin().streams(b"", None, 9).unwrap().is_empty());
    put(store, "1", "a", 2);
    assert_eq!(age(store, "1", "a"), Some(2));
}

pub(super) fn a_snapshot_file_brings_everything_back(store: &Store, dir: &Path) {
    let file = dir.join("saved");
    put(store, "1", "a", 1);
    fill(store, "1/a", 2, 2);
    store.save(&file).unwrap();
    store.save(&file).unwrap(); // Over an older one.
    put(store, "1", "a", 2);
    put(store, "1", "b", 2);
    fill(store, "1/a", 2, 2);
    let before = store.version();
    assert_eq!(store.load(&file).unwrap(), before + 1);
    assert_eq!((age(store, "1", "a"), age(store, "1", "b")), (Some(1), None));
    fill(store, "1/a", 1, 1);
    assert_eq!(read_stream(&mut store.begin(), "1/a").len(), 5);

    // A file of one engine loads into the other.
    let other = Store::memory(Box::new(Linked));
    other.load(&file).unwrap();
    assert_eq!(age(&other, "1", "a"), Some(1));

    let garbage = dir.join("garbage");
    std::fs::write(&garbage, vec![7; 9000]).unwrap();
    assert!(matches!(store.load(&garbage).unwrap_err(), Error::Corrupt { path, .. } if path == garbage));
    assert!(matches!(
        store.load(&dir.join("absent")).unwrap_err(),
        Error::Io { .. }
    ));
    assert_eq!(age(store, "1", "a"), Some(1));
    store.check().unwrap();
}
