//! Takes a request's body in as it arrives: while one batch fills, the one before is proven and sealed, and the MD5 of the one before
//! that is computed, which takes longer than the rest; or all of it by one worker, if there are bodies enough for all workers.
//!
//! Invariant: pieces are copied out of the connection's buffers at once, since a piece of a few bytes keeps a buffer of many alive; and
//! an upload has three batches at the most, so it holds [`HELD_BYTES_MAX`], however large the body and however slow the client. No
//! transaction and no lock is held meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Bytes, BytesMut};
use crypto::checksum::Summer;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use wire::Fault;

use super::intake::{self, Taken, Writer, interrupted, too_large};
use super::workers::Turns;
use crate::front::{Arriving, Interrupted};
use crate::operation::Result;
use crate::payload::Payload;

/// Bytes of a batch.
pub(super) const BATCH: usize = 256 << 10;
/// Batches that an upload has: one that fills, one that is sealed, one that is digested, and one for a form, whose beginning of a
/// boundary is put before what follows it.
const BATCHES_MAX: usize = 4;
/// Smaller pieces are copied together, since each costs its bookkeeping.
const PIECE_BYTES_MIN: usize = 512;
/// What an upload holds at the most.
pub(super) const HELD_BYTES_MAX: usize = BATCHES_MAX * BATCH + intake::HELD_BYTES_MAX;

/// The batches of one upload: made when they are needed, and used again.
#[derive(Clone, Default)]
pub(super) struct Batches {
    made: Arc<AtomicUsize>,
}

impl Batches {
    /// How many were ever made.
    #[cfg(test)]
    pub(super) fn made(&self) -> usize {
        self.made.load(Ordering::Relaxed)
    }

    /// Made by the task that gives it back too: threads that come and go would each keep what others free.
    fn make(&self) -> BytesMut {
        self.made.fetch_add(1, Ordering::Relaxed);
        BytesMut::with_capacity(BATCH)
    }
}

/// What a batch carries, framing aside. It lies in the batch itself but for small pieces.
#[derive(Default)]
struct Clear {
    pieces: Vec<Bytes>,
    small: Vec<u8>,
}

impl Clear {
    fn add(&mut self, piece: &Bytes) {
        if piece.len() < PIECE_BYTES_MIN {
            self.small.extend_from_slice(piece);
        } else {
            self.join();
            self.pieces.push(piece.clone());
        }
    }

    fn join(&mut self) {
        if !self.small.is_empty() {
            self.pieces.push(std::mem::take(&mut self.small).into());
        }
    }

    fn digest(mut self, md5: &mut Summer) {
        self.join();
        for piece in self.pieces {
            md5.update(&piece);
        }
    }
}

/// What works on the batches of a body.
struct Work {
    writer: Writer,
    payload: Payload,
}

impl Work {
    fn take(&mut self, batch: Bytes) -> Result<Clear> {
        let writer = &mut self.writer;
        let mut clear = Clear::default();
        self.payload.take(batch, &mut |piece| {
            clear.add(piece);
            writer.write(piece)
        })?;
        Ok(clear)
    }

    fn end(mut self, batch: Bytes, mut md5: Summer) -> Taken {
        self.take(batch)?.digest(&mut md5);
        self.writer.take_md5(md5);
        self.writer.finish(self.payload.finish()?)
    }
}

/// Something that rests, or is being worked with.
enum At<R> {
    Rest(R),
    Busy(oneshot::Receiver<R>),
}

impl<R> At<R> {
    async fn rested(self) -> Result<R> {
        match self {
            Self::Rest(rests) => Ok(rests),
            Self::Busy(working) => working.await.map_err(Fault::internal),
        }
    }
}

type Sealed = Result<(Box<Work>, Clear)>;

/// A body, and what did not fit into the batch before.
struct Coming {
    body: Box<dyn Arriving>,
    left: Bytes,
}

impl Coming {
    /// Fills a batch; tells whether it is the last.
    async fn fill(&mut self, room: &mut BytesMut) -> std::result::Result<bool, Interrupted> {
        loop {
            let fits = BATCH.saturating_sub(room.len()).min(self.left.len());
            room.extend_from_slice(&self.left.split_to(fits));
            if room.len() >= BATCH {
                return Ok(false);
            }
            match self.body.next().await? {
                Some(piece) => self.left = piece,
                None => return Ok(true),
            }
        }
    }
}

/// Takes in a request's body.
pub(super) async fn arriving(
    body: Box<dyn Arriving>,
    mut writer: Writer,
    payload: Payload,
    batches: Batches,
    mut turns: Turns,
) -> Taken {
    let most = writer.bytes_max();
    if let Some(declared) = payload.declared().filter(|declared| *declared > most) {
        return Err(too_large(declared, most));
    }
    writer.make_room();
    let mut md5 = At::Rest(writer.leave_md5());
    let mut work = At::Rest::<Sealed>(Ok((Box::new(Work { writer, payload }), Clear::default())));
    // What is being sealed, and what is being digested.
    let (mut sealing, mut digesting) = (Bytes::new(), Bytes::new());
    let mut room = batches.make();
    let mut coming = Coming {
        body,
        left: Bytes::new(),
    };
    loop {
        let ended = coming.fill(&mut room).await;
        let (at_work, clear) = work.rested().await??;
        let mut digester = md5.rested().await?;
        let batch = room.freeze();
        if ended.map_err(interrupted)? {
            let ending = spawn_blocking(move || {
                clear.digest(&mut digester);
                at_work.end(batch, digester)
            });
            return ending.await.map_err(Fault::internal)?;
        }
        let free = std::mem::replace(&mut digesting, std::mem::replace(&mut sealing, batch.clone()));
        room = free.try_into_mut().unwrap_or_default();
        room.clear();
        if room.capacity() < BATCH {
            room = batches.make();
        }
        turns.count(BATCH);
        (work, md5) = if turns.is_crowded() {
            together(&turns, at_work, clear, digester, batch)
        } else {
            aside(&turns, at_work, clear, digester, batch)
        };
    }
}

type Both = (At<Sealed>, At<Summer>);

/// Has one worker seal a batch while another digests the one before.
fn aside(turns: &Turns, mut work: Box<Work>, before: Clear, mut md5: Summer, batch: Bytes) -> Both {
    let digesting = turns.add(move || {
        before.digest(&mut md5);
        md5
    });
    let sealing = turns.add(move || {
        let clear = work.take(batch)?;
        Ok((work, clear))
    });
    (At::Busy(sealing), At::Busy(digesting))
}

/// Has one worker do all that is left: what is sealed already lies in the core's own cache when it is digested.
fn together(turns: &Turns, mut work: Box<Work>, before: Clear, mut md5: Summer, batch: Bytes) -> Both {
    let (digested, digesting) = oneshot::channel();
    let sealing = turns.add(move || {
        before.digest(&mut md5);
        let clear = work.take(batch)?;
        clear.digest(&mut md5);
        // Who gave up needs neither.
        let _given_up = digested.send(md5);
        Ok((work, Clear::default()))
    });
    (At::Busy(sealing), At::Busy(digesting))
}
