//! Blobs: immutable bytes under a name, too many for a row. They are written aside, made durable, and appear whole or not at all.
//!
//! Invariant: a blob that was published is durable under its name before `Staged::publish` returns; a staged one that was not is
//! never seen, and is gone after the next start. What a blob holds, and who may delete it, is the caller's business.

mod disk;
mod memory;
mod spare;

use std::path::Path;

pub(crate) use disk::DiskBlobs;
pub(crate) use memory::MemoryBlobs;

use crate::Result;

/// A blob's name: unique, chosen by the caller.
pub type BlobName = [u8; 16];

/// How many shards [`Blobs::list`] knows: one for each value of a name's last byte.
pub const SHARDS: usize = 256;

/// Where blobs are kept.
pub trait Blobs: Send + Sync + 'static {
    /// Begins the blob that will be `name`.
    ///
    /// # Errors
    /// When nothing can be written.
    fn stage(&self, name: &BlobName) -> Result<Box<dyn Staged>>;

    /// A published blob; `None` if there is none of that name. On this machine it stays readable while it is held, also when it is
    /// deleted; in a remote store it does not, so whoever deletes waits for those who read.
    ///
    /// # Errors
    /// When it cannot be read.
    fn open(&self, name: &BlobName) -> Result<Option<Box<dyn Blob>>>;

    /// Deletes a blob; `false` if there was none.
    ///
    /// # Errors
    /// When it cannot be deleted.
    fn delete(&self, name: &BlobName) -> Result<bool>;

    /// The names that end in `shard`, in no order.
    ///
    /// # Errors
    /// When they cannot be listed.
    fn list(&self, shard: u8) -> Result<Vec<BlobName>>;

    /// Writes every blob to `folder`, in the form that [`crate::Store::open`] finds below a folder of its own and that
    /// [`Blobs::load`] reads. Blobs that are published meanwhile may be among them or not.
    ///
    /// # Errors
    /// When a file cannot be written.
    fn save(&self, folder: &Path) -> Result<()>;

    /// Takes in every blob that [`Blobs::save`] wrote to `folder`.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    fn load(&self, folder: &Path) -> Result<()>;
}

/// A blob that is being written. Dropping it leaves nothing.
pub trait Staged: Send {
    /// Appends bytes.
    ///
    /// # Errors
    /// When they cannot be written (no room): the blob is of no use any more.
    fn append(&mut self, bytes: &[u8]) -> Result<()>;

    /// Makes the blob durable and visible under its name.
    ///
    /// # Errors
    /// After an error the blob may be there or not.
    fn publish(self: Box<Self>) -> Result<()>;
}

/// A published blob.
pub trait Blob: Send + Sync {
    /// Its bytes in all.
    fn size(&self) -> u64;

    /// Fills `buffer` from `offset` on.
    ///
    /// # Errors
    /// When the blob ends before the buffer is full, or cannot be read.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()>;
}

/// Copies the blobs of one saved or closed store's folder to that of another, for tools that hold no store.
///
/// # Errors
/// When a file cannot be read or written.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    disk::copy_all(from, to)
}

/// A name as 32 hexadecimal digits.
#[must_use]
pub fn text_of(name: &BlobName) -> String {
    use std::fmt::Write as _;
    name.iter().fold(String::with_capacity(32), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

/// The name that a text of 32 hexadecimal digits stands for.
#[must_use]
pub fn name_of(text: &str) -> Option<BlobName> {
    let mut name = [0; 16];
    if text.len() != 32 {
        return None;
    }
    for (byte, pair) in name.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(name)
}

/// The shard of a name.
#[must_use]
pub const fn shard_of(name: &BlobName) -> u8 {
    name[15]
}
