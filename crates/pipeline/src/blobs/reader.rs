//! Opens stored contents: a range of segments behind one another, chunk by chunk.
//!
//! Invariant: what is handed out was authenticated; memory is bounded by what one `next` may give, and one open file.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use crypto::Secret;
use crypto::content::{CHUNK_BYTES, ContentOpener, sealed_size};
use store::blobs::Blob;

use super::content::{Content, ContentId};
use super::row::Sealed;
use super::yard::{Pins, Yard};

/// What a chunk's seals may take, in all layers.
const SEALS_BYTES_MAX: usize = 32;

/// Why stored bytes do not open. The words are for the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unopened {
    #[error("the file of content {0} is missing")]
    Missing(String),
    #[error("content {0} is not as long as its row says")]
    Length(String),
    #[error("content {0} does not open")]
    Chunk(String, #[source] crypto::Error),
    #[error("content {0} cannot be read")]
    Read(String, #[source] store::Error),
}

/// A part of one content that is to be read.
pub(super) struct Stretch {
    pub(super) content: Content,
    pub(super) keys: Vec<Secret>,
    /// The bytes of a small one; a file otherwise.
    pub(super) row: Option<Arc<Sealed>>,
    /// In clear.
    pub(super) range: Range<u64>,
}

/// Stored bytes on their way out.
pub(crate) struct Reader {
    yard: Arc<Yard>,
    stretches: VecDeque<Stretch>,
    open: Option<Open>,
    left: u64,
    _pins: Pins,
}

/// A content in clear, as a stream that blocks: for what is done with it after the transaction.
///
/// Invariant: it holds some mebibytes at the most, and what it gives was authenticated.
pub struct ContentReader {
    reader: Reader,
    ready: Bytes,
}

/// Bytes that a stream opens at once.
const STREAMED: usize = 1024 * 1024;

impl ContentReader {
    pub(super) const fn new(reader: Reader) -> Self {
        Self {
            reader,
            ready: Bytes::new(),
        }
    }
}

impl std::io::Read for ContentReader {
    fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
        if self.ready.is_empty() {
            let next = self.reader.next(STREAMED).map_err(std::io::Error::other)?;
            self.ready = next.unwrap_or_default();
        }
        let count = self.ready.len().min(room.len());
        let given = self.ready.split_to(count);
        if let Some(room) = room.get_mut(..count) {
            room.copy_from_slice(&given);
        }
        Ok(count)
    }
}

struct Open {
    id: ContentId,
    opener: ContentOpener,
    stored: Stored,
    /// What is left of the range, in clear.
    range: Range<u64>,
}

enum Stored {
    Row(Arc<Sealed>),
    File(Box<dyn Blob>),
}

impl Stored {
    fn size(&self) -> u64 {
        match self {
            Self::Row(row) => row.bytes().len() as u64,
            Self::File(file) => file.size(),
        }
    }

    /// The bytes of a place that lies within.
    fn read(&self, id: ContentId, place: &Range<u64>, mut bytes: Vec<u8>) -> Result<Vec<u8>, Unopened> {
        let within = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        match self {
            Self::Row(row) => row
                .bytes()
                .get(within(place.start)..within(place.end))
                .map(<[u8]>::to_vec)
                .ok_or_else(|| Unopened::Length(id.text())),
            Self::File(file) => {
                bytes.resize(within(place.end.saturating_sub(place.start)), 0);
                file.read_at(place.start, &mut bytes)
                    .map_err(|error| Unopened::Read(id.text(), error))?;
                Ok(bytes)
            }
        }
    }
}

impl Reader {
    pub(super) fn new(yard: Arc<Yard>, stretches: Vec<Stretch>, pins: Pins) -> Self {
        let left = stretches
            .iter()
            .map(|stretch| stretch.range.end - stretch.range.start)
            .sum();
        Self {
            yard,
            stretches: stretches.into(),
            open: None,
            left,
            _pins: pins,
        }
    }

    /// Bytes that were not handed out yet.
    pub(crate) const fn left(&self) -> u64 {
        self.left
    }

    /// The next bytes: at least one chunk's, at most about `most`, never of two contents at once; `None` at the end. Blocks.
    pub(crate) fn next(&mut self, most: usize) -> Result<Option<Bytes>, Unopened> {
        self.next_in(most, Vec::new())
    }

    /// Room for the next bytes, as they are stored.
    pub(super) fn room(&self, most: usize) -> Vec<u8> {
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        let chunks = left.min(most).div_ceil(CHUNK_BYTES).saturating_add(1);
        Vec::with_capacity(chunks.saturating_mul(CHUNK_BYTES + SEALS_BYTES_MAX))
    }

    /// The same as `next`, in room that is there.
    pub(super) fn next_in(&mut self, most: usize, mut room: Vec<u8>) -> Result<Option<Bytes>, Unopened> {
        loop {
            let open = match self.open.take() {
                Some(open) => open,
                None => match self.stretches.pop_front() {
                    None => return Ok(None),
                    Some(stretch) => self.begin(stretch)?,
                },
            };
            if open.range.start < open.range.end {
                let (bytes, rest) = open.next(most, std::mem::take(&mut room))?;
                self.open = Some(rest);
                self.left = self.left.saturating_sub(bytes.len() as u64);
                return Ok(Some(bytes));
            }
        }
    }

    /// Everything that is left. Only where it is known to be little.
    pub(crate) fn rest(&mut self) -> Result<Bytes, Unopened> {
        let Some(first) = self.next(usize::MAX)? else {
            return Ok(Bytes::new());
        };
        if self.left == 0 {
            return Ok(first);
        }
        let mut whole = first.to_vec();
        while let Some(bytes) = self.next(usize::MAX)? {
            whole.extend_from_slice(&bytes);
        }
        Ok(whole.into())
    }

    fn begin(&self, stretch: Stretch) -> Result<Open, Unopened> {
        let Content { id, size, layers, .. } = stretch.content;
        let opener = ContentOpener::new(id.0, size, &stretch.keys)
            .map_err(|error| Unopened::Chunk(id.text(), error))?;
        let stored = match stretch.row {
            Some(row) => Stored::Row(row),
            None => {
                let file = self
                    .yard
                    .open(&id.0)
                    .map_err(|error| Unopened::Read(id.text(), error))?;
                Stored::File(file.ok_or_else(|| Unopened::Missing(id.text()))?)
            }
        };
        if stored.size() != sealed_size(size, layers) {
            return Err(Unopened::Length(id.text()));
        }
        Ok(Open {
            id,
            opener,
            stored,
            range: stretch.range,
        })
    }
}

impl Open {
    /// Opens the chunks that hold the next bytes.
    fn next(mut self, most: usize, room: Vec<u8>) -> Result<(Bytes, Self), Unopened> {
        const CHUNK: u64 = CHUNK_BYTES as u64;
        let id = self.id;
        let damaged = || Unopened::Length(id.text());
        let first = self.range.start / CHUNK;
        let wanted = (self.range.end - 1) / CHUNK;
        let last = wanted.min(first.saturating_add((most / CHUNK_BYTES).saturating_sub(1) as u64));
        let begin = self.opener.place(first).ok_or_else(damaged)?.start;
        let end = self.opener.place(last).ok_or_else(damaged)?.end;
        let mut bytes = self.stored.read(id, &(begin..end), room)?;
        // Each chunk is opened where it lies, then moved up to the one before it.
        let (sealed, mut filled, mut at) = (self.opener.sealed_chunk(), 0_usize, 0_usize);
        for chunk in first..=last {
            let until = at.saturating_add(sealed).min(bytes.len());
            let body = bytes.get_mut(at..until).ok_or_else(damaged)?;
            let opened = self.opener.open(chunk, body);
            let clear = opened.map_err(|error| Unopened::Chunk(id.text(), error))?.len();
            bytes.copy_within(at..at.saturating_add(clear), filled);
            filled += clear;
            at = until;
        }
        bytes.truncate(filled);
        let skip = usize::try_from(self.range.start % CHUNK).unwrap_or(usize::MAX);
        let upto = usize::try_from(self.range.end - first * CHUNK)
            .unwrap_or(usize::MAX)
            .min(filled);
        if skip >= upto {
            return Err(damaged());
        }
        let bytes = Bytes::from(bytes).slice(skip..upto);
        self.range.start = self.range.start.saturating_add(bytes.len() as u64);
        Ok((bytes, self))
    }
}
