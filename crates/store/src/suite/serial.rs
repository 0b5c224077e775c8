//! Transactions are serializable under random interleavings: what committed equals the same transactions run one after the
//! other in the order of their versions, read for read.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use super::{Linked, USERS, user};
use crate::{Error, Result, Store, Tx, Version};

#[derive(Clone, Debug)]
enum Step {
    Get(u8),
    Put(u8),
    Delete(u8),
    Range { from: u8, limit: usize, reverse: bool },
}

/// What one read saw: names and ages.
type Seen = Vec<(u8, u32)>;
type Model = BTreeMap<u8, u32>;

const KEYS: u8 = 5;

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..KEYS).prop_map(Step::Get),
        3 => (0..KEYS).prop_map(Step::Put),
        1 => (0..KEYS).prop_map(Step::Delete),
        2 => (0..KEYS, 1..4_usize, any::<bool>())
            .prop_map(|(from, limit, reverse)| Step::Range { from, limit, reverse }),
    ]
}

fn name(key: u8) -> String {
    char::from(b'a' + key).to_string()
}

fn key_of(name: &str) -> u8 {
    name.as_bytes()[0] - b'a'
}

/// Runs one step; `value` is what a put writes.
fn run(tx: &mut Tx, step: &Step, value: u32) -> Result<Option<Seen>> {
    Ok(match step {
        Step::Get(key) => {
            let found = tx.get(&USERS, &("1", name(*key)))?;
            Some(found.iter().map(|user| (*key, user.age)).collect())
        }
        Step::Put(key) => {
            tx.put(&USERS, &("1", name(*key)), user("x", value))?;
            None
        }
        Step::Delete(key) => {
            tx.delete(&USERS, &("1", name(*key)))?;
            None
        }
        Step::Range { from, limit, reverse } => {
            let bound = ("1".to_owned(), name(*from));
            let rows = if *reverse {
                tx.range_rev(&USERS, &("1",), Some(&bound), *limit)?
            } else {
                tx.range(&USERS, &("1",), Some(&bound), *limit)?
            };
            Some(
                rows.iter()
                    .map(|((_, name), user)| (key_of(name), user.age))
                    .collect(),
            )
        }
    })
}

fn replay(model: &mut Model, step: &Step, value: u32) -> Option<Seen> {
    match step {
        Step::Get(key) => Some(model.get(key).map(|age| (*key, *age)).into_iter().collect()),
        Step::Put(key) => {
            model.insert(*key, value);
            None
        }
        Step::Delete(key) => {
            model.remove(key);
            None
        }
        Step::Range {
            from,
            limit,
            reverse: false,
        } => Some(
            model
                .range(from + 1..)
                .take(*limit)
                .map(|(key, age)| (*key, *age))
                .collect(),
        ),
        Step::Range {
            from,
            limit,
            reverse: true,
        } => Some(
            model
                .range(..from)
                .rev()
                .take(*limit)
                .map(|(key, age)| (*key, *age))
                .collect(),
        ),
    }
}

/// A transaction that committed: its place in the order, its steps with what they wrote, and what its reads saw.
struct Done {
    version: Version,
    wrote: bool,
    steps: Vec<(Step, u32)>,
    seen: Vec<Option<Seen>>,
}

fn check(mut done: Vec<Done>, mut model: Model, store: &Store) {
    // A reader stands behind the writer whose version it saw.
    done.sort_by_key(|done| (done.version, !done.wrote));
    for transaction in done {
        let mut own = model.clone();
        for ((step, value), seen) in transaction.steps.iter().zip(&transaction.seen) {
            assert_eq!(
                &replay(&mut own, step, *value),
                seen,
                "{step:?} at {}",
                transaction.version
            );
        }
        if transaction.wrote {
            model = own;
        }
    }
    let rows = store
        .begin_eager()
        .unwrap()
        .range(&USERS, &("1",), None, 99)
        .unwrap();
    let last: Model = rows
        .iter()
        .map(|((_, name), user)| (key_of(name), user.age))
        .collect();
    assert_eq!(last, model);
}

/// A store that begins with three rows and a cold cache.
fn prepared(store: Store, dir: &Path) -> (Store, Model) {
    let model = Model::from([(0, 1), (2, 2), (4, 3)]);
    let seed = Store::memory(Box::new(Linked));
    for (key, age) in &model {
        seed.run(|tx| tx.put(&USERS, &("1", name(*key)), user("x", *age)))
            .unwrap();
    }
    let file = dir.join("seed");
    seed.save(&file).unwrap();
    store.load(&file).unwrap();
    (store, model)
}

/// Runs `programs` as the schedule says; a commit is sent when its transaction is through, and answered at the end.
fn interleave(store: Store, dir: &Path, programs: &[(bool, Vec<Step>)], schedule: &[prop::sample::Index]) {
    let (store, model) = prepared(store, dir);
    let begin = |eager: bool| {
        if eager {
            store.begin_eager().unwrap()
        } else {
            store.begin()
        }
    };
    let mut open: Vec<_> = (0..)
        .zip(programs)
        .map(|(id, (eager, steps))| (id, begin(*eager), steps, vec![]))
        .collect();
    let mut commits = Vec::new();
    let mut schedule = schedule.iter().cycle();
    while !open.is_empty() {
        let at = schedule.next().unwrap().index(open.len());
        let (id, tx, steps, seen) = &mut open[at];
        let next = seen.len();
        let value = *id * 100 + u32::try_from(next).unwrap() + 10;
        if next < steps.len() {
            match run(tx, &steps[next], value) {
                Ok(read) => seen.push(read),
                Err(error) => {
                    assert!(error.is_conflict());
                    open.swap_remove(at);
                }
            }
            continue;
        }
        let (id, tx, steps, seen) = open.swap_remove(at);
        let wrote = tx.changed();
        let values = (0..).map(|next| id * 100 + next + 10);
        let steps = steps.iter().cloned().zip(values).collect();
        commits.push((store.commit(tx, Vec::new()), wrote, steps, seen));
    }
    let done = commits
        .into_iter()
        .filter_map(|(commit, wrote, steps, seen)| match commit.wait() {
            Ok(committed) => Some(Done {
                version: committed.version,
                wrote,
                steps,
                seen,
            }),
            Err(Error::Conflict) => None,
            Err(error) => panic!("{error}"),
        });
    check(done.collect(), model, &store);
}

fn programs() -> impl Strategy<Value = Vec<(bool, Vec<Step>)>> {
    prop::collection::vec((any::<bool>(), prop::collection::vec(step(), 1..6)), 2..7)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn interleaved_transactions_in_memory_are_serializable(
        programs in programs(),
        schedule in prop::collection::vec(any::<prop::sample::Index>(), 40),
    ) {
        let dir = tempfile::tempdir().unwrap();
        interleave(Store::memory(Box::new(Linked)), dir.path(), &programs, &schedule);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn interleaved_transactions_on_disk_are_serializable(
        programs in programs(),
        schedule in prop::collection::vec(any::<prop::sample::Index>(), 40),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store"), Box::new(Linked)).unwrap();
        interleave(store, dir.path(), &programs, &schedule);
    }
}

/// Real threads: reads, cache fills and commits race as they do in a server.
fn race(store: Store, dir: &Path) {
    let (store, model) = prepared(store, dir);
    let done = parking_lot::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for thread in 0..6_u32 {
            let (store, done) = (&store, &done);
            scope.spawn(move || {
                let mut random = TestRunner::new_with_rng(
                    ProptestConfig::default(),
                    TestRng::from_seed(RngAlgorithm::ChaCha, &[u8::try_from(thread).unwrap(); 32]),
                );
                let program = prop::collection::vec(step(), 1..6);
                for round in 0..150_u32 {
                    let steps = program.new_tree(&mut random).unwrap().current();
                    let values = (0..).map(|next| (thread * 1000 + round) * 100 + next + 10);
                    let steps: Vec<(Step, u32)> = steps.into_iter().zip(values).collect();
                    let mut tx = store.begin();
                    let seen: Result<Vec<_>> = steps
                        .iter()
                        .map(|(step, value)| run(&mut tx, step, *value))
                        .collect();
                    let Ok(seen) = seen else { continue };
                    let wrote = tx.changed();
                    if let Ok(committed) = store.commit(tx, Vec::new()).wait() {
                        done.lock().push(Done {
                            version: committed.version,
                            wrote,
                            steps,
                            seen,
                        });
                    }
                }
            });
        }
    });
    let done = done.into_inner();
    assert!(done.iter().filter(|done| done.wrote).count() > 100);
    check(done, model, &store);
}

#[test]
fn racing_threads_in_memory_are_serializable() {
    let dir = tempfile::tempdir().unwrap();
    race(Store::memory(Box::new(Linked)), dir.path());
}

#[test]
fn racing_threads_on_disk_are_serializable() {
    let dir = tempfile::tempdir().unwrap();
    race(
        Store::open(&dir.path().join("store"), Box::new(Linked)).unwrap(),
        dir.path(),
    );
}
