//! The ledger read from its beginning, and its decisions made again from the policies that were kept of them.
//!
//! Invariant: nothing is written, and what a decision was made of comes from its record and from nothing else.

use std::collections::HashMap;

use policy::{Attached, Digest, Layers, Request};
use store::{Direction, Store, Tx};
use wire::Fault;

use crate::authorize::{self, Gathered, LayerName};
use crate::kept::KEPT;
use crate::ledger::chain::Batch;
use crate::ledger::record::{Judged, PolicyReference, Record};
use crate::operation::Result;
use crate::why;

/// Parsed policies that are remembered; one more clears them all.
const PARSED_MAX: usize = 8192;

/// The names of all streams of a store.
///
/// # Errors
/// The store's, as an internal fault.
pub fn streams(store: &Store) -> Result<Vec<Vec<u8>>> {
    let mut tx = store.begin_eager().map_err(Fault::internal)?;
    let mut names: Vec<Vec<u8>> = Vec::new();
    loop {
        let after = names.last().cloned();
        let more = tx.streams(b"", after.as_deref(), 100).map_err(Fault::internal)?;
        if more.is_empty() {
            return Ok(names);
        }
        names.extend(more);
    }
}

/// Packed batches of a stream from sequence `from` on, and where to go on; `None` behind the last.
///
/// # Errors
/// The store's, as an internal fault.
pub fn batches(store: &Store, stream: &[u8], from: u64, limit: usize) -> Result<Option<(Vec<Vec<u8>>, u64)>> {
    let mut tx = store.begin_eager().map_err(Fault::internal)?;
    let read = tx.stream_batches(stream, from, Direction::Forward, limit);
    let read = read.map_err(Fault::internal)?;
    let next = read.last().map(store::StreamBatch::end);
    Ok(next.map(|next| (read.into_iter().map(|batch| batch.bytes).collect(), next)))
}

/// The records of a packed batch, oldest first.
///
/// # Errors
/// An internal fault for a batch that is damaged.
pub fn records(bytes: &[u8]) -> Result<Vec<Record>> {
    let damaged = || Fault::internal("a batch of the ledger is damaged");
    let batch = Batch::parse(bytes).ok_or_else(damaged)?;
    let texts = batch.open().ok_or_else(damaged)?;
    let positions = batch.matching(None).into_iter();
    positions
        .map(|position| texts.record(position).ok_or_else(damaged))
        .collect()
}

/// The kept policies of a store, each parsed once.
pub struct Kept {
    tx: Tx,
    parsed: HashMap<(Digest, LayerName), Attached>,
}

impl Kept {
    /// Reads from the state that the store has now.
    ///
    /// # Errors
    /// The store's, as an internal fault.
    pub fn of(store: &Store) -> Result<Self> {
        Ok(Self {
            tx: store.begin_eager().map_err(Fault::internal)?,
            parsed: HashMap::new(),
        })
    }

    fn attached(&mut self, reference: &PolicyReference) -> Result<Attached> {
        let key = (reference.digest, reference.layer);
        if let Some(attached) = self.parsed.get(&key) {
            return Ok(attached.clone());
        }
        let kept = self
            .tx
            .get(&KEPT, reference.digest.as_str())
            .map_err(Fault::internal)?;
        let attached = why::attached(reference, kept.as_deref())?;
        if self.parsed.len() >= PARSED_MAX {
            self.parsed.clear();
        }
        self.parsed.insert(key, attached.clone());
        Ok(attached)
    }

    /// What a recorded decision was made of.
    ///
    /// # Errors
    /// An internal fault if the text of a policy is lost.
    pub fn gathered(&mut self, judged: &Judged) -> Result<Gathered> {
        let encryption_context = authorize::encryption_context(&judged.context);
        why::gather(judged, encryption_context, |reference| self.attached(reference))
    }
}

/// Makes a recorded decision again over `gathered`.
pub fn judge<T>(
    record: &Record,
    judged: &Judged,
    gathered: &Gathered,
    decide: impl FnOnce(&Request<'_>, &Layers<'_>) -> T,
) -> T {
    let mut context = judged.context.clone();
    why::globals(record, judged).add(&mut context);
    let principal = why::principal(&record.caller);
    let request = Request {
        principal: &principal,
        action: &judged.action,
        resource: &judged.resource,
        resource_account: Some(&judged.owner),
        context: &context,
    };
    gathered.with_layers(|layers| decide(&request, layers))
}
