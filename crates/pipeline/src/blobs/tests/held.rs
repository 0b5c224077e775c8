//! What an upload holds, counted.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use store::Store;

use super::rig::{self, cloud, intake};
use crate::blobs::arrival::{self, BATCH, Batches};
use crate::blobs::content::ContentId;
use crate::blobs::intake::Writer;
use crate::blobs::yard::Yard;
use crate::front::{Arriving, Interrupted};
use crate::payload::Payload;

/// What a read of a connection fills: a buffer of which a short read's piece keeps all.
const BUFFER: usize = 64 << 10;

/// One such buffer, counted while it lives.
struct Buffer(Vec<u8>, Arc<AtomicUsize>);

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A body that comes in pieces of this size, each with a buffer of its own.
struct Reads {
    left: usize,
    piece: usize,
    live: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Arriving for Reads {
    fn next(
        &mut self,
    ) -> Pin<Box<dyn Future<Output = std::result::Result<Option<Bytes>, Interrupted>> + Send + '_>> {
        let piece = self.piece.min(self.left);
        self.left -= piece;
        if piece > 0 {
            let live = self.live.fetch_add(1, Ordering::Relaxed) + 1;
            self.most.fetch_max(live, Ordering::Relaxed);
        }
        let read = (piece > 0)
            .then(|| Bytes::from_owner(Buffer(vec![7; BUFFER], Arc::clone(&self.live))).slice(..piece));
        Box::pin(async move { Ok(read) })
    }
}

/// Of a body of any length, three batches and one buffer of the connection, whatever the size of the pieces in which it comes.
#[test]
fn an_upload_holds_three_batches_and_one_piece() {
    let cloud = cloud();
    for piece in [1 << 10, 5_000, BUFFER] {
        let (live, most, batches) = (Arc::default(), Arc::default(), Batches::default());
        let size = 4 << 20;
        let reads = Reads {
            left: size,
            piece,
            live: Arc::clone(&live),
            most: Arc::clone(&most),
        };
        let yard = Yard::new(Store::memory(rig::chain()).blobs());
        let turns = yard.workers().turns();
        let writer = Writer::new(yard, ContentId([1; 16]), intake(1)).ok().unwrap();
        let payload = Payload::of(&http::HeaderMap::new(), None).ok().unwrap();
        let arriving = arrival::arriving(Box::new(reads), writer, payload, batches.clone(), turns);
        let (received, _) = cloud.wait(arriving).ok().unwrap();
        assert_eq!(received.size, size as u64);
        assert_eq!(live.load(Ordering::Relaxed), 0);
        let most = most.load(Ordering::Relaxed);
        assert!(
            most <= 2,
            "the piece that comes, and the one that is copied: {most} of {piece}"
        );
        assert_eq!(batches.made(), 3, "{} batches of {piece}", size / BATCH);
    }
}
