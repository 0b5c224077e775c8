//! How long a call holds what it reads from.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use store::{Batch, Direction, Engine, Result, Row, Snapshot, Store, Version};

use super::rig::{chain, over, text};
use super::{get, put};

/// Snapshots that are held, and the most of them that any commit found.
#[derive(Default)]
struct Count {
    held: AtomicUsize,
    opened: AtomicUsize,
    at_a_commit: AtomicUsize,
}

struct Counting(Box<dyn Engine>, Arc<Count>);

struct Counted(Box<dyn Snapshot>, Arc<Count>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.1.held.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Snapshot for Counted {
    fn version(&self) -> Version {
        self.0.version()
    }
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.0.get(key)
    }
    fn range(&self, from: &[u8], to: &[u8], direction: Direction, limit: usize) -> Result<Vec<Row>> {
        self.0.range(from, to, direction, limit)
    }
}

impl Engine for Counting {
    fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        self.1.opened.fetch_add(1, Ordering::SeqCst);
        self.1.held.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(Counted(self.0.snapshot()?, Arc::clone(&self.1))))
    }
    fn commit(&self, batch: &Batch) -> Result<()> {
        let held = self.1.held.load(Ordering::SeqCst);
        self.1.at_a_commit.fetch_max(held, Ordering::SeqCst);
        self.0.commit(batch)
    }
    fn recover(&self) -> Result<Version> {
        self.0.recover()
    }
    fn save(&self, path: &Path) -> Result<()> {
        self.0.save(path)
    }
    fn check(&self) -> Result<()> {
        self.0.check()
    }
}

/// A snapshot that is held through the flush of its record makes the next reader open the store anew.
#[test]
fn a_read_gives_its_snapshot_back_before_it_waits_for_its_record() {
    let count = Arc::new(Count::default());
    let engine = Counting(Store::memory_engine(), Arc::clone(&count));
    let cloud = over(Store::with_engine(Box::new(engine), chain()).unwrap());
    put(&cloud, "a", &text(4096));
    let before = count.opened.load(Ordering::SeqCst);
    count.at_a_commit.store(0, Ordering::SeqCst);
    assert_eq!(get(&cloud, "a").status, 200);
    assert!(
        count.opened.load(Ordering::SeqCst) > before,
        "contents are not cached"
    );
    assert_eq!(count.at_a_commit.load(Ordering::SeqCst), 0);
}
