//! Walks the ledger from end to end and tells of every stream that it is whole, or where it first is not.
//!
//! Invariant: a whole stream holds each of its records once, readable and in the order of their sequence, in batches whose links follow from
//! their content and from the batch before. What was cut off at the end, or written anew from some place on, shows only against what
//! was noted of the stream before.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use store::{Direction, Error, Store, StreamBatch};

use super::chain::{Batch, LINK};

/// Batches that are held at once.
const PAGE: usize = 32;
/// Names of streams that are fetched at once.
const NAMES: usize = 100;

/// What is wrong with a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Flaw {
    /// The next batch does not begin here.
    #[error("order: records are missing, or lie where they do not belong")]
    Order,
    /// The batch has another link than its content gives.
    #[error("link: the batch is not what was written")]
    Link,
    /// The batch names another link as the one before.
    #[error("link: the batch does not follow the one before it")]
    Previous,
    /// The batch is none of a known version, or does not decompress.
    #[error("payload: the batch cannot be read")]
    Payload,
    /// The batch holds fewer or more records than the store counts, or than it indexes.
    #[error("payload: the batch does not hold as many records as were counted")]
    Count,
    /// The text of the record does not decode.
    #[error("record: it cannot be read")]
    Record,
    /// The record is of another account or region.
    #[error("record: it belongs to another stream")]
    Place,
    /// The stream is shorter than it was, or another.
    #[error("noted: the stream does not go on from what was noted of it")]
    Noted,
}

/// Where a stream is broken first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broken {
    /// The number of the record, or of the first record of the batch, which is nothing of its content. A stream's first record is 0.
    pub sequence: u64,
    pub flaw: Flaw,
}

/// What a walk found of a stream, and what may be noted of it for a later one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Followed {
    /// Account and region: `123456789012/us-east-1`
    pub stream: String,
    /// Records up to its end, or to where it is broken.
    pub records: u64,
    /// The link of the batch that ends there, in hexadecimal; zeros without one.
    pub link: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<Broken>,
}

/// Walks all streams, and compares them with what an earlier walk told of them. Takes time in proportion to the whole ledger, and memory for a
/// page of its batches. Streams that grow meanwhile are followed to where they ended when their turn came.
///
/// # Errors
/// The store's, if it cannot be read. A broken stream is none: it is told, and the others are walked all the same.
pub fn verify(store: &Store, noted: &[Followed]) -> store::Result<Vec<Followed>> {
    let noted = noted.iter().filter(|noted| noted.records > 0);
    let mut noted: BTreeMap<&str, &Followed> = noted.map(|noted| (noted.stream.as_str(), noted)).collect();
    let mut followed = Vec::new();
    let mut after: Option<Vec<u8>> = None;
    loop {
        let names = store.begin_eager()?.streams(b"", after.as_deref(), NAMES)?;
        let Some(last) = names.last() else { break };
        for name in &names {
            let shown = name.escape_ascii().to_string();
            let known = noted.remove(shown.as_str());
            followed.push(Walk::of(store, name, known).told(shown)?);
        }
        after = Some(last.clone());
    }
    for name in noted.into_keys() {
        followed.push(Walk::of(store, name.as_bytes(), None).lost(name));
    }
    Ok(followed)
}

/// One value for the ends of all streams, to be noted and compared: equal as long as nothing is recorded.
pub fn digest(followed: &[Followed]) -> String {
    let mut hasher = crypto::digest::Sha256::new();
    for Followed {
        stream,
        records,
        link,
        ..
    } in followed
    {
        for part in [stream, link] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        hasher.update(&records.to_le_bytes());
    }
    crypto::digest::hex(&hasher.finish())
}

const fn broken_at(sequence: u64, flaw: Flaw) -> Broken {
    Broken { sequence, flaw }
}

/// Why a walk ends before the stream does.
enum Stop {
    Broken(Broken),
    Store(Error),
}

impl From<Broken> for Stop {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

/// A stream on the way from its first batch to its last.
struct Walk<'a> {
    store: &'a Store,
    stream: &'a [u8],
    /// The sequence and the link that the next batch must go on from.
    next: u64,
    link: [u8; LINK],
    /// What the stream must come by yet.
    noted: Option<&'a Followed>,
}

impl<'a> Walk<'a> {
    const fn of(store: &'a Store, stream: &'a [u8], noted: Option<&'a Followed>) -> Self {
        Self {
            store,
            stream,
            next: 0,
            link: [0; LINK],
            noted,
        }
    }

    fn told(mut self, stream: String) -> store::Result<Followed> {
        let broken = match self.follow() {
            Ok(()) => None,
            Err(Stop::Broken(broken)) => Some(broken),
            Err(Stop::Store(error)) => return Err(error),
        };
        Ok(self.followed(stream, broken))
    }

    /// A stream that was noted, and is not there.
    fn lost(self, stream: &str) -> Followed {
        let broken = broken_at(0, Flaw::Noted);
        self.followed(stream.to_owned(), Some(broken))
    }

    fn followed(&self, stream: String, broken: Option<Broken>) -> Followed {
        Followed {
            stream,
            records: self.next,
            link: crypto::digest::hex(&self.link),
            broken,
        }
    }

    fn follow(&mut self) -> Result<(), Stop> {
        let last = self.last()?;
        // By the places where batches lie, not by those where they should: one that is in the way is seen too.
        let mut from = 0;
        loop {
            let batches = self.page(from)?;
            let fresh = batches
                .iter()
                .filter(|batch| (from..=last).contains(&batch.first));
            let mut reached = None;
            for batch in fresh {
                self.take(batch)?;
                reached = Some(batch.first);
            }
            match reached.and_then(|first| first.checked_add(1)) {
                Some(next) => from = next,
                None => break,
            }
        }
        if self.noted.is_some() {
            return Err(broken_at(self.next, Flaw::Noted).into());
        }
        Ok(())
    }

    /// Where the last batch begins. Not by what is counted in it, which may be wrong.
    fn last(&self) -> Result<u64, Stop> {
        let last = self
            .store
            .begin_eager()?
            .stream_batches(self.stream, u64::MAX, Direction::Reverse, 1);
        match last {
            Err(Error::Key(_)) => Ok(u64::MAX),
            other => Ok(other?.first().map_or(u64::MAX, |batch| batch.first)),
        }
    }

    /// The next batches, those that begin at `from` or later among them.
    fn page(&self, from: u64) -> Result<Vec<StreamBatch>, Stop> {
        let read = |from, limit| {
            self.store
                .begin_eager()?
                .stream_batches(self.stream, from, Direction::Forward, limit)
        };
        match read(from, PAGE) {
            Err(Error::Key(_)) => {}
            other => return Ok(other?),
        }
        // One of them is no batch at all: those before it are read one by one.
        match read(self.next, 1) {
            Err(Error::Key(_)) => Err(broken_at(self.next, Flaw::Payload).into()),
            Ok(batches) if batches.is_empty() => Err(broken_at(self.next, Flaw::Order).into()),
            other => Ok(other?),
        }
    }

    /// Goes on by one batch.
    fn take(&mut self, stored: &StreamBatch) -> Result<(), Broken> {
        let first = stored.first;
        let broken = |flaw| broken_at(first, flaw);
        if first != self.next {
            return Err(broken_at(self.next.min(first), Flaw::Order));
        }
        let batch = Batch::parse(&stored.bytes).ok_or(broken(Flaw::Payload))?;
        if !batch.holds(first) {
            return Err(broken(Flaw::Link));
        }
        if batch.previous != self.link {
            return Err(broken(Flaw::Previous));
        }
        let texts = batch.open().ok_or(broken(Flaw::Payload))?;
        let count = u64::from(stored.count);
        if count == 0 || texts.count() as u64 != count || batch.matching(None).len() as u64 != count {
            return Err(broken(Flaw::Count));
        }
        for (position, sequence) in (0..texts.count()).zip(first..) {
            let record = texts.record(position);
            let record = record.ok_or(broken_at(sequence, Flaw::Record))?;
            if super::stream(&record.account, &record.region) != self.stream {
                return Err(broken_at(sequence, Flaw::Place));
            }
        }
        self.next = stored.end();
        self.link = batch.link;
        self.compare(first)
    }

    /// Compares with what was noted, once the stream has come to it.
    fn compare(&mut self, first: u64) -> Result<(), Broken> {
        let Some(noted) = self.noted.filter(|noted| noted.records <= self.next) else {
            return Ok(());
        };
        if noted.records < self.next || noted.link != crypto::digest::hex(&self.link) {
            return Err(broken_at(first, Flaw::Noted));
        }
        self.noted = None;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
