//! What a call carries across its runs: the request's body, and what was made of it and of stored bytes.
//!
//! Invariant: within one call the same bytes are taken in once, and a run that asks otherwise than the one before it never gets
//! what was made for that.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::task::spawn_blocking;
use wire::Fault;

use super::arrival::{self, Batches};
use super::content::{ContentId, Intake};
use super::intake::{self, ROW_BYTES_MAX, Taken, Writer};
use super::reader::Reader;
use super::yard::Yard;
use crate::front::Arriving;
use crate::operation::Result;
use crate::payload::{self, Payload};

/// Intakes of one call that end a run; more are refused, so that no call goes on for ever.
const ORDERS_MAX: usize = 64;

/// The bytes that a request brings.
#[derive(Default)]
enum Arrival {
    /// None, or they were taken.
    #[default]
    Nothing,
    Whole {
        bytes: Bytes,
        trailers: Vec<(String, String)>,
    },
    Stream(Box<dyn Arriving>, Box<Payload>),
}

/// What is taken in.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum What {
    Body,
    /// Contents behind one another, and which part of them.
    Stored(Vec<ContentId>, Option<Range<u64>>),
    /// The service's own bytes, by their SHA-256.
    Bytes([u8; 32]),
}

/// An intake that a run cannot go on without.
pub(crate) struct Order {
    what: What,
    intake: Intake,
    id: ContentId,
    yard: Arc<Yard>,
    from: From,
}

/// Where the bytes of an order are.
enum From {
    Body,
    Stored(Box<Reader>),
    Bytes(Bytes),
}

struct Done {
    what: What,
    intake: Intake,
    /// What came of it, or why nothing did.
    taken: Taken,
    /// The present run has it.
    used: bool,
}

/// What a call carries across its runs.
#[derive(Default)]
pub(crate) struct Contents {
    arrival: Mutex<Arrival>,
    done: Mutex<Vec<Done>>,
}

impl Contents {
    /// A call whose body is at hand.
    pub(crate) fn whole(bytes: Bytes, trailers: Vec<(String, String)>) -> Self {
        Self {
            arrival: Mutex::new(Arrival::Whole { bytes, trailers }),
            done: Mutex::default(),
        }
    }

    /// A call whose body is to be received.
    pub(crate) fn arriving(body: Box<dyn Arriving>, payload: Payload) -> Self {
        Self {
            arrival: Mutex::new(Arrival::Stream(body, Box::new(payload))),
            done: Mutex::default(),
        }
    }

    /// A run begins, which asks for everything anew.
    pub(crate) fn begin_run(&mut self) {
        for done in self.done.get_mut() {
            done.used = false;
        }
    }

    /// What was taken in as it is asked for, if it was.
    fn find(&self, what: &What, intake: Intake) -> Option<Taken> {
        let mut done = self.done.lock();
        let alike = |done: &&mut Done| {
            let covers = done.intake.digests.covers(intake.digests);
            let same = done.intake.layers == intake.layers && done.intake.bytes_max <= intake.bytes_max;
            !done.used && done.what == *what && covers && same
        };
        let found = done.iter_mut().find(alike)?;
        found.used = true;
        Some(match &mut found.taken {
            Ok((received, fresh)) => Ok((Arc::clone(received), fresh.clone())),
            Err(fault) => Err(once_more(fault)),
        })
    }

    /// The request's body, taken in; or what must be done first.
    pub(super) fn receive(
        &self,
        yard: &Arc<Yard>,
        id: ContentId,
        intake: Intake,
    ) -> std::result::Result<Taken, Box<Order>> {
        if let Some(found) = self.find(&What::Body, intake) {
            return Ok(found);
        }
        let mut arrival = self.arrival.lock();
        let intake = match &*arrival {
            Arrival::Nothing if self.done.lock().iter().any(|done| done.what == What::Body) => {
                // What it was taken in for has changed since: its layers, or what it may be.
                return Ok(Err(Fault::plain(
                    "OperationAborted",
                    409,
                    "A conflicting conditional operation is currently in progress against this resource. Please try again.",
                )));
            }
            Arrival::Nothing => intake,
            Arrival::Whole { trailers, .. } => intake.and(payload::carried(trailers)),
            Arrival::Stream(_, payload) => intake.and(payload.checksums()),
        };
        match &mut *arrival {
            Arrival::Nothing => Ok(self.take_now(What::Body, yard, id, intake, &[], Vec::new())),
            Arrival::Whole { bytes, trailers } if bytes.len() as u64 <= ROW_BYTES_MAX => {
                let (bytes, trailers) = (bytes.clone(), trailers.clone());
                Ok(self.take_now(What::Body, yard, id, intake, &bytes, trailers))
            }
            Arrival::Whole { .. } | Arrival::Stream(..) => Err(Box::new(Order {
                what: What::Body,
                intake,
                id,
                yard: Arc::clone(yard),
                from: From::Body,
            })),
        }
    }

    /// Bytes of the service's own, taken in; or what must be done first.
    pub(super) fn bytes(
        &self,
        yard: &Arc<Yard>,
        id: ContentId,
        intake: Intake,
        bytes: &[u8],
    ) -> std::result::Result<Taken, Box<Order>> {
        let what = What::Bytes(crypto::digest::sha256(bytes));
        if let Some(found) = self.find(&what, intake) {
            return Ok(found);
        }
        if bytes.len() as u64 <= ROW_BYTES_MAX {
            return Ok(self.take_now(what, yard, id, intake, bytes, Vec::new()));
        }
        Err(Box::new(Order {
            what,
            intake,
            id,
            yard: Arc::clone(yard),
            from: From::Bytes(Bytes::copy_from_slice(bytes)),
        }))
    }

    /// Stored bytes, taken in anew; or what must be done first.
    pub(super) fn stored(
        &self,
        yard: &Arc<Yard>,
        id: ContentId,
        intake: Intake,
        what: What,
        reader: impl FnOnce() -> Result<Reader>,
    ) -> std::result::Result<Taken, Box<Order>> {
        if let Some(found) = self.find(&what, intake) {
            return Ok(found);
        }
        let mut reader = match reader() {
            Ok(reader) => reader,
            Err(fault) => return Ok(Err(fault)),
        };
        if reader.left() <= ROW_BYTES_MAX {
            let bytes = match reader.rest() {
                Ok(bytes) => bytes,
                Err(unopened) => return Ok(Err(Fault::internal(unopened))),
            };
            return Ok(self.take_now(what, yard, id, intake, &bytes, Vec::new()));
        }
        Err(Box::new(Order {
            what,
            intake,
            id,
            yard: Arc::clone(yard),
            from: From::Stored(Box::new(reader)),
        }))
    }

    fn take_now(
        &self,
        what: What,
        yard: &Arc<Yard>,
        id: ContentId,
        intake: Intake,
        bytes: &[u8],
        trailers: Vec<(String, String)>,
    ) -> Taken {
        let writer = Writer::new(Arc::clone(yard), id, intake)?;
        let (received, fresh) = intake::whole(writer, bytes, trailers)?;
        self.done.lock().push(Done {
            what,
            intake,
            taken: Ok((Arc::clone(&received), fresh.clone())),
            used: true,
        });
        Ok((received, fresh))
    }

    /// Does what a run ended for; the next run finds it, or what went wrong.
    pub(crate) async fn fill(&mut self, order: Order) {
        let Order {
            what,
            intake,
            id,
            yard,
            from,
        } = order;
        let taken = if self.done.get_mut().len() < ORDERS_MAX {
            take(self.arrival.get_mut(), yard, id, intake, from).await
        } else {
            Err(Fault::internal("a call took in too many contents"))
        };
        self.done.get_mut().push(Done {
            what,
            intake,
            taken,
            used: false,
        });
    }
}

/// The same fault, for every run that asks. What lies inside it is for the log, which hears it once.
fn once_more(fault: &mut Fault) -> Fault {
    Fault {
        code: fault.code.clone(),
        message: fault.message.clone(),
        members: fault.members.clone(),
        source: fault.source.take(),
    }
}

async fn take(arrival: &mut Arrival, yard: Arc<Yard>, id: ContentId, intake: Intake, from: From) -> Taken {
    let turns = yard.workers().turns();
    let writer = Writer::new(yard, id, intake)?;
    let taking = match from {
        From::Stored(reader) => spawn_blocking(move || intake::copied(writer, *reader)),
        From::Bytes(bytes) => spawn_blocking(move || intake::whole(writer, &bytes, Vec::new())),
        From::Body => match std::mem::take(arrival) {
            Arrival::Nothing => return Err(Fault::internal("a body was to be received twice")),
            Arrival::Stream(body, payload) => {
                return arrival::arriving(body, writer, *payload, Batches::default(), turns).await;
            }
            Arrival::Whole { bytes, trailers } => {
                // It stays at hand, for a run that asks otherwise.
                *arrival = Arrival::Whole {
                    bytes: bytes.clone(),
                    trailers: trailers.clone(),
                };
                spawn_blocking(move || intake::whole(writer, &bytes, trailers))
            }
        },
    };
    taking.await.map_err(Fault::internal)?
}
