//! What every engine must do, seen through the store: each behaviour is one function, run once for each engine.

mod blobs;
mod crash;
mod faults;
mod rows;
mod serial;
mod torn;
mod whole;

use std::path::Path;
use std::sync::Arc;

use crate::{Append, Chain, Direction, Error, Plain, Result, Store, Table, Tx};
use whole::{
    a_refused_transaction_appends_nothing, a_snapshot_file_brings_everything_back, everything_is_wiped,
    one_account_is_wiped_and_the_others_stay, stream_batches_are_found_by_sequence,
    streams_are_dense_chained_and_in_commit_order, streams_are_listed_and_trimmed,
};

#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct User {
    name: String,
    age: u32,
}
crate::record!(User, 1);

#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Other(bool);
crate::record!(Other, 1);

static USERS: Table<(String, String), User> = Table::new(0x0101, "users");
static COUNTERS: Table<(String, u64), User> = Table::new(0x0102, "counters");
static MISTAKEN: Table<(String, String), Other> = Table::new(0x0101, "mistaken");

fn user(name: &str, age: u32) -> User {
    User {
        name: name.to_owned(),
        age,
    }
}

fn append(stream: &str, record: impl Into<Vec<u8>>) -> Append {
    Append {
        stream: stream.into(),
        record: record.into(),
    }
}

fn put(store: &Store, account: &str, name: &str, age: u32) {
    store
        .run(|tx| tx.put(&USERS, &(account, name), user(name, age)))
        .unwrap();
}

fn age(store: &Store, account: &str, name: &str) -> Option<u32> {
    store
        .run(|tx| Ok::<_, Error>(tx.get(&USERS, &(account, name))?.map(|user| user.age)))
        .unwrap()
}

fn names(rows: &[((String, String), Arc<User>)]) -> Vec<&str> {
    rows.iter().map(|((_, name), _)| name.as_str()).collect()
}

/// Each engine's stores, in a folder that a test may use as it likes.
macro_rules! each_engine {
    ($($behaviour:ident)*) => {
        mod memory {
            $(#[test]
            fn $behaviour() {
                let dir = tempfile::tempdir().unwrap();
                super::$behaviour(&crate::Store::memory(Box::new(super::Linked)), dir.path());
            })*
        }
        mod disk {
            $(#[test]
            fn $behaviour() {
                let dir = tempfile::tempdir().unwrap();
                let store = crate::Store::open(&dir.path().join("store"), Box::new(super::Linked)).unwrap();
                super::$behaviour(&store, dir.path());
            })*
        }
    };
}

each_engine! {
    records_come_back_and_go
    keys_may_be_borrowed_or_owned
    a_transaction_sees_its_own_writes
    ranges_are_ordered_bounded_and_stay_in_their_prefix
    snapshots_do_not_move
    a_lost_update_conflicts
    a_write_into_a_range_that_was_read_conflicts
    a_write_behind_the_limit_of_a_range_does_not_conflict
    a_reader_never_conflicts_at_commit
    a_begun_transaction_moves_up_when_nothing_it_read_changed
    a_begun_transaction_conflicts_when_what_it_read_changed
    run_repeats_until_every_increment_counts
    a_hot_record_costs_no_engine_read
    an_own_commit_keeps_its_records_hot
    a_record_that_is_not_cached_is_read_each_time
    a_range_decodes_what_the_cache_holds_only_once
    a_hot_range_costs_no_engine_read
    concurrent_commits_share_flushes
    streams_are_dense_chained_and_in_commit_order
    stream_batches_are_found_by_sequence
    streams_are_listed_and_trimmed
    a_refused_transaction_appends_nothing
    one_account_is_wiped_and_the_others_stay
    everything_is_wiped
    a_snapshot_file_brings_everything_back
    a_table_with_another_type_is_refused
    a_transaction_may_outlive_its_store
    a_commit_can_be_awaited
    versions_are_told_to_subscribers
}

/// A chain whose link is a running checksum, so that a wrong predecessor shows.
struct Linked;

fn checksum(previous: Option<&[u8]>, body: &[u8]) -> [u8; 8] {
    let start = previous.map_or(7, |link| u64::from_be_bytes(link.try_into().unwrap()));
    body.iter()
        .fold(start, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(u64::from(*byte) + 1)
        })
        .to_be_bytes()
}

impl Chain for Linked {
    fn batch(&mut self, stream: &[u8], first: u64, previous: Option<&[u8]>, records: &[Vec<u8>]) -> Vec<u8> {
        let body = Plain.batch(stream, first, None, records);
        [checksum(previous, &body).as_slice(), &body].concat()
    }

    fn link(&self, batch: &[u8]) -> Vec<u8> {
        batch[..8].to_vec()
    }
}

/// All records of a stream, after checking that numbers are dense and every link fits.
fn read_stream(tx: &mut Tx, stream: &str) -> Vec<Vec<u8>> {
    let mut link: Option<Vec<u8>> = None;
    let mut all = Vec::new();
    for batch in tx
        .stream_batches(stream.as_bytes(), 0, Direction::Forward, usize::MAX)
        .unwrap()
    {
        assert_eq!(batch.first, all.len() as u64);
        let (found, body) = batch.bytes.split_at(8);
        assert_eq!(found, checksum(link.as_deref(), body));
        link = Some(found.to_vec());
        let records = Plain::records(body).unwrap();
        assert_eq!(records.len(), batch.count as usize);
        all.extend(records);
    }
    all
}

fn records_come_back_and_go(store: &Store, _dir: &Path) {
    assert_eq!(age(store, "1", "a"), None);
    put(store, "1", "a", 5);
    assert_eq!(age(store, "1", "a"), Some(5));
    put(store, "1", "a", 6);
    assert_eq!(age(store, "1", "a"), Some(6));
    store.run(|tx| tx.delete(&USERS, &("1", "a"))).unwrap();
    assert_eq!(age(store, "1", "a"), None);
    assert_eq!(store.version(), 3);
}

fn keys_may_be_borrowed_or_owned(store: &Store, _dir: &Path) {
    put(store, "1", "a", 5);
    let mut tx = store.begin();
    assert!(tx.contains(&USERS, &("1".to_owned(), "a".to_owned())).unwrap());
    assert!(tx.contains(&USERS, &("1", "a".to_owned())).unwrap());
    assert!(!tx.contains(&COUNTERS, &("1", 1)).unwrap());
}

fn a_transaction_sees_its_own_writes(store: &Store, _dir: &Path) {
    for name in ["a", "b", "d", "e"] {
        put(store, "1", name, 1);
    }
    let mut tx = store.begin();
    assert!(!tx.changed());
    tx.put(&USERS, &("1", "c"), user("c", 2)).unwrap();
    tx.delete(&USERS, &("1", "b")).unwrap();
    tx.put(&USERS, &("1", "d"), user("d", 3)).unwrap();
    assert!(tx.changed());
    assert_eq!(tx.get(&USERS, &("1", "b")).unwrap(), None);
    assert_eq!(tx.get(&USERS, &("1", "c")).unwrap().unwrap().age, 2);
    assert_eq!(
        names(&tx.range(&USERS, &("1",), None, 3).unwrap()),
        ["a", "c", "d"]
    );
    assert_eq!(
        names(&tx.range_rev(&USERS, &("1",), None, 3).unwrap()),
        ["e", "d", "c"]
    );
    assert_eq!(tx.range(&USERS, &("1",), None, 9).unwrap()[2].1.age, 3);
    drop(tx);
    assert_eq!(age(store, "1", "c"), None);
}

fn ranges_are_ordered_bounded_and_stay_in_their_prefix(store: &Store, _dir: &Path) {
    for (account, name) in [("1", "b"), ("1", "a"), ("1", "c"), ("11", "x"), ("0", "z")] {
        put(store, account, name, 1);
    }
    let mut tx = store.begin();
    assert_eq!(
        names(&tx.range(&USERS, &("1",), None, 9).unwrap()),
        ["a", "b", "c"]
    );
    assert_eq!(
        names(&tx.range(&USERS, &(), None, 9).unwrap()),
        ["z", "a", "b", "c", "x"]
    );
    let a = ("1".to_owned(), "a".to_owned());
    assert_eq!(names(&tx.range(&USERS, &("1",), Some(&a), 1).unwrap()), ["b"]);
    let c = ("1".to_owned(), "c".to_owned());
    assert_eq!(
        names(&tx.range_rev(&USERS, &("1",), Some(&c), 9).unwrap()),
        ["b", "a"]
    );
    assert_eq!(
        names(&tx.range_between(&USERS, &("1", "b"), &("11",), 9).unwrap()),
        ["b", "c"]
    );
    assert!(tx.range(&USERS, &("1",), None, 0).unwrap().is_empty());
    assert!(tx.range_between(&USERS, &("2",), &("1",), 9).unwrap().is_empty());
}

fn snapshots_do_not_move(store: &Store, _dir: &Path) {
    put(store, "1", "a", 1);
    let mut old = store.begin_eager().unwrap();
    for age in 2..20 {
        put(store, "1", "a", age);
        put(store, "1", "b", age);
    }
    assert_eq!(old.get(&USERS, &("1", "a")).unwrap().unwrap().age, 1);
    assert_eq!(old.range(&USERS, &("1",), None, 9).unwrap().len(), 1);
    assert_eq!(old.range(&USERS, &("1",), None, 9).unwrap()[0].1.age, 1);
    assert_eq!(age(store, "1", "a"), Some(19));
    // What the old reader saw must not have reached the cache.
    assert_eq!(old.version(), 1);
}

fn a_lost_update_conflicts(store: &Store, _dir: &Path) {
    put(store, "1", "a", 1);
    let bump = |tx: &mut Tx| {
        let old = tx.get(&USERS, &("1", "a")).unwrap().unwrap();
        tx.put(&USERS, &("1", "a"), user("a", old.age + 1)).unwrap();
    };
    let (mut first, mut second) = (store.begin(), store.begin());
    bump(&mut first);
    bump(&mut second);
    let won = store.commit(first, Vec::new()).wait().unwrap();
    assert_eq!(won.version, 2);
    assert!(store.commit(second, Vec::new()).wait().unwrap_err().is_conflict());
    assert_eq!(age(store, "1", "a"), Some(2));
    assert_eq!(store.statistics().conflicts, 1);
}

fn a_write_into_a_range_that_was_read_conflicts(store: &Store, _dir: &Path) {
    let mut counted = store.begin();
    let count = counted.range(&USERS, &("1",), None, 9).unwrap().len();
    counted
        .put(&COUNTERS, &("1", 0), user("count", u32::try_from(count).unwrap()))
        .unwrap();
    put(store, "1", "new", 1);
    assert!(
        store
            .commit(counted, Vec::new())
            .wait()
            .unwrap_err()
            .is_conflict()
    );
}

fn a_write_behind_the_limit_of_a_range_does_not_conflict(store: &Store, _dir: &Path) {
    for name in ["a", "b", "m"] {
        put(store, "1", name, 1);
    }
    let read = |limit: usize, reverse: bool| {
        let mut tx = store.begin();
        let rows = if reverse {
            tx.range_rev(&USERS, &("1",), None, limit).unwrap()
        } else {
            tx.range(&USERS, &("1",), None, limit).unwrap()
        };
        assert_eq!(rows.len(), limit);
        tx.put(&COUNTERS, &("1", 0), user("x", 1)).unwrap();
        tx
    };
    let (up, down, covering) = (read(2, false), read(1, true), read(3, false));
    put(store, "1", "c", 1);
    store.commit(up, Vec::new()).wait().unwrap();
    store.commit(down, Vec::new()).wait().unwrap();
    assert!(
        store
            .commit(covering, Vec::new())
            .wait()
            .unwrap_err()
            .is_conflict()
    );
}

fn a_reader_never_conflicts_at_commit(store: &Store, _dir: &Path) {
    put(store, "1", "a", 1);
    let mut reader = store.begin();
    reader.get(&USERS, &("1", "a")).unwrap();
    put(store, "1", "a", 2);
    let committed = store
        .commit(reader, vec![append("1/log", "read a")])
        .wait()
        .unwrap();
    assert_eq!(committed.sequences, [0]);
    let idle = store.commit(store.begin(), Vec::new()).wait().unwrap();
    assert_eq!((idle.version, idle.sequences), (3, vec![]));
    assert_eq!(store.statistics().flushes, 3);
}

fn a_begun_transaction_moves_up_when_nothing_it_read_changed(store: &Store, _dir: &Path) {
    put(store, "1", "a", 1);
    let mut tx = store.begin();
    tx.get(&USERS, &("1", "a")).unwrap(); // From the cache: no snapshot is open yet.
    put(store, "1", "b", 7);
    assert_eq!(tx.version(), 1);
    assert_eq!(tx.range(&USERS, &("1",), None, 9).unwrap().len(), 2);
    assert_eq!(tx.version(), 2);
}

fn a_begun_transaction_conflicts_when_what_it_read_changed(store: &Store, _dir: &Path) {
    put(store, "1", "a", 1);
    let mut tx = store.begin();
    tx.get(&USERS, &("1", "a")).unwrap();
    put(store, "1", "a", 2);
    assert!(tx.get(&USERS, &("1", "never read")).unwrap_err().is_conflict());
    assert!(tx.conflicted());
    tx.put(&USERS, &("1", "c"), user("c", 1)).unwrap();
    assert!(store.commit(tx, Vec::new()).wait().unwrap_err().is_conflict());
}

fn run_repeats_until_every_increment_counts(store: &Store, _dir: &Path) {
    put(store, "1", "a", 0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..25 {
                    store
                        .run(|tx| {
                            let old = tx.get(&USERS, &("1", "a"))?.unwrap();
                            tx.put(&USERS, &("1", "a"), user("a", old.age + 1))
                        })
                        .unwrap();
                }
            });
        }
    });
    assert_eq!(age(store, "1", "a"), Some(200));
}

/// The second read of a record, and of one that is not there, costs no engine work.
fn a_hot_record_costs_no_engine_read(store: &Store, dir: &Path) {
    put(store, "1", "a", 1);
    let copy = dir.join("copy");
    store.save(&copy).unwrap();
    store.load(&copy).unwrap(); // Leaves the cache cold.
    let read = || {
        let mut tx = store.begin();
        let found = tx.get(&USERS, &("1", "a")).unwrap().unwrap();
        assert_eq!(tx.get(&USERS, &("1", "nobody")).unwrap(), None);
        store.commit(tx, Vec::new()).wait().unwrap();
        found
    };
    let before = store.statistics();
    let first = read();
    let cold = store.statistics();
    assert_eq!(cold.engine_reads, before.engine_reads + 2);
    let second = read();
    let hot = store.statistics();
    assert_eq!(hot.engine_reads, cold.engine_reads);
    assert_eq!(hot.cache_hits, cold.cache_hits + 2);
    assert!(Arc::ptr_eq(&first, &second));
    assert_eq!(hot.flushes, before.flushes);
}

fn an_own_commit_keeps_its_records_hot(store: &Store, _dir: &Path) {
    put(store, "1", "a", 1);
    put(store, "1", "a", 2);
    let before = store.statistics().engine_reads;
    assert_eq!(age(store, "1", "a"), Some(2));
    store.run(|tx| tx.delete(&USERS, &("1", "a"))).unwrap();
    assert_eq!(age(store, "1", "a"), None);
    assert_eq!(store.statistics().engine_reads, before);
}

#[derive(Clone, Debug, PartialEq)]
struct Bulk(Vec<u8>);

impl crate::Record for Bulk {
    const VERSION: u8 = 1;
    const CACHED: bool = false;

    fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        out.extend_from_slice(&self.0);
        Ok(())
    }

    fn decode(_version: u8, bytes: &[u8]) -> Result<Self> {
        Ok(Bulk(bytes.to_vec()))
    }
}

static BULK: Table<(String, u64), Bulk> = Table::new(0x0103, "bulk");

fn a_record_that_is_not_cached_is_read_each_time(store: &Store, _dir: &Path) {
    let read = |expected: Option<&[u8]>| {
        let before = store.statistics().engine_reads;
        let found = store.begin().get(&BULK, &("1", 1)).unwrap();
        assert_eq!(found.as_ref().map(|bulk| bulk.0.as_slice()), expected);
        assert_eq!(store.statistics().engine_reads, before + 1);
    };
    for value in [b"old", b"new"] {
        store
            .run(|tx| tx.put(&BULK, &("1", 1), Bulk(value.to_vec())))
            .unwrap();
        read(Some(value));
        read(Some(value));
    }
    store.run(|tx| tx.delete(&BULK, &("1", 1))).unwrap();
    read(None);
}

fn a_range_decodes_what_the_cache_holds_only_once(store: &Store, _dir: &Path) {
    put(store, "1", "a", 1);
    let first = store.begin().range(&USERS, &(), None, 1).unwrap();
    let second = store.begin().range(&USERS, &(), None, 1).unwrap();
    assert!(Arc::ptr_eq(&first[0].1, &second[0].1));
}

/// Neither by itself nor beside writes elsewhere; a write into the range is seen at once.
fn a_hot_range_costs_no_engine_read(store: &Store, _dir: &Path) {
    for name in ["a", "c", "e"] {
        put(store, "1", name, 1);
    }
    let read = |limit| {
        let before = store.statistics().engine_reads;
        let mut tx = store.begin();
        let rows = tx.range(&USERS, &("1",), None, limit).unwrap();
        (names(&rows).concat(), store.statistics().engine_reads - before)
    };
    assert_eq!(read(2), ("ac".to_owned(), 1));
    assert_eq!(read(2), ("ac".to_owned(), 0));
    put(store, "2", "x", 1);
    put(store, "1", "d", 1); // Behind what the limit let it see.
    assert_eq!(read(2), ("ac".to_owned(), 0));
    put(store, "1", "b", 1);
    assert_eq!(read(2), ("ab".to_owned(), 1));
    store.run(|tx| tx.delete(&USERS, &("1", "a"))).unwrap();
    assert_eq!(read(2), ("bc".to_owned(), 1));
    let mut old = store.begin_eager().unwrap();
    put(store, "1", "a", 1);
    assert_eq!(read(2), ("ab".to_owned(), 1));
    assert_eq!(
        names(&old.range(&USERS, &("1",), None, 2).unwrap()).concat(),
        "bc"
    );
    assert_eq!(read(2), ("ab".to_owned(), 0));
    store.reset(None).unwrap();
    assert_eq!(read(2), (String::new(), 1));
}

fn concurrent_commits_share_flushes(store: &Store, _dir: &Path) {
    // The committer is held inside a wipe until all sixty-four wait behind it.
    put(store, "1", "x", 1);
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let (inside, entered) = std::sync::mpsc::channel::<()>();
    let before = store.statistics();
    std::thread::scope(|scope| {
        let wipe = scope.spawn(move || {
            store.wipe(move |_, _| {
                inside.send(()).unwrap();
                held.recv().unwrap();
                true
            })
        });
        entered.recv().unwrap();
        let commits: Vec<_> = (0..64)
            .map(|number: u64| {
                let mut tx = store.begin();
                tx.put(&COUNTERS, &("1", number), user("x", 1)).unwrap();
                store.commit(tx, vec![append("1/log", number.to_be_bytes())])
            })
            .collect();
        hold.send(()).unwrap();
        wipe.join().unwrap().unwrap();
        for (number, commit) in (0_u64..).zip(commits) {
            assert_eq!(commit.wait().unwrap().sequences, [number]);
        }
    });
    let after = store.statistics();
    assert_eq!(after.commits - before.commits, 64);
    assert_eq!(
        after.flushes - before.flushes,
        2,
        "one for the wipe, one for all that waited"
    );
    let mut tx = store.begin();
    assert_eq!(tx.range(&COUNTERS, &(), None, 99).unwrap().len(), 64);
    assert_eq!(
        tx.stream_batches(b"1/log", 0, Direction::Forward, 9)
            .unwrap()
            .len(),
        1
    );
}

fn a_table_with_another_type_is_refused(store: &Store, _dir: &Path) {
    put(store, "1", "a", 1);
    let refused: Result<_> = store.begin().get(&MISTAKEN, &("1", "a"));
    assert!(matches!(refused.unwrap_err(), Error::Type("mistaken")));
}

fn a_transaction_may_outlive_its_store(store: &Store, dir: &Path) {
    let other = Store::open(&dir.join("other"), Box::new(Linked)).unwrap();
    let mut tx = other.begin();
    tx.put(&USERS, &("1", "a"), user("a", 1)).unwrap();
    drop(other);
    assert_eq!(tx.get(&USERS, &("1", "a")).unwrap().unwrap().age, 1);
    drop(tx);
    let again = Store::open(&dir.join("other"), Box::new(Linked)).unwrap();
    assert_eq!(age(&again, "1", "a"), None);
    assert_eq!(store.version(), 0);
}

fn a_commit_can_be_awaited(store: &Store, _dir: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut tx = store.begin();
        tx.put(&USERS, &("1", "a"), user("a", 1)).unwrap();
        let commit = store.commit(tx, vec![append("1/a", "x")]);
        assert_eq!(tokio::spawn(commit).await.unwrap().unwrap().sequences, [0]);
    });
    assert_eq!(age(store, "1", "a"), Some(1));
}

fn versions_are_told_to_subscribers(store: &Store, _dir: &Path) {
    let mut versions = store.subscribe();
    assert_eq!(*versions.borrow_and_update(), 0);
    put(store, "1", "a", 1);
    assert!(versions.has_changed().unwrap());
    assert_eq!(*versions.borrow_and_update(), 1);
}
