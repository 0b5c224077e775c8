//! Which files may go, and when: no file goes while something names it, while a call has it in hand, or while it is read.
//!
//! A file is published before the row that names it commits, and goes after the row's removal commits. So a crash can leave a file
//! without a row, never a row without a file; `sweep` removes what no row names.
//!
//! Invariant: ids are never used again, so a file that nobody holds and no row names will never be named.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use store::blobs::{Blob, BlobName, Blobs};
use store::{Store, Version};

use super::row::FILES;
use super::workers::Workers;

/// The files of one store.
pub(crate) struct Yard {
    blobs: Arc<dyn Blobs>,
    workers: Arc<Workers>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Published by calls that are not at their end.
    held: HashSet<BlobName>,
    /// Being read, and by how many.
    pinned: HashMap<BlobName, usize>,
    /// To go as soon as nobody reads them.
    doomed: HashSet<BlobName>,
    /// On their way out.
    going: HashSet<BlobName>,
    /// Holds all of them back: a copy of everything is being made.
    paused: usize,
    /// The last commit that let files go.
    released: Version,
}

/// A published file that no committed row names yet. Unless it is settled, it goes with the call.
pub(crate) struct Held {
    yard: Arc<Yard>,
    name: BlobName,
    settled: AtomicBool,
}

impl Held {
    /// A row names the file now; or it is not certain whether one does, which only a sweep can tell.
    pub(crate) fn settle(&self) {
        self.settled.store(true, Ordering::Relaxed);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = self.yard.state.lock();
        state.held.remove(&self.name);
        if !self.settled.load(Ordering::Relaxed) {
            state.doomed.insert(self.name);
            drop(state);
            Yard::reap_aside(&self.yard);
        }
    }
}

/// Files that are being read.
pub(crate) struct Pins {
    yard: Arc<Yard>,
    names: Vec<BlobName>,
}

impl Drop for Pins {
    fn drop(&mut self) {
        let mut state = self.yard.state.lock();
        let mut freed = false;
        for name in &self.names {
            if let Some(count) = state.pinned.get_mut(name) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    state.pinned.remove(name);
                    freed |= state.doomed.contains(name);
                }
            }
        }
        drop(state);
        if freed {
            Yard::reap_aside(&self.yard);
        }
    }
}

/// Holds all files back while it lives.
pub(crate) struct Pause(Arc<Yard>);

impl Drop for Pause {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.paused = state.paused.saturating_sub(1);
        drop(state);
        Yard::reap_aside(&self.0);
    }
}

/// A file that a newer commit let go: what was read before is out of date.
#[derive(Debug)]
pub(crate) struct Gone;

impl Yard {
    pub(crate) fn new(blobs: Arc<dyn Blobs>) -> Arc<Self> {
        Arc::new(Self {
            blobs,
            workers: Workers::new(),
            state: Mutex::default(),
        })
    }

    pub(crate) fn blobs(&self) -> &Arc<dyn Blobs> {
        &self.blobs
    }

    /// Who seals what becomes a file.
    pub(super) const fn workers(&self) -> &Arc<Workers> {
        &self.workers
    }

    /// Takes a file in hand before it is published.
    pub(crate) fn hold(self: &Arc<Self>, name: BlobName) -> Held {
        self.state.lock().held.insert(name);
        Held {
            yard: Arc::clone(self),
            name,
            settled: AtomicBool::new(false),
        }
    }

    /// Keeps files while they are read. `snapshot` is the version at which rows named them.
    pub(crate) fn pin(self: &Arc<Self>, names: Vec<BlobName>, snapshot: Version) -> Result<Pins, Gone> {
        let mut state = self.state.lock();
        if names.iter().any(|name| state.going.contains(name)) {
            return Err(Gone);
        }
        for name in &names {
            *state.pinned.entry(*name).or_default() += 1;
        }
        let stale = snapshot < state.released;
        drop(state);
        let pins = Pins {
            yard: Arc::clone(self),
            names,
        };
        // Nothing was let go since the snapshot: all of them are there. Otherwise they must be looked for.
        let there = |name: &BlobName| matches!(self.blobs.open(name), Ok(Some(_)));
        if stale && !pins.names.iter().all(there) {
            return Err(Gone);
        }
        Ok(pins)
    }

    /// Opens a pinned file.
    pub(crate) fn open(&self, name: &BlobName) -> store::Result<Option<Box<dyn Blob>>> {
        self.blobs.open(name)
    }

    /// Lets files go that the commit `version` took the last name from.
    pub(crate) async fn release(self: &Arc<Self>, names: Vec<BlobName>, version: Version) {
        if self.doom(names, version) {
            let yard = Arc::clone(self);
            let _ended = tokio::task::spawn_blocking(move || yard.reap()).await;
        }
    }

    /// The same, for callers that may block.
    pub(crate) fn release_now(&self, names: Vec<BlobName>, version: Version) {
        if self.doom(names, version) {
            self.reap();
        }
    }

    fn doom(&self, names: Vec<BlobName>, version: Version) -> bool {
        if names.is_empty() {
            return false;
        }
        let mut state = self.state.lock();
        state.released = state.released.max(version);
        state.doomed.extend(names);
        true
    }

    /// Holds every file back until the answer is dropped.
    pub(crate) fn pause(self: &Arc<Self>) -> Pause {
        self.state.lock().paused += 1;
        Pause(Arc::clone(self))
    }

    /// Deletes what may go. What cannot be deleted is left to the next sweep.
    fn reap(&self) {
        let mut state = self.state.lock();
        if state.paused > 0 {
            return;
        }
        let State { doomed, pinned, .. } = &mut *state;
        let free: Vec<BlobName> = doomed.extract_if(|name| !pinned.contains_key(name)).collect();
        state.going.extend(free.iter().copied());
        drop(state);
        for name in &free {
            let _left = self.blobs.delete(name);
        }
        let mut state = self.state.lock();
        for name in &free {
            state.going.remove(name);
        }
    }

    /// Deletes what may go, and waits for who else does.
    #[cfg(test)]
    pub(crate) fn settle(&self) {
        self.reap();
        while !self.state.lock().going.is_empty() {
            std::thread::yield_now();
        }
    }

    /// Deletes what may go, on a thread that may block if there is one.
    fn reap_aside(yard: &Arc<Self>) {
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => {
                let yard = Arc::clone(yard);
                runtime.spawn_blocking(move || yard.reap());
            }
            Err(_) => yard.reap(),
        }
    }

    fn is_busy(&self, name: &BlobName) -> bool {
        self.state.lock().is_busy(name)
    }

    /// Deletes every file that no row names, and tells how many. Blocks; calls may go on meanwhile.
    pub(crate) fn sweep(&self, store: &Store) -> store::Result<usize> {
        let mut swept = 0;
        for shard in 0..=u8::MAX {
            for name in self.blobs.list(shard)? {
                // In this order: what is in nobody's hand any more has its row, or will never have one.
                if self.is_busy(&name) {
                    continue;
                }
                let mut tx = store.begin_eager()?;
                let named = tx.contains(&FILES, &name)?;
                if !named && self.take(name, tx.version()) {
                    let deleted = self.blobs.delete(&name);
                    self.state.lock().going.remove(&name);
                    swept += usize::from(deleted?);
                }
            }
        }
        Ok(swept)
    }

    /// Takes a file that no row named at `version` out of the readers' reach: those whose rows are older than that look for it, and
    /// find that it is on its way out. `false` if somebody has it in hand by now.
    fn take(&self, name: BlobName, version: Version) -> bool {
        let mut state = self.state.lock();
        if state.paused > 0 || state.is_busy(&name) {
            return false;
        }
        state.released = state.released.max(version);
        state.going.insert(name)
    }
}

impl State {
    fn is_busy(&self, name: &BlobName) -> bool {
        self.held.contains(name)
            || self.pinned.contains_key(name)
            || self.doomed.contains(name)
            || self.going.contains(name)
    }
}
