//! Files of deleted blobs that the next ones are written over: to give a file's room back to the disk and to get new room costs more
//! than to write its bytes, by far where the file system tells the disk of all that it frees (`discard`).
//!
//! Invariant: a file is written over only if nobody holds it open and it has no second name, so what was read or copied stays as it
//! is. What lies in spare files is sealed as it was; they are gone after the next start.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::BlobName;

/// Smaller files are deleted: they cost more to keep than to make.
const FILE_BYTES_MIN: u64 = 1 << 20;
/// The room that all spare files take at the most.
const BYTES_MAX: u64 = 256 << 20;

/// The spare files of a folder of blobs.
#[derive(Default)]
pub(super) struct Spares {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    files: Vec<Spare>,
    /// Of all files.
    bytes: u64,
    /// Blobs that are held open, and by how many.
    open: HashMap<BlobName, usize>,
}

struct Spare {
    path: PathBuf,
    bytes: u64,
}

/// Holds a blob open.
pub(super) struct Opened {
    spares: Arc<Spares>,
    name: BlobName,
}

impl Drop for Opened {
    fn drop(&mut self) {
        let mut state = self.spares.state.lock();
        if let Some(count) = state.open.get_mut(&self.name) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                state.open.remove(&self.name);
            }
        }
    }
}

impl Spares {
    /// Tells that a blob is about to be opened.
    pub(super) fn hold(self: &Arc<Self>, name: BlobName) -> Opened {
        *self.state.lock().open.entry(name).or_default() += 1;
        Opened {
            spares: Arc::clone(self),
            name,
        }
    }

    /// Moves a blob's file to `aside`, to be written over; `false` if it must be deleted. Errors are left to the deletion to find.
    pub(super) fn take(&self, name: &BlobName, file: &Path, aside: PathBuf) -> bool {
        let Some(bytes) = sole_bytes(file) else {
            return false;
        };
        let mut state = self.state.lock();
        let fits = bytes >= FILE_BYTES_MIN && state.bytes.saturating_add(bytes) <= BYTES_MAX;
        // Whoever opens it from now on, while it is locked, finds no file of that name.
        if !fits || state.open.contains_key(name) || fs::rename(file, &aside).is_err() {
            return false;
        }
        state.bytes += bytes;
        state.files.push(Spare { path: aside, bytes });
        true
    }

    /// A file to write over from its beginning, its place, and how many bytes lie in it.
    pub(super) fn give(&self) -> Option<(File, PathBuf, u64)> {
        let Spare { path, bytes } = {
            let mut state = self.state.lock();
            let spare = state.files.pop()?;
            state.bytes = state.bytes.saturating_sub(spare.bytes);
            spare
        };
        // Looked at once more: whoever copies the folder by hard links may have come in between.
        let file = File::options().write(true).open(&path).ok();
        let file = file.filter(|_| sole_bytes(&path) == Some(bytes));
        if file.is_none() {
            // What stays is removed at the next start.
            let _left = fs::remove_file(&path);
        }
        Some((file?, path, bytes))
    }
}

/// How long a file is that has one name only.
#[cfg(unix)]
fn sole_bytes(file: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    let facts = fs::symlink_metadata(file).ok()?;
    (facts.is_file() && facts.nlink() == 1).then_some(facts.len())
}

#[cfg(not(unix))]
fn sole_bytes(_file: &Path) -> Option<u64> {
    None
}
