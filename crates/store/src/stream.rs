//! Append-only streams: records that become durable with the commit they belong to. One flush makes one row per stream, however
//! many commits it holds. Sequence numbers are dense and in commit order; how a batch is framed, chained and compressed is the
//! [`Chain`]'s business.

use crate::engine::STREAMS;
use crate::key::{decode_bytes, encode_bytes, end_of, escape};
use crate::{Error, Result};

/// One record for one stream, given with a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// The stream's name; streams begin with their account, so that one account can be wiped.
    pub stream: Vec<u8>,
    /// The record's bytes.
    pub record: Vec<u8>,
}

/// Turns the records of one flush into the bytes that are stored, linked to the batch before.
pub trait Chain: Send + 'static {
    /// The stored bytes of the records with sequence numbers `first..first + records.len()`. `previous` is the link of the
    /// batch before, `None` at a stream's beginning.
    fn batch(&mut self, stream: &[u8], first: u64, previous: Option<&[u8]>, records: &[Vec<u8>]) -> Vec<u8>;

    /// What the next batch needs to know of this one, such as its hash. Kept in memory, and read back from the last batch
    /// after a start.
    fn link(&self, batch: &[u8]) -> Vec<u8>;
}

/// The plainest chain: each record behind its length, no link. For tests and for stores without streams.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

impl Plain {
    /// Splits a batch into its records; `None` when it is malformed.
    #[must_use]
    pub fn records(mut batch: &[u8]) -> Option<Vec<Vec<u8>>> {
        let mut records = Vec::new();
        while !batch.is_empty() {
            let (length, rest) = batch.split_first_chunk::<4>()?;
            let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
            let (record, rest) = rest.split_at_checked(length)?;
            records.push(record.to_vec());
            batch = rest;
        }
        Some(records)
    }
}

impl Chain for Plain {
    fn batch(
        &mut self,
        _stream: &[u8],
        _first: u64,
        _previous: Option<&[u8]>,
        records: &[Vec<u8>],
    ) -> Vec<u8> {
        let mut out = Vec::with_capacity(records.iter().map(|record| record.len() + 4).sum());
        for record in records {
            let length = u32::try_from(record.len()).unwrap_or(u32::MAX);
            out.extend_from_slice(&length.to_le_bytes());
            out.extend_from_slice(record);
        }
        out
    }

    fn link(&self, _batch: &[u8]) -> Vec<u8> {
        Vec::new()
    }
}

/// One stored batch of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamBatch {
    /// The sequence number of its first record.
    pub first: u64,
    /// The number of its records.
    pub count: u32,
    /// The bytes that the [`Chain`] made.
    pub bytes: Vec<u8>,
}

impl StreamBatch {
    /// The sequence number after its last record.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.first.saturating_add(u64::from(self.count))
    }

    pub(crate) fn from_row(key: &[u8], value: &[u8]) -> Result<StreamBatch> {
        let (_, first) = split_key(key)?;
        let (count, bytes) = value
            .split_first_chunk::<4>()
            .ok_or(Error::Key("a batch without its count"))?;
        Ok(StreamBatch {
            first,
            count: u32::from_le_bytes(*count),
            bytes: bytes.to_vec(),
        })
    }
}

/// The row key of the batch of `stream` that begins with `first`.
pub(crate) fn key(stream: &[u8], first: u64) -> Vec<u8> {
    let mut key = prefix(stream);
    key.extend_from_slice(&first.to_be_bytes());
    key
}

/// The row keys of all batches of `stream` begin so.
pub(crate) fn prefix(stream: &[u8]) -> Vec<u8> {
    let mut prefix = STREAMS.to_vec();
    encode_bytes(stream, &mut prefix);
    prefix
}

/// The row keys of all streams whose names begin with `name`, as a range.
pub(crate) fn named(name: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut from = STREAMS.to_vec();
    escape(name, &mut from);
    let to = end_of(&from);
    (from, to)
}

/// The stream and first sequence number that a row key names.
pub(crate) fn split_key(key: &[u8]) -> Result<(Vec<u8>, u64)> {
    let mut rest = key.strip_prefix(&STREAMS).ok_or(Error::Key("not a stream's"))?;
    let stream = decode_bytes(&mut rest)?;
    let first = rest.try_into().map_err(|_| Error::Key("not a sequence number"))?;
    Ok((stream, u64::from_be_bytes(first)))
}

pub(crate) fn value(count: u32, mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.splice(0..0, count.to_le_bytes());
    bytes
}
