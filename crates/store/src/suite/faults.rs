//! Faults at the engine's boundary: a commit that fails leaves nothing behind, is never acknowledged, and does not let the
//! store go on with a state that it is not sure of.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Linked, USERS, age, append, put, read_stream, user};
use crate::{Batch, Engine, Error, Result, Snapshot, Store, Version};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    /// The engine fails before it does anything.
    Before,
    /// The engine fails after all is done, as when the answer of a flush is lost.
    After,
}

#[derive(Default)]
struct Plan {
    commits: Mutex<VecDeque<Fault>>,
    recoveries: Mutex<VecDeque<Fault>>,
}

struct Faulty {
    inner: Box<dyn Engine>,
    plan: Arc<Plan>,
}

fn broken() -> Error {
    Error::engine("write", std::io::Error::other("the disk is full"))
}

fn apply<T>(plan: &Mutex<VecDeque<Fault>>, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let fault = plan.lock().pop_front().unwrap_or(Fault::None);
    match fault {
        Fault::Before => Err(broken()),
        Fault::None => work(),
        Fault::After => work().and(Err(broken())),
    }
}

impl Engine for Faulty {
    fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        self.inner.snapshot()
    }
    fn commit(&self, batch: &Batch) -> Result<()> {
        apply(&self.plan.commits, || self.inner.commit(batch))
    }
    fn recover(&self) -> Result<Version> {
        apply(&self.plan.recoveries, || self.inner.recover())
    }
    fn save(&self, path: &Path) -> Result<()> {
        self.inner.save(path)
    }
    fn check(&self) -> Result<()> {
        self.inner.check()
    }
}

/// Runs a test on both engines, with one row already there.
fn both(test: impl Fn(&Store, &Plan)) {
    let dir = tempfile::tempdir().unwrap();
    for inner in [Store::memory_engine(), Store::disk_engine(dir.path()).unwrap()] {
        let plan = Arc::new(Plan::default());
        let engine = Faulty {
            inner,
            plan: Arc::clone(&plan),
        };
        let store = Store::with_engine(Box::new(engine), Box::new(Linked)).unwrap();
        put(&store, "1", "a", 1);
        test(&store, &plan);
        store.check().unwrap();
    }
}

fn write(store: &Store, age: u32) -> Result<Vec<u64>> {
    let mut tx = store.begin();
    tx.get(&USERS, &("1", "a"))?;
    tx.put(&USERS, &("1", "a"), user("a", age))?;
    tx.put(&USERS, &("1", "b"), user("b", age))?;
    Ok(store.commit(tx, vec![append("1/a", [9])]).wait()?.sequences)
}

fn assert_untouched(store: &Store) {
    assert_eq!((age(store, "1", "a"), age(store, "1", "b")), (Some(1), None));
    assert!(read_stream(&mut store.begin(), "1/a").is_empty());
    assert_eq!(store.version(), 1);
}

#[test]
fn a_failed_commit_leaves_nothing_and_the_next_one_works() {
    both(|store, plan| {
        plan.commits.lock().push_back(Fault::Before);
        let error = write(store, 2).unwrap_err();
        assert!(matches!(error, Error::Refused(_)), "{error}");
        assert_untouched(store);
        assert_eq!(write(store, 3).unwrap(), [0]);
        assert_eq!((age(store, "1", "a"), age(store, "1", "b")), (Some(3), Some(3)));
        assert_eq!(read_stream(&mut store.begin(), "1/a").len(), 1);
    });
}

#[test]
fn a_commit_that_is_there_after_a_failure_is_acknowledged() {
    both(|store, plan| {
        plan.commits.lock().push_back(Fault::After);
        assert_eq!(write(store, 2).unwrap(), [0]);
        assert_eq!(age(store, "1", "a"), Some(2));
        assert_eq!(write(store, 3).unwrap(), [1]);
        assert_eq!(read_stream(&mut store.begin(), "1/a").len(), 2);
    });
}

#[test]
fn commits_are_refused_until_the_state_is_certain_again() {
    both(|store, plan| {
        plan.commits.lock().push_back(Fault::Before);
        plan.recoveries.lock().extend([Fault::Before, Fault::Before]);
        assert!(matches!(write(store, 2).unwrap_err(), Error::Uncertain(_)));
        assert!(matches!(write(store, 3).unwrap_err(), Error::Uncertain(_)));
        assert!(
            matches!(store.run(|tx| tx.delete(&USERS, &("x", "y"))), Ok(())),
            "recovered"
        );
        assert_eq!((age(store, "1", "a"), age(store, "1", "b")), (Some(1), None));
        assert_eq!(write(store, 4).unwrap(), [0]);
    });
}

#[test]
fn a_commit_that_was_answered_as_failed_but_is_there_stops_the_store() {
    both(|store, plan| {
        plan.commits.lock().push_back(Fault::After);
        plan.recoveries.lock().push_back(Fault::Before);
        assert!(matches!(write(store, 2).unwrap_err(), Error::Uncertain(_)));
        let blind = || store.run(|tx| tx.put(&USERS, &("1", "c"), user("c", 1)));
        assert!(matches!(blind().unwrap_err(), Error::Poisoned));
        assert!(matches!(blind().unwrap_err(), Error::Poisoned));
        assert!(matches!(store.reset(None).unwrap_err(), Error::Poisoned));
    });
}

#[test]
fn every_member_of_a_failed_group_is_refused() {
    both(|store, plan| {
        // A wipe of nothing is held while the group gathers behind it.
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let (inside, entered) = std::sync::mpsc::channel::<()>();
        plan.commits.lock().extend([Fault::None, Fault::Before]);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                store.wipe(move |_, _| {
                    inside.send(()).unwrap();
                    held.recv().unwrap();
                    false
                })
            });
            entered.recv().unwrap();
            let commits: Vec<_> = (0..20_u32)
                .map(|number| {
                    let mut tx = store.begin();
                    tx.put(&USERS, &("1", number.to_string()), user("x", number))
                        .unwrap();
                    store.commit(tx, vec![append("1/a", number.to_be_bytes())])
                })
                .collect();
            hold.send(()).unwrap();
            for commit in commits {
                assert!(matches!(commit.wait().unwrap_err(), Error::Refused(_)));
            }
        });
        assert_eq!(
            store
                .begin_eager()
                .unwrap()
                .range(&USERS, &("1",), None, 99)
                .unwrap()
                .len(),
            1
        );
        assert!(read_stream(&mut store.begin(), "1/a").is_empty());
    });
}

#[test]
fn any_pattern_of_faults_keeps_exactly_what_was_acknowledged() {
    both(|store, plan| {
        let mut expected = (Some(1), 0);
        for round in 0..200_u32 {
            let fault =
                [Fault::None, Fault::Before, Fault::After][usize::try_from(round * round % 7 % 3).unwrap()];
            plan.commits.lock().push_back(fault);
            if write(store, round + 10).is_ok() {
                expected = (Some(round + 10), expected.1 + 1);
                assert_ne!(fault, Fault::Before);
            }
            assert_eq!(
                (age(store, "1", "a"), read_stream(&mut store.begin(), "1/a").len()),
                expected
            );
        }
        assert!(expected.1 > 50 && expected.1 < 200);
    });
}

/// A chain that fails in a way that it should not: the caller must not wait for ever.
#[test]
fn a_panic_in_the_committer_closes_the_store() {
    struct Panics;
    impl crate::Chain for Panics {
        fn batch(&mut self, _: &[u8], _: u64, _: Option<&[u8]>, _: &[Vec<u8>]) -> Vec<u8> {
            panic!("a bug in the chain")
        }
        fn link(&self, _: &[u8]) -> Vec<u8> {
            Vec::new()
        }
    }
    let store = Store::memory(Box::new(Panics));
    let commit = store.commit(store.begin(), vec![append("1/a", "x")]);
    assert!(matches!(commit.wait().unwrap_err(), Error::Closed));
    assert!(matches!(store.reset(None).unwrap_err(), Error::Closed));
    assert_eq!(age(&store, "1", "a"), None);
}

/// An engine that stops inside each commit, after it is applied, until it is told to go on.
struct Gated {
    inner: Box<dyn Engine>,
    applied: Mutex<std::sync::mpsc::Sender<()>>,
    go_on: Mutex<std::sync::mpsc::Receiver<()>>,
}

impl Engine for Gated {
    fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        self.inner.snapshot()
    }
    fn commit(&self, batch: &Batch) -> Result<()> {
        self.inner.commit(batch)?;
        self.applied.lock().send(()).unwrap();
        self.go_on.lock().recv().unwrap();
        Ok(())
    }
    fn recover(&self) -> Result<Version> {
        self.inner.recover()
    }
    fn save(&self, path: &Path) -> Result<()> {
        self.inner.save(path)
    }
    fn check(&self) -> Result<()> {
        self.inner.check()
    }
}

/// Between the engine's commit and its publication, new snapshots show the new version already: the cache and the validation
/// must not mix it with the old one.
#[test]
fn a_commit_that_is_not_yet_published_is_seen_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    for inner in [Store::memory_engine(), Store::disk_engine(dir.path()).unwrap()] {
        let (tell_applied, applied) = std::sync::mpsc::channel();
        let (tell_on, go_on) = std::sync::mpsc::channel();
        let engine = Gated {
            inner,
            applied: Mutex::new(tell_applied),
            go_on: Mutex::new(go_on),
        };
        let store = Store::with_engine(Box::new(engine), Box::new(Linked)).unwrap();
        // Dropped before the store, so that a failing test does not wait for a held commit.
        let tell_on = tell_on;
        tell_on.send(()).unwrap();
        store
            .run(|tx| {
                tx.put(&USERS, &("1", "a"), user("a", 1))?;
                tx.put(&USERS, &("1", "b"), user("b", 1))
            })
            .unwrap();
        applied.recv().unwrap();

        let mut held = store.begin();
        assert_eq!(held.get(&USERS, &("1", "a")).unwrap().unwrap().age, 1);
        let mut tx = store.begin();
        tx.put(&USERS, &("1", "a"), user("a", 2)).unwrap();
        tx.put(&USERS, &("1", "b"), user("b", 2)).unwrap();
        let commit = store.commit(tx, Vec::new());
        applied.recv().unwrap();
        assert_eq!(store.version(), 1);
        let mut eager = store.begin_eager().unwrap();
        assert_eq!(eager.version(), 2);
        for name in ["a", "b"] {
            assert_eq!(eager.get(&USERS, &("1", name)).unwrap().unwrap().age, 2, "{name}");
        }
        // This one saw the old `a`, and must not see the new `b` beside it.
        assert!(held.get(&USERS, &("1", "b")).unwrap_err().is_conflict());
        tell_on.send(()).unwrap();
        commit.wait().unwrap();
        assert_eq!(age(&store, "1", "b"), Some(2));
    }
}
