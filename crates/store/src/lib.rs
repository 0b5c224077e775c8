//! The store: typed tables inside serializable transactions, and append-only streams that become durable with them. Memory and
//! disk engines stand behind one small trait. A commit is acknowledged only when it is durable; commits share flushes. Beside the rows lie
//! blobs, which are too large for one.

pub mod blobs;
mod cache;
mod checked;
mod committer;
mod conflict;
mod disk;
mod engine;
mod error;
mod key;
mod memory;
mod ranges;
mod record;
mod slot;
mod store;
mod stream;
#[cfg(test)]
mod suite;
mod tx;

pub use crate::disk::FILE;
pub use crate::engine::{Batch, Direction, Engine, Row, Snapshot, Version};
pub use crate::error::{Error, Result};
pub use crate::key::{AsKey, Key, Prefix};
pub use crate::record::{Record, Table, json};
pub use crate::slot::{Commit, Committed};
pub use crate::store::{Statistics, Store};
pub use crate::stream::{Append, Chain, Plain, StreamBatch};
pub use crate::tx::{Savepoint, Tx};
