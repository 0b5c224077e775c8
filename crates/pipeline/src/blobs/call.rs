//! What an operation or a job may do with contents.

use std::ops::Range;
use std::sync::Arc;

use crypto::Secret;
use wire::Fault;

use super::carried::{Contents, Order, What};
use super::content::{Content, ContentId, Intake, Place, Received, Segment, Source};
use super::flow::Flow;
use super::intake::{Fresh, Taken};
use super::reader::{ContentReader, Reader, Stretch};
use super::row::{CONTENTS, FILES, File, SHARED, Sealed, Shared};
use super::yard::{Gone, Held};
use crate::call::Call;
use crate::front::{Body, Departing};
use crate::operation::Result;
use crate::outside::Wanted;

/// Answers up to this many bytes are opened whole before they are given, so that damage in them is a fault.
const WHOLE_BYTES_MAX: u64 = 256 << 10;
/// Bytes of a larger answer that are opened before it begins.
const FIRST_BYTES: usize = crypto::content::CHUNK_BYTES;

/// The answer's payload.
pub(crate) type Delivery = Body<Box<dyn Departing>>;

/// What a run did to contents, for the time after its commit.
#[derive(Default)]
pub(crate) struct Moves {
    /// Taken in by this run, and named by nothing yet.
    fresh: Vec<Fresh>,
    /// Files that rows name once the run commits.
    kept: Vec<Arc<Held>>,
    /// Files that nothing names once the run commits.
    released: Vec<[u8; 16]>,
}

impl Moves {
    /// Those of a call that was made inside.
    pub(crate) fn join(&mut self, inner: Self) {
        self.fresh.extend(inner.fresh);
        self.kept.extend(inner.kept);
        self.released.extend(inner.released);
    }

    /// The run's commit succeeded: what it kept stays, and what it released is given back.
    pub(crate) fn committed(self) -> Vec<[u8; 16]> {
        for held in self.kept {
            held.settle();
        }
        self.released
    }

    /// The run's commit failed in a way that leaves open what is stored.
    pub(crate) fn uncertain(self) {
        for held in self.kept {
            held.settle();
        }
    }
}

impl Call<'_> {
    /// Takes the request's body in. A large body ends this run: the gateway streams it, with no transaction held, and runs the
    /// operation again, which then finds it received. So authorize and check everything before.
    ///
    /// # Errors
    /// `EntityTooLarge`, and what is wrong with the body: its signature, its checksums, its length.
    pub fn receive(&mut self, intake: Intake) -> Result<Arc<Received>> {
        if let Some(bytes) = self.payload.clone() {
            return self.store_bytes(&bytes, intake);
        }
        let id = self.content_id()?;
        let yard = Arc::clone(&self.look.environment.yard);
        let taken = self.contents()?.receive(&yard, id, intake);
        self.taken(taken)
    }

    /// Seals bytes that are at hand: a form's file, a log file that a job delivers. Many bytes end this run, like `receive`.
    ///
    /// # Errors
    /// As `receive`.
    pub fn store_bytes(&mut self, bytes: &[u8], intake: Intake) -> Result<Arc<Received>> {
        let id = self.content_id()?;
        let yard = Arc::clone(&self.look.environment.yard);
        let taken = self.contents()?.bytes(&yard, id, intake, bytes);
        self.taken(taken)
    }

    /// Takes in stored bytes, for copies on the server: sealed anew, under new keys. Many bytes end this run, like `receive`.
    ///
    /// # Errors
    /// As `receive`, and when the stored bytes do not open.
    pub fn transfer(&mut self, from: Source, intake: Intake) -> Result<Arc<Received>> {
        let id = self.content_id()?;
        let yard = Arc::clone(&self.look.environment.yard);
        let ids = from.segments.iter().map(|segment| segment.content.id);
        let what = What::Stored(ids.collect(), from.range.clone());
        let contents = self.contents()?;
        let taken = contents.stored(&yard, id, intake, what, || self.reader(from));
        self.taken(taken)
    }

    /// Makes a content that this call took in part of this transaction: a row of the service names it from now on. It belongs to
    /// the account that the call runs in; see `Call::within` for another's.
    ///
    /// # Errors
    /// For a content that this call did not take in.
    pub fn keep(&mut self, content: &Content) -> Result<()> {
        let fresh = &mut self.moves.fresh;
        let at = fresh.iter().position(|fresh| fresh.id() == content.id);
        let fresh = at.map(|at| fresh.swap_remove(at));
        let account = self.account_shared();
        match fresh.ok_or_else(|| Fault::internal("only a fresh content can be kept, and only once"))? {
            Fresh::Row(id, sealed) => self.put(&CONTENTS, &id.0, Sealed::new(&account, &sealed)),
            Fresh::File(id, held) => {
                let size = crypto::content::sealed_size(content.size, content.layers);
                let account = account.to_string();
                self.put(&FILES, &id.0, File { account, size })?;
                self.moves.kept.push(held);
                Ok(())
            }
        }
    }

    /// Lets one more row name a content: it goes when the last of them lets it go. All of them must keep it as it is handed out here.
    ///
    /// # Errors
    /// The store's.
    pub fn share(&mut self, content: &Content) -> Result<Content> {
        let more = self.get(&SHARED, &content.id.0)?.map_or(0, |shared| shared.0);
        self.put(&SHARED, &content.id.0, Shared(more.saturating_add(1)))?;
        let shared = true;
        Ok(Content {
            shared,
            ..content.clone()
        })
    }

    /// Lets a content go: nothing names it any more once this transaction commits, unless it is shared.
    ///
    /// # Errors
    /// The store's.
    pub fn release(&mut self, content: &Content) -> Result<()> {
        if content.shared
            && let Some(more) = self.get(&SHARED, &content.id.0)?
        {
            return match more.0 {
                0 | 1 => self.delete(&SHARED, &content.id.0),
                count => self.put(&SHARED, &content.id.0, Shared(count - 1)),
            };
        }
        match content.place {
            Place::Row => self.delete(&CONTENTS, &content.id.0),
            Place::File => {
                self.delete(&FILES, &content.id.0)?;
                self.moves.released.push(content.id.0);
                Ok(())
            }
        }
    }

    /// Makes stored bytes the answer's payload; the output's streaming member is `Some(Stream)` then. They are streamed after the
    /// commit.
    ///
    /// # Errors
    /// When the first bytes do not open. Damage that is found later breaks the connection off.
    pub fn deliver(&mut self, source: Source) -> Result<()> {
        let mut reader = self.reader(source)?;
        let delivery = if reader.left() <= WHOLE_BYTES_MAX.max(self.whole_bytes) {
            Body::Whole(reader.rest().map_err(Fault::internal)?)
        } else {
            let first = reader.next(FIRST_BYTES).map_err(Fault::internal)?;
            Body::Stream(Box::new(Flow::new(first.unwrap_or_default(), reader)) as Box<dyn Departing>)
        };
        self.delivery = Some(delivery);
        Ok(())
    }

    /// The bytes of a small content, for handlers that need them.
    ///
    /// # Errors
    /// For more than `bytes_max`, and for a content that is damaged or not opened by these keys.
    pub fn open_content(&mut self, segment: Segment, bytes_max: u64) -> Result<Secret> {
        if segment.content.size > bytes_max {
            return Err(Fault::internal("a content is larger than its reader takes"));
        }
        let bytes = self.reader(Source::whole(segment.content, segment.keys))?.rest();
        bytes
            .map(|bytes| Secret::new(bytes.into()))
            .map_err(Fault::internal)
    }

    /// A content as a stream, which may be read when the transaction is over, on a thread that may block.
    ///
    /// # Errors
    /// When the content's row is not there. Damage is an error of the stream.
    pub fn read_content(&mut self, segment: Segment) -> Result<ContentReader> {
        let source = Source::whole(segment.content, segment.keys);
        self.reader(source).map(ContentReader::new)
    }

    /// What this call's earlier runs took in.
    fn contents<'c>(&self) -> Result<&'c Contents>
    where
        Self: 'c,
    {
        let brought = self.look.brought;
        brought
            .map(|brought| &brought.contents)
            .ok_or_else(|| Fault::internal("contents are taken in by operations and jobs only"))
    }

    fn taken(&mut self, taken: std::result::Result<Taken, Box<Order>>) -> Result<Arc<Received>> {
        match taken {
            Ok(taken) => {
                let (received, fresh) = taken?;
                self.moves.fresh.push(fresh);
                Ok(received)
            }
            Err(order) => {
                self.look.wanted = Some(Wanted::Content(order));
                Err(Fault::internal("a content must be taken in first"))
            }
        }
    }

    fn content_id(&self) -> Result<ContentId> {
        let environment = self.look.environment;
        let id: String = environment
            .draw_id(environment.clock.wall().0)
            .chars()
            .filter(|character| *character != '-')
            .collect();
        ContentId::of_text(&id).ok_or_else(|| Fault::internal("an id is no id"))
    }

    /// Opens the part of the segments that is asked for.
    fn reader(&mut self, source: Source) -> Result<Reader> {
        let size = source.size();
        let range = source.range.unwrap_or(0..size);
        if range.start > range.end || range.end > size {
            return Err(Fault::internal("a range lies outside of its contents"));
        }
        let (mut stretches, mut files, mut begin) = (Vec::new(), Vec::new(), 0_u64);
        for Segment { content, keys } in source.segments {
            let end = begin.saturating_add(content.size);
            let part = within(&range, begin, end);
            begin = end;
            if part.is_empty() {
                continue;
            }
            let row = match content.place {
                Place::Row => Some(self.sealed_row(&content)?),
                Place::File => {
                    files.push(content.id.0);
                    None
                }
            };
            stretches.push(Stretch {
                content,
                keys,
                row,
                range: part,
            });
        }
        let yard = Arc::clone(&self.look.environment.yard);
        let version = self.look.tx.version();
        let pins = yard.pin(files, version).map_err(|Gone| {
            // Let go since this transaction began: what named it is read again.
            self.look.conflict = true;
            Fault::internal("a content went away")
        })?;
        Ok(Reader::new(yard, stretches, pins))
    }

    fn sealed_row(&mut self, content: &Content) -> Result<Arc<Sealed>> {
        let row = self.get(&CONTENTS, &content.id.0)?;
        row.ok_or_else(|| Fault::internal("the row of a content is missing"))
    }
}

/// The part of a range that lies in a content which begins and ends there, counted from its own beginning.
fn within(range: &Range<u64>, begin: u64, end: u64) -> Range<u64> {
    let from = range.start.clamp(begin, end);
    let to = range.end.clamp(begin, end);
    from.saturating_sub(begin)..to.saturating_sub(begin)
}
