//! Takes bytes in: checks them, sums them, seals them, and puts them into a row's hands or into a file.
//!
//! Invariant: an intake holds at most two batches of clear bytes and one of sealed ones (about 1.5 MiB), however large the body and
//! however slow the client; no transaction and no lock is held meanwhile. What fails leaves no file.

use std::sync::Arc;

use bytes::Bytes;
use crypto::Secret;
use crypto::checksum::Summer;
use crypto::content::ContentSealer;
use store::blobs::Staged;
use tokio::task::{JoinHandle, spawn_blocking};
use wire::{Document, Fault};

use super::content::{Content, ContentId, Intake, Place, Received};
use super::flow::BATCH;
use super::reader::Reader;
use super::yard::{Held, Yard};
use crate::front::{Arriving, Interrupted};
use crate::operation::Result;
use crate::payload::{self, Payload};

/// Contents up to this many bytes in clear lie in rows: they cost no file and no flush of their own.
pub(crate) const ROW_BYTES_MAX: u64 = 32 << 10;
/// What a piece of a body counts at the least, since each costs its bookkeeping too.
const PIECE_BYTES_MIN: usize = 512;

/// A content that was taken in and that no row names yet.
#[derive(Clone)]
pub(crate) enum Fresh {
    /// The sealed bytes of a small one.
    Row(ContentId, Arc<[u8]>),
    File(ContentId, Arc<Held>),
}

impl Fresh {
    pub(super) const fn id(&self) -> ContentId {
        match self {
            Self::Row(id, _) | Self::File(id, _) => *id,
        }
    }
}

/// What an intake comes to.
pub(super) type Taken = Result<(Arc<Received>, Fresh)>;

/// One content on its way in.
pub(super) struct Writer {
    id: ContentId,
    intake: Intake,
    yard: Arc<Yard>,
    summer: Summer,
    sealer: ContentSealer,
    keys: Vec<Secret>,
    sealed: Vec<u8>,
    staged: Option<Box<dyn Staged>>,
    size: u64,
}

impl Writer {
    /// `intake` names the checksums of trailers too.
    pub(super) fn new(yard: Arc<Yard>, id: ContentId, intake: Intake) -> Result<Self> {
        let (sealer, keys) = ContentSealer::new(id.0, intake.layers).map_err(Fault::internal)?;
        Ok(Self {
            id,
            intake,
            yard,
            summer: Summer::new(intake.digests),
            sealer,
            keys,
            sealed: Vec::new(),
            staged: None,
            size: 0,
        })
    }

    /// Takes the next bytes. Blocks.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.size = self.size.saturating_add(bytes.len() as u64);
        if self.size > self.intake.bytes_max {
            return Err(too_large(self.size, self.intake.bytes_max));
        }
        self.summer.update(bytes);
        self.sealer
            .write(bytes, &mut self.sealed)
            .map_err(Fault::internal)?;
        if self.sealed.len() >= BATCH {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let staged = match &mut self.staged {
            Some(staged) => staged,
            none => none.insert(self.yard.blobs().stage(&self.id.0).map_err(Fault::internal)?),
        };
        staged.append(&self.sealed).map_err(Fault::internal)?;
        self.sealed.clear();
        Ok(())
    }

    /// Ends: a small content is ready for its row, a larger one lies durably in its file. Blocks.
    pub(super) fn finish(self, trailers: Vec<(String, String)>) -> Taken {
        let digests = self.summer.finish();
        payload::check_trailers(&trailers, &digests)?;
        let (id, mut sealed) = (self.id, self.sealed);
        let size = self.sealer.finish(&mut sealed).map_err(Fault::internal)?;
        let in_row = self.staged.is_none() && size <= ROW_BYTES_MAX;
        let fresh = if in_row {
            Fresh::Row(id, sealed.into())
        } else {
            let mut staged = match self.staged {
                Some(staged) => staged,
                None => self.yard.blobs().stage(&id.0).map_err(Fault::internal)?,
            };
            staged.append(&sealed).map_err(Fault::internal)?;
            let held = self.yard.hold(id.0);
            staged.publish().map_err(Fault::internal)?;
            Fresh::File(id, Arc::new(held))
        };
        let content = Content {
            id,
            size,
            layers: u8::try_from(self.keys.len()).unwrap_or(1),
            place: if in_row { Place::Row } else { Place::File },
            shared: false,
        };
        let received = Received {
            size,
            digests,
            trailers,
            keys: self.keys,
            content,
        };
        Ok((Arc::new(received), fresh))
    }
}

/// S3's refusal of more bytes than an operation takes.
fn too_large(size: u64, bytes_max: u64) -> Fault {
    let text = |number: u64| Document::String(number.to_string());
    let message = "Your proposed upload exceeds the maximum allowed size";
    Fault::plain("EntityTooLarge", 400, message)
        .with("ProposedSize", text(size))
        .with("MaxSizeAllowed", text(bytes_max))
}

/// Takes in bytes that are at hand. Blocks, for a content that needs a file.
pub(super) fn whole(mut writer: Writer, bytes: &[u8], trailers: Vec<(String, String)>) -> Taken {
    writer.write(bytes)?;
    writer.finish(trailers)
}

/// Takes in stored bytes. Blocks.
pub(super) fn copied(mut writer: Writer, mut reader: Reader) -> Taken {
    while let Some(bytes) = reader.next(BATCH).map_err(Fault::internal)? {
        writer.write(&bytes)?;
    }
    writer.finish(Vec::new())
}

/// What works on the batches of a body.
struct Work {
    writer: Writer,
    payload: Payload,
}

impl Work {
    fn take(&mut self, pieces: Vec<Bytes>) -> Result<()> {
        let writer = &mut self.writer;
        for piece in pieces {
            self.payload.take(piece, &mut |bytes| writer.write(bytes))?;
        }
        Ok(())
    }

    fn end(mut self, pieces: Vec<Bytes>) -> Taken {
        self.take(pieces)?;
        self.writer.finish(self.payload.finish()?)
    }
}

/// Where the work on a body is.
enum At {
    Rest(Box<Work>),
    Busy(JoinHandle<Result<Box<Work>>>),
}

/// Takes in a request's body as it arrives: the next batch comes while the one before is worked on.
pub(super) async fn arriving(mut body: Box<dyn Arriving>, writer: Writer, payload: Payload) -> Taken {
    let most = writer.intake.bytes_max;
    if let Some(declared) = payload.declared().filter(|declared| *declared > most) {
        return Err(too_large(declared, most));
    }
    let mut at = At::Rest(Box::new(Work { writer, payload }));
    loop {
        let (pieces, ended) = gather(body.as_mut()).await;
        let mut work = match at {
            At::Rest(work) => work,
            At::Busy(working) => working.await.map_err(Fault::internal)??,
        };
        if ended.map_err(interrupted)? {
            let ending = spawn_blocking(move || work.end(pieces));
            return ending.await.map_err(Fault::internal)?;
        }
        at = At::Busy(spawn_blocking(move || {
            work.take(pieces)?;
            Ok(work)
        }));
    }
}

/// The next batch, and whether it is the last.
async fn gather(body: &mut dyn Arriving) -> (Vec<Bytes>, std::result::Result<bool, Interrupted>) {
    let (mut pieces, mut weight) = (Vec::new(), 0_usize);
    while weight < BATCH {
        match body.next().await {
            Ok(Some(piece)) => {
                weight = weight.saturating_add(piece.len().max(PIECE_BYTES_MIN));
                pieces.push(piece);
            }
            Ok(None) => return (pieces, Ok(true)),
            Err(interrupted) => return (pieces, Err(interrupted)),
        }
    }
    (pieces, Ok(false))
}

pub(crate) fn interrupted(interrupted: Interrupted) -> Fault {
    match interrupted {
        Interrupted::Broken => payload::incomplete(),
        Interrupted::TooSlow => Fault::plain(
            "RequestTimeout",
            400,
            "Your socket connection to the server was not read from or written to within the timeout period. Idle \
             connections will be closed.",
        ),
    }
}
