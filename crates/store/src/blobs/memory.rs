//! Blobs in memory, gone with the process.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use parking_lot::RwLock;

use super::{Blob, BlobName, Blobs, Staged, disk, shard_of};
use crate::{Error, Result};

type Held = Arc<RwLock<BTreeMap<BlobName, Arc<Vec<u8>>>>>;

/// Bytes in a map.
#[derive(Default)]
pub(crate) struct MemoryBlobs(Held);

impl Blobs for MemoryBlobs {
    fn stage(&self, name: &BlobName) -> Result<Box<dyn Staged>> {
        Ok(Box::new(Growing {
            name: *name,
            bytes: Vec::new(),
            held: Arc::clone(&self.0),
        }))
    }

    fn open(&self, name: &BlobName) -> Result<Option<Box<dyn Blob>>> {
        let held = self.0.read();
        let found = held.get(name).map(Arc::clone);
        Ok(found.map(|bytes| Box::new(Standing(bytes)) as Box<dyn Blob>))
    }

    fn delete(&self, name: &BlobName) -> Result<bool> {
        Ok(self.0.write().remove(name).is_some())
    }

    fn list(&self, shard: u8) -> Result<Vec<BlobName>> {
        let held = self.0.read();
        Ok(held
            .keys()
            .filter(|name| shard_of(name) == shard)
            .copied()
            .collect())
    }

    fn save(&self, folder: &Path) -> Result<()> {
        let held: Vec<_> = self
            .0
            .read()
            .iter()
            .map(|(name, bytes)| (*name, Arc::clone(bytes)))
            .collect();
        held.iter()
            .try_for_each(|(name, bytes)| disk::write_one(folder, name, bytes))
    }

    fn load(&self, folder: &Path) -> Result<()> {
        disk::read_all(folder, |name, bytes| {
            self.0.write().insert(name, Arc::new(bytes));
        })
    }
}

struct Growing {
    name: BlobName,
    bytes: Vec<u8>,
    held: Held,
}

impl Staged for Growing {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn publish(mut self: Box<Self>) -> Result<()> {
        self.bytes.shrink_to_fit();
        let bytes = Arc::new(std::mem::take(&mut self.bytes));
        self.held.write().insert(self.name, bytes);
        Ok(())
    }
}

struct Standing(Arc<Vec<u8>>);

impl Blob for Standing {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let begin = usize::try_from(offset).unwrap_or(usize::MAX);
        let found = self.0.get(begin..begin.saturating_add(buffer.len()));
        let found = found.ok_or_else(|| {
            let short = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
            Error::engine("read a blob", short)
        })?;
        buffer.copy_from_slice(found);
        Ok(())
    }
}
