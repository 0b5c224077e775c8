//! What an operation may do with contents.

use std::sync::Arc;

use bytes::Bytes;
use crypto::Secret;
use crypto::content::ContentOpener;
use wire::Fault;

use super::carried::{self, Delivery};
use super::content::{Content, ContentId, Intake, Received, Segment, Source};
use super::row::{CONTENTS, Sealed};
use crate::call::Call;
use crate::operation::Result;

impl Call<'_> {
    /// Takes the request's body in. A large body ends this run: the gateway streams it, with no transaction held, and runs the
    /// operation again, which then finds it received. So authorize and check everything before.
    ///
    /// # Errors
    /// `EntityTooLarge`, and what is wrong with the body: its signature, its checksums, its length.
    pub fn receive(&mut self, intake: Intake) -> Result<Arc<Received>> {
        let Some(carried) = self.carried else {
            return Err(Fault::internal("a call without a body was to receive one"));
        };
        let (received, fresh) = carried.receive(self.content_id()?, intake)?;
        self.fresh.push(fresh);
        Ok(received)
    }

    /// Seals bytes that are at hand: a form's file, a log file that a job delivers.
    ///
    /// # Errors
    /// As `receive`.
    pub fn store_bytes(&mut self, bytes: &[u8], intake: Intake) -> Result<Arc<Received>> {
        let (received, fresh) = carried::seal(self.content_id()?, bytes, Vec::new(), intake)?;
        self.fresh.push(fresh);
        Ok(Arc::new(received))
    }

    /// Takes in stored bytes, for copies on the server: sealed anew, under new keys.
    ///
    /// # Errors
    /// As `receive`, and as `open_content`.
    pub fn transfer(&mut self, from: Source, intake: Intake) -> Result<Arc<Received>> {
        let bytes = self.open_source(&from)?;
        self.store_bytes(&bytes, intake)
    }

    /// Makes a content that this call took in part of this transaction: a row of the service names it from now on.
    ///
    /// # Errors
    /// For a content that this call did not take in.
    pub fn keep(&mut self, content: &Content) -> Result<()> {
        let at = self.fresh.iter().position(|fresh| fresh.id == content.id);
        let fresh = at.map(|at| self.fresh.swap_remove(at));
        let fresh =
            fresh.ok_or_else(|| Fault::internal("only a fresh content can be kept, and only once"))?;
        self.put(&CONTENTS, &content.id.0, Sealed(fresh.sealed.to_vec()))
    }

    /// Lets a content go: nothing names it any more once this transaction commits.
    ///
    /// # Errors
    /// The store's.
    pub fn release(&mut self, content: &Content) -> Result<()> {
        self.delete(&CONTENTS, &content.id.0)
    }

    /// Makes stored bytes the answer's payload; the output's streaming member is `Some(Stream)` then. They are streamed after the
    /// commit.
    ///
    /// # Errors
    /// When the first bytes do not open. Damage that is found later breaks the connection off.
    pub fn deliver(&mut self, source: Source) -> Result<()> {
        let bytes = self.open_source(&source)?;
        self.delivery = Some(Delivery { bytes });
        Ok(())
    }

    /// The bytes of a small content, for handlers that need them.
    ///
    /// # Errors
    /// For more than `bytes_max`, and for a content that is damaged or not opened by these keys.
    pub fn open_content(&mut self, segment: &Segment, bytes_max: u64) -> Result<Secret> {
        if segment.content.size > bytes_max {
            return Err(Fault::internal("a content is larger than its reader takes"));
        }
        self.open_row(segment)
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

    fn open_source(&mut self, source: &Source) -> Result<Bytes> {
        let mut whole = Vec::new();
        for segment in &source.segments {
            whole.extend_from_slice(self.open_row(segment)?.expose());
        }
        let Some(range) = &source.range else {
            return Ok(whole.into());
        };
        let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        whole
            .get(place(range.start)..place(range.end))
            .map(Bytes::copy_from_slice)
            .ok_or_else(|| Fault::internal("a range lies outside of its content"))
    }

    fn open_row(&mut self, segment: &Segment) -> Result<Secret> {
        let Content { id, size, .. } = segment.content;
        let row = self.get(&CONTENTS, &id.0)?;
        let row = row.ok_or_else(|| Fault::internal("a content is missing"))?;
        let opener = ContentOpener::new(id.0, size, &segment.keys).map_err(Fault::internal)?;
        let mut sealed = row.0.clone();
        let mut out = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
        for (chunk, bytes) in (0..).zip(sealed.chunks_mut(opener.sealed_chunk())) {
            out.extend_from_slice(opener.open(chunk, bytes).map_err(Fault::internal)?);
        }
        if out.len() as u64 == size {
            Ok(Secret::new(out))
        } else {
            Err(Fault::internal(crypto::Error::ContentAltered))
        }
    }
}
