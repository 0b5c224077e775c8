//! A storage engine that does what a test tells it: fails commits, holds them back, and tells what they wrote.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};
use store::{Batch, Engine, Error, Result, Snapshot, Store, Version};

/// The engine under a test's control, over the memory engine.
pub struct Controlled {
    inner: Box<dyn Engine>,
    plan: Arc<Plan>,
}

/// The handle that the test keeps.
#[derive(Default)]
pub struct Plan {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The tables that were written to, by the id in the first two bytes of each key.
    written: BTreeSet<u16>,
    /// Commits that pass before the ones that fail.
    passing: usize,
    failing: usize,
    held: bool,
    waiting: usize,
}

impl Controlled {
    /// An empty engine and its handle.
    pub fn prepared() -> (Box<dyn Engine>, Arc<Plan>) {
        let plan = Arc::<Plan>::default();
        let engine = Self {
            inner: Store::memory_engine(),
            plan: Arc::clone(&plan),
        };
        (Box::new(engine), plan)
    }
}

impl Plan {
    /// Lets `passing` commits pass, then fails `failing` of them.
    pub fn fail(&self, passing: usize, failing: usize) {
        let mut state = self.state.lock();
        (state.passing, state.failing) = (passing, failing);
    }

    /// Whether every planned failure has happened.
    pub fn failed(&self) -> bool {
        self.state.lock().failing == 0
    }

    /// Holds commits back from now on.
    pub fn hold(&self) {
        self.state.lock().held = true;
    }

    /// Blocks until a commit is held back.
    pub fn wait_for_commit(&self) {
        let mut state = self.state.lock();
        while state.waiting == 0 {
            self.changed.wait(&mut state);
        }
    }

    /// Lets commits pass again.
    pub fn release(&self) {
        self.state.lock().held = false;
        self.changed.notify_all();
    }

    /// The ids of the tables that were written to since the last time this was asked.
    pub fn take_written(&self) -> BTreeSet<u16> {
        std::mem::take(&mut self.state.lock().written)
    }

    fn admit(&self, batch: &Batch) -> Result<()> {
        let mut state = self.state.lock();
        state.waiting += 1;
        self.changed.notify_all();
        while state.held {
            self.changed.wait(&mut state);
        }
        state.waiting -= 1;
        if state.failing > 0 {
            if state.passing == 0 {
                state.failing -= 1;
                return Err(Error::engine("write", std::io::Error::other("the disk is full")));
            }
            state.passing -= 1;
        }
        let tables = batch.writes.keys().filter_map(|key| key.first_chunk::<2>());
        state.written.extend(tables.map(|id| u16::from_be_bytes(*id)));
        Ok(())
    }
}

impl Engine for Controlled {
    fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        self.inner.snapshot()
    }

    fn commit(&self, batch: &Batch) -> Result<()> {
        self.plan.admit(batch)?;
        self.inner.commit(batch)
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
