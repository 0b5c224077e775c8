//! Takes bytes in: sums them, seals them, and puts them into a row's hands or into a file.
//!
//! Invariant: a writer holds at most `HELD_BYTES_MAX`, however much is written at once. What fails leaves no file.

use std::sync::Arc;

use crypto::Secret;
use crypto::checksum::{Checksum, Summer};
use crypto::content::{CHUNK_BYTES, ContentSealer};
use store::blobs::Staged;
use wire::{Document, Fault};

use super::content::{Content, ContentId, Intake, Place, Received};
use super::reader::Reader;
use super::yard::{Held, Yard};
use crate::front::Interrupted;
use crate::operation::Result;
use crate::payload;

/// Contents up to this many bytes in clear lie in rows: they cost no file and no flush of their own.
pub(crate) const ROW_BYTES_MAX: u64 = 32 << 10;
/// Bytes that are sealed before they are written to the file.
const STRETCH: usize = 128 << 10;
/// Room for the sealed bytes of two stretches, and for the chunk that waits for the next.
const ROOM: usize = 2 * STRETCH + CHUNK_BYTES + (4 << 10);
/// What a writer holds at the most: sealed bytes, and a chunk in clear.
pub(super) const HELD_BYTES_MAX: usize = ROOM + CHUNK_BYTES;

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

    /// Makes all of its room now, on the thread that asks: what many threads make, each of them keeps.
    pub(super) fn make_room(&mut self) {
        self.sealed.reserve_exact(ROOM);
        self.sealer.make_room();
    }

    /// Leaves it to the caller to compute MD5, which takes longer than everything else together. `finish` wants it back.
    pub(super) fn leave_md5(&mut self) -> Summer {
        self.summer.split_off(Checksum::Md5)
    }

    pub(super) fn take_md5(&mut self, md5: Summer) {
        self.summer.join(md5);
    }

    /// The most bytes that it takes.
    pub(super) const fn bytes_max(&self) -> u64 {
        self.intake.bytes_max
    }

    /// Takes the next bytes. Blocks.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.size = self.size.saturating_add(bytes.len() as u64);
        if self.size > self.intake.bytes_max {
            return Err(too_large(self.size, self.intake.bytes_max));
        }
        for stretch in bytes.chunks(STRETCH) {
            self.summer.update(stretch);
            self.sealer
                .write(stretch, &mut self.sealed)
                .map_err(Fault::internal)?;
            if self.sealed.len() >= STRETCH {
                self.flush()?;
            }
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
pub(super) fn too_large(size: u64, bytes_max: u64) -> Fault {
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
    while let Some(bytes) = reader.next(STRETCH).map_err(Fault::internal)? {
        writer.write(&bytes)?;
    }
    writer.finish(Vec::new())
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
