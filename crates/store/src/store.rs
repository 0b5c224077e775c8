//! The store's handle: begins transactions, hands commits to the committer thread, and looks after the whole (snapshots to a
//! file, wiping, statistics). Clones share one store; it closes when the last one goes.

use std::mem;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;

use crate::blobs::{Blobs, DiskBlobs, MemoryBlobs};
use crate::cache::Cache;
use crate::committer::{self, Queue, Request, Submission};
use crate::conflict::{Reads, Recent};
use crate::disk::{self, Disk};
use crate::engine::STREAMS;
use crate::key::encode_bytes;
use crate::memory::Memory;
use crate::ranges::Ranges;
use crate::slot::{self, Commit, Committed};
use crate::stream;
use crate::{Append, Chain, Engine, Error, Result, Tx, Version};

/// How often [`Store::run`] runs a transaction before it gives up.
const ATTEMPTS_MAX: u32 = 10_000;

/// What the store has done since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Reads that had to ask the engine.
    pub engine_reads: u64,
    /// Reads that the cache answered.
    pub cache_hits: u64,
    /// Transactions that committed something.
    pub commits: u64,
    /// Engine commits; many transactions share one.
    pub flushes: u64,
    /// Transactions that were told to run again.
    pub conflicts: u64,
}

#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) reads: AtomicU64,
    pub(crate) hits: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) flushes: AtomicU64,
    pub(crate) conflicts: AtomicU64,
}

/// What transactions, the committer and the handles have in common.
pub(crate) struct Shared {
    pub(crate) engine: Box<dyn Engine>,
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) cache: Cache,
    pub(crate) ranges: Ranges,
    pub(crate) recent: Mutex<Recent>,
    pub(crate) published: AtomicU64,
    /// See [`Tx::era`].
    pub(crate) era: AtomicU64,
    /// Whether the committer knows what the engine holds.
    pub(crate) certain: AtomicBool,
    pub(crate) queue: Mutex<Queue>,
    pub(crate) arrived: Condvar,
    pub(crate) versions: watch::Sender<Version>,
    pub(crate) counters: Counters,
}

/// A store of typed records and streams; cheap to clone.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
    _closer: Arc<Closer>,
}

/// A number that no content of any store of this process had before; none is zero.
pub(crate) fn next_era() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// Ends the committer thread, after it finished what waits, when the last handle goes.
struct Closer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Closer {
    fn drop(&mut self) {
        self.shared.queue.lock().closed = true;
        self.shared.arrived.notify_all();
        let Some(thread) = self.thread.lock().take() else {
            return;
        };
        // A waker that the committer drops may hold the last handle: it must not wait for itself.
        if thread.thread().id() != std::thread::current().id() {
            let _ended = thread.join();
        }
    }
}

impl Store {
    /// A store in memory, gone with the process.
    #[must_use]
    pub fn memory(chain: Box<dyn Chain>) -> Store {
        Store::assemble(Box::<Memory>::default(), Arc::<MemoryBlobs>::default(), 0, chain)
    }

    /// The store in the folder `dir`, made if it is not there.
    ///
    /// # Errors
    /// [`Error::Locked`], [`Error::NewerFormat`], [`Error::Foreign`], [`Error::Corrupt`] and [`Error::Io`] name the file.
    pub fn open(dir: &Path, chain: Box<dyn Chain>) -> Result<Store> {
        Store::on_disk(Disk::open(dir, true)?, dir, chain)
    }

    /// The same for who only looks: a store of an older format is left as it is.
    ///
    /// # Errors
    /// As [`Store::open`], and [`Error::OlderFormat`].
    pub fn open_unconverted(dir: &Path, chain: Box<dyn Chain>) -> Result<Store> {
        Store::on_disk(Disk::open(dir, false)?, dir, chain)
    }

    /// The engine comes first: its lock keeps a second process from emptying the staging folder.
    fn on_disk(engine: Disk, dir: &Path, chain: Box<dyn Chain>) -> Result<Store> {
        let blobs = Arc::new(DiskBlobs::open(dir)?);
        Store::with_engine_and_blobs(Box::new(engine), blobs, chain)
    }

    /// The engine of [`Store::memory`], for a wrapper around it.
    #[must_use]
    pub fn memory_engine() -> Box<dyn Engine> {
        Box::<Memory>::default()
    }

    /// The engine of [`Store::open`], for a wrapper around it.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn disk_engine(dir: &Path) -> Result<Box<dyn Engine>> {
        Ok(Box::new(Disk::open(dir, true)?))
    }

    /// The blobs of [`Store::open`], for a wrapper around them. Only for who holds the engine of the same folder.
    ///
    /// # Errors
    /// [`Error::Io`] names the folder.
    pub fn disk_blobs(dir: &Path) -> Result<Arc<dyn Blobs>> {
        Ok(Arc::new(DiskBlobs::open(dir)?))
    }

    /// The blobs of [`Store::memory`], for a wrapper around them.
    #[must_use]
    pub fn memory_blobs() -> Arc<dyn Blobs> {
        Arc::<MemoryBlobs>::default()
    }

    /// A store over any engine, with its blobs in memory.
    ///
    /// # Errors
    /// When the engine's version cannot be read.
    pub fn with_engine(engine: Box<dyn Engine>, chain: Box<dyn Chain>) -> Result<Store> {
        Store::with_engine_and_blobs(engine, Arc::<MemoryBlobs>::default(), chain)
    }

    /// A store over any engine and any blobs.
    ///
    /// # Errors
    /// When the engine's version cannot be read.
    pub fn with_engine_and_blobs(
        engine: Box<dyn Engine>,
        blobs: Arc<dyn Blobs>,
        chain: Box<dyn Chain>,
    ) -> Result<Store> {
        let version = engine.snapshot()?.version();
        Ok(Store::assemble(engine, blobs, version, chain))
    }

    fn assemble(
        engine: Box<dyn Engine>,
        blobs: Arc<dyn Blobs>,
        version: Version,
        chain: Box<dyn Chain>,
    ) -> Store {
        let shared = Arc::new(Shared {
            engine,
            blobs,
            cache: Cache::new(),
            ranges: Ranges::default(),
            recent: Mutex::new(Recent::new(version)),
            certain: AtomicBool::new(true),
            published: AtomicU64::new(version),
            era: AtomicU64::new(next_era()),
            queue: Mutex::default(),
            arrived: Condvar::new(),
            versions: watch::Sender::new(version),
            counters: Counters::default(),
        });
        let thread = committer::start(Arc::clone(&shared), chain);
        let closer = Closer {
            shared: Arc::clone(&shared),
            thread: Mutex::new(thread),
        };
        Store {
            shared,
            _closer: Arc::new(closer),
        }
    }

    /// Lets the decoded records that are kept in memory take about this many bytes; without it they take 128 MiB. What is kept is
    /// brought down to fewer as others come.
    pub fn bound_cache(&self, bytes: usize) {
        self.shared.cache.bound(bytes);
    }

    /// The blobs that lie beside the rows. No transaction holds them: whoever publishes and deletes them sees to the order.
    #[must_use]
    pub fn blobs(&self) -> Arc<dyn Blobs> {
        Arc::clone(&self.shared.blobs)
    }

    /// Begins a transaction at the last published version. Costs nothing until the cache misses.
    #[must_use]
    pub fn begin(&self) -> Tx {
        Tx::new(Arc::clone(&self.shared), self.version(), None)
    }

    /// Begins a transaction whose snapshot is open at once, for a run after a conflict: its reads cannot conflict.
    ///
    /// # Errors
    /// When the engine cannot be read.
    pub fn begin_eager(&self) -> Result<Tx> {
        let snapshot = self.shared.engine.snapshot()?;
        Ok(Tx::new(
            Arc::clone(&self.shared),
            snapshot.version(),
            Some(snapshot),
        ))
    }

    /// Hands a transaction and the records that belong to it to the committer. One that only read never conflicts; one that
    /// neither wrote nor appended is ready at once.
    pub fn commit(&self, mut tx: Tx, appends: Vec<Append>) -> Commit {
        if !tx.changed() && appends.is_empty() {
            return Commit::ready(Ok(Committed {
                version: tx.version(),
                sequences: Vec::new(),
            }));
        }
        if tx.conflicted() {
            return Commit::ready(Err(Error::Conflict));
        }
        let since = tx.version();
        let (mut reads, writes) = (mem::take(&mut tx.reads), mem::take(&mut tx.writes));
        let read = !reads.is_empty();
        if writes.is_empty() {
            // Nothing is validated of it; dropped here, where it was made.
            reads = Reads::default();
        }
        // The rest, its snapshot among it, is given back before the wait.
        drop(tx);
        let (ticket, commit) = slot::pair();
        self.submit(Request::Commit(Submission {
            since,
            read,
            reads,
            writes,
            appends,
            ticket,
        }));
        commit
    }

    fn submit(&self, request: Request) {
        let mut queue = self.shared.queue.lock();
        if queue.closed {
            return; // Dropping the request answers it.
        }
        let idle = queue.requests.is_empty();
        queue.requests.push(request);
        let awaited = queue.requests.len() == queue.wanted;
        drop(queue);
        if idle || awaited {
            self.shared.arrived.notify_one();
        }
    }

    /// Runs `f` as a transaction until it commits; blocks. For tests, jobs and tools.
    ///
    /// # Errors
    /// What `f` or the commit answered; conflicts only after very many runs.
    pub fn run<T, E: From<Error>>(&self, mut f: impl FnMut(&mut Tx) -> Result<T, E>) -> Result<T, E> {
        let mut tx = self.begin();
        for _ in 0..ATTEMPTS_MAX {
            match f(&mut tx) {
                Err(error) if !tx.conflicted() => return Err(error),
                Err(_) => {}
                Ok(answer) => match self.commit(tx, Vec::new()).wait() {
                    Err(Error::Conflict) => {}
                    Err(error) => return Err(error.into()),
                    Ok(_) => return Ok(answer),
                },
            }
            tx = self.begin_eager()?;
        }
        Err(Error::Conflict.into())
    }

    /// The version of the last published commit.
    #[must_use]
    pub fn version(&self) -> Version {
        self.shared.published.load(Ordering::Acquire)
    }

    /// Tells of every published version, for readers that follow the store.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Version> {
        self.shared.versions.subscribe()
    }

    /// Whether reads may wait for something remote: then transactions belong on a thread that may block.
    #[must_use]
    pub fn blocking(&self) -> bool {
        self.shared.engine.blocking()
    }

    /// The sequence number of the last durable record of `stream`.
    ///
    /// # Errors
    /// When the engine cannot be read.
    pub fn tail(&self, stream: &[u8]) -> Result<Option<u64>> {
        self.begin_eager()?.stream_last(stream)
    }

    /// Writes everything as of now to one file, complete or not at all.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        self.shared.engine.save(path)
    }

    /// Replaces everything by what [`Store::save`] wrote; transactions under way conflict.
    ///
    /// # Errors
    /// When the file is not one of ours, or damaged; then nothing is changed.
    pub fn load(&self, path: &Path) -> Result<Version> {
        let rows = disk::import(path)?;
        let (ticket, commit) = slot::pair();
        self.submit(Request::Load { rows, ticket });
        commit.wait().map(|committed| committed.version)
    }

    /// Wipes everything, or the rows whose key begins with the string `account` together with the streams whose names begin
    /// with it. Transactions under way conflict.
    ///
    /// # Errors
    /// When the commit fails; then nothing is wiped.
    pub fn reset(&self, account: Option<&str>) -> Result<Version> {
        let Some(account) = account else {
            return self.wipe(|_, _| true);
        };
        let mut first = Vec::new();
        encode_bytes(account.as_bytes(), &mut first);
        let (from, to) = stream::named(account.as_bytes());
        self.wipe(move |key, _| {
            if key.starts_with(&STREAMS) {
                return from.as_slice() <= key && key < to.as_slice();
            }
            key.get(2..).is_some_and(|key| key.starts_with(&first))
        })
    }

    /// Wipes the rows that `doomed` names, given the row key (the table's id in two bytes, then the encoded key) and the stored
    /// bytes. Transactions under way conflict.
    ///
    /// # Errors
    /// When the commit fails; then nothing is wiped.
    pub fn wipe(&self, doomed: impl Fn(&[u8], &[u8]) -> bool + Send + 'static) -> Result<Version> {
        let (ticket, commit) = slot::pair();
        self.submit(Request::Wipe {
            doomed: Box::new(doomed),
            ticket,
        });
        commit.wait().map(|committed| committed.version)
    }

    /// Whether the store takes commits: `false` after a failure that left the engine's state unknown or broken.
    #[must_use]
    pub fn certain(&self) -> bool {
        self.shared.certain.load(Ordering::Acquire)
    }

    /// Checks the stored structure from end to end; slow.
    ///
    /// # Errors
    /// [`Error::Corrupt`] names the file and what is wrong.
    pub fn check(&self) -> Result<()> {
        self.shared.engine.check()
    }

    /// What the store has done since it was opened.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let counters = &self.shared.counters;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Statistics {
            engine_reads: read(&counters.reads),
            cache_hits: read(&counters.hits),
            commits: read(&counters.commits),
            flushes: read(&counters.flushes),
            conflicts: read(&counters.conflicts),
        }
    }
}
