//! The boundary below the store: an ordered map of bytes with consistent snapshots and atomic, durable commits. Engines know
//! nothing of tables, conflicts or streams; only the committer calls [`Engine::commit`], one batch at a time.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::Result;

/// The number of a commit. Every committed transaction has one of its own, and they grow in commit order.
pub type Version = u64;

/// A key and its value.
pub type Row = (Vec<u8>, Vec<u8>);

/// One atomic change.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The version that the store has once this is applied.
    pub version: Version,
    /// Whether every row goes before the writes are applied.
    pub wipe: bool,
    /// The new values; `None` deletes.
    pub writes: BTreeMap<Arc<[u8]>, Option<Vec<u8>>>,
}

/// The direction of a range read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the least key up.
    Forward,
    /// From the greatest key down.
    Reverse,
}

/// Where rows are kept.
pub trait Engine: Send + Sync + 'static {
    /// A view of the latest commit, which later commits do not change.
    ///
    /// # Errors
    /// When the engine cannot be read.
    fn snapshot(&self) -> Result<Box<dyn Snapshot>>;

    /// Applies all of `batch` durably, or nothing of it.
    ///
    /// # Errors
    /// After any error the store calls [`Engine::recover`] before it trusts the engine again.
    fn commit(&self, batch: &Batch) -> Result<()>;

    /// Makes the state certain after a failed commit, so that the failed batch can neither appear nor disappear later, and
    /// tells which version is there.
    ///
    /// # Errors
    /// When the state cannot be made certain.
    fn recover(&self) -> Result<Version>;

    /// Whether reads may wait for something remote.
    fn blocking(&self) -> bool {
        false
    }

    /// Writes all rows as of now to one file.
    ///
    /// # Errors
    /// When the file cannot be written; a half-written one is not left under that name.
    fn save(&self, path: &Path) -> Result<()>;

    /// Checks the stored structure from end to end (slow).
    ///
    /// # Errors
    /// [`crate::Error::Corrupt`] names the file and what is wrong with it.
    fn check(&self) -> Result<()>;
}

/// A consistent view.
pub trait Snapshot: Send {
    /// The version that it shows.
    fn version(&self) -> Version;

    /// The value of `key`.
    ///
    /// # Errors
    /// When the engine cannot be read.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;

    /// Up to `limit` rows with `from <= key < to`.
    ///
    /// # Errors
    /// When the engine cannot be read.
    fn range(&self, from: &[u8], to: &[u8], direction: Direction, limit: usize) -> Result<Vec<Row>>;
}

/// Rows whose key begins so are the store's own bookkeeping (the version).
pub(crate) const META: [u8; 2] = [0, 0];
/// Rows whose key begins so are batches of streams.
pub(crate) const STREAMS: [u8; 2] = [0, 1];
/// Above all of those.
pub(crate) const STREAMS_END: [u8; 2] = [0, 2];
/// Above every key there is.
pub(crate) const END: [u8; 2] = [0xff, 0xff];
