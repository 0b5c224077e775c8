//! A sweep beside readers: what it takes away nobody reads, and what somebody reads it leaves.

use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use store::blobs::{Blob, BlobName, Blobs, Staged};
use store::{Error, Result, Store, Table};

use super::rig::chain;
use crate::blobs::Yard;

const NAME: BlobName = [7; 16];

#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Row(u8);
store::record!(Row, 1);

static ROWS: Table<String, Row> = Table::new(0x0f2e, "tests.rows");

/// Runs something at the moment in which a file is deleted.
#[derive(Default)]
struct Watched {
    meanwhile: Mutex<Option<Box<dyn Fn() + Send>>>,
}

struct WatchedBlobs(Arc<dyn Blobs>, Arc<Watched>);

impl Blobs for WatchedBlobs {
    fn stage(&self, name: &BlobName) -> Result<Box<dyn Staged>> {
        self.0.stage(name)
    }
    fn open(&self, name: &BlobName) -> Result<Option<Box<dyn Blob>>> {
        self.0.open(name)
    }
    fn delete(&self, name: &BlobName) -> Result<bool> {
        if let Some(meanwhile) = self.1.meanwhile.lock().as_ref() {
            meanwhile();
        }
        self.0.delete(name)
    }
    fn list(&self, shard: u8) -> Result<Vec<BlobName>> {
        self.0.list(shard)
    }
    fn save(&self, folder: &Path) -> Result<()> {
        self.0.save(folder)
    }
    fn load(&self, folder: &Path) -> Result<()> {
        self.0.load(folder)
    }
}

fn yard() -> (Store, Arc<Yard>, Arc<Watched>) {
    let watched = Arc::new(Watched::default());
    let blobs = Arc::new(WatchedBlobs(Store::memory_blobs(), Arc::clone(&watched)));
    let store = Store::with_engine_and_blobs(Store::memory_engine(), blobs, chain()).unwrap();
    store.run::<_, Error>(|tx| tx.put(&ROWS, "a", Row(1))).unwrap();
    let mut staged = store.blobs().stage(&NAME).unwrap();
    staged.append(b"content").unwrap();
    staged.publish().unwrap();
    let yard = Yard::new(store.blobs());
    (store, yard, watched)
}

/// A reader whose rows are older than the commit that let the file go learns that they are, while the file goes and afterwards.
#[test]
fn no_reader_gets_a_file_that_a_sweep_takes() {
    let (store, yard, watched) = yard();
    assert!(store.version() > 0);
    let refused = Arc::new(Mutex::new(Vec::new()));
    let (said, reader) = (Arc::clone(&refused), Arc::clone(&yard));
    let meanwhile = move || said.lock().push(reader.pin(vec![NAME], 0).is_err());
    *watched.meanwhile.lock() = Some(Box::new(meanwhile));
    assert_eq!(yard.sweep(&store).unwrap(), 1);
    *watched.meanwhile.lock() = None;
    assert_eq!(*refused.lock(), [true]);
    assert!(yard.pin(vec![NAME], 0).is_err());
}

#[test]
fn a_sweep_leaves_what_is_read() {
    let (store, yard, _) = yard();
    let pins = yard.pin(vec![NAME], store.version()).unwrap();
    assert_eq!(yard.sweep(&store).unwrap(), 0);
    drop(pins);
    assert_eq!(yard.sweep(&store).unwrap(), 1);
}
