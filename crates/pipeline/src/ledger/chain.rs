//! How a batch of records lies in the store, and how batches are chained.
//!
//! Layout, little endian: version (1), flags (1; bit 0: the payload is LZ4, bit 1: there is a summary), the previous
//! batch's link (32), this batch's link (32), first and last wall time (8 each), first and last cloud time (8 each), the
//! length of the index (4), the summary of the stretch before, the index (for each record the number of its attribute
//! hashes (1) and the hashes (4 each)), the payload (for each record its length (4) and text).
//!
//! Invariant: a link is SHA-256 over the version, the flags, the previous link, the first sequence, the times, the summary, the
//! index and the payload as it lies there, so that no batch can be changed, dropped or moved without breaking every link after
//! it. Batches of version 1 are linked by the payload before its compression, and neither by version nor flags.

use std::borrow::Cow;
use std::ops::Range;

use store::Chain;

use crate::ledger::record::Record;
use crate::ledger::summary::{self, Summaries, Summary};

/// The version whose links cover what the payload was before its compression.
const UNPACKED: u8 = 1;
const VERSION: u8 = 2;
const LZ4: u8 = 1;
const SUMMARY: u8 = 2;
pub(super) const LINK: usize = 32;
const TIMES: usize = 4 * 8;
const HEADER: usize = 2 + LINK + LINK + TIMES + 4;
/// Below this many bytes, which few records reach alone, compression costs more than it saves: a record has little that is said twice.
const COMPRESS_FROM_BYTES: usize = 3072;
/// Larger than any flush's records; stops a forged length from taking memory.
const PAYLOAD_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The hook by which the store's committer frames the ledger.
#[derive(Default)]
pub struct LedgerChain {
    summaries: Summaries,
}

#[cfg(test)]
impl LedgerChain {
    /// A chain that sums up shorter stretches.
    pub(crate) fn summing_every(records: usize) -> Self {
        Self {
            summaries: Summaries::every(records),
        }
    }
}

impl Chain for LedgerChain {
    fn batch(&mut self, stream: &[u8], first: u64, previous: Option<&[u8]>, records: &[Vec<u8>]) -> Vec<u8> {
        let previous = previous
            .and_then(|link| <[u8; LINK]>::try_from(link).ok())
            .unwrap_or_default();
        let summary = self.summaries.due(stream, first, &previous).unwrap_or_default();
        let mut index = Vec::new();
        let mut payload = Vec::new();
        let (mut wall, mut time) = ((i64::MAX, i64::MIN), (i64::MAX, i64::MIN));
        for record in records {
            let Some(record) = Encoded::split(record) else {
                continue;
            };
            wall = (wall.0.min(record.wall), wall.1.max(record.wall));
            time = (time.0.min(record.time), time.1.max(record.time));
            index.push(u8::try_from(record.hashes.len() / 4).unwrap_or(u8::MAX));
            index.extend_from_slice(record.hashes);
            payload.extend_from_slice(&u32::try_from(record.text.len()).unwrap_or(u32::MAX).to_le_bytes());
            payload.extend_from_slice(record.text);
        }
        let mut times = [0; TIMES];
        for (place, value) in times.chunks_exact_mut(8).zip([wall.0, wall.1, time.0, time.1]) {
            place.copy_from_slice(&value.to_le_bytes());
        }
        let mut flags = if summary.is_empty() { 0 } else { SUMMARY };
        if payload.len() >= COMPRESS_FROM_BYTES {
            flags |= LZ4;
            payload = lz4_flex::compress_prepend_size(&payload);
        }
        let head = [VERSION, flags];
        let link = link_of(&previous, first, &[&head, &times, &summary, &index, &payload]);
        let hashes = records.iter().filter_map(|record| Encoded::split(record));
        let hashes = hashes.flat_map(|record| record.hashes.chunks_exact(4));
        self.summaries
            .add(stream, (first, records.len()), link, time, hashes);
        let mut bytes = Vec::with_capacity(HEADER + summary.len() + index.len() + payload.len());
        bytes.extend_from_slice(&head);
        bytes.extend_from_slice(&previous);
        bytes.extend_from_slice(&link);
        bytes.extend_from_slice(&times);
        bytes.extend_from_slice(&u32::try_from(index.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(&summary);
        bytes.extend_from_slice(&index);
        bytes.extend_from_slice(&payload);
        bytes
    }

    fn link(&self, batch: &[u8]) -> Vec<u8> {
        Batch::parse(batch)
            .map(|batch| batch.link.to_vec())
            .unwrap_or_default()
    }
}

/// What `Record::encode` wrote.
struct Encoded<'a> {
    wall: i64,
    time: i64,
    hashes: &'a [u8],
    text: &'a [u8],
}

impl<'a> Encoded<'a> {
    fn split(record: &'a [u8]) -> Option<Self> {
        let (wall, rest) = record.split_first_chunk::<8>()?;
        let (time, rest) = rest.split_first_chunk::<8>()?;
        let (count, rest) = rest.split_first()?;
        let (hashes, text) = rest.split_at_checked(usize::from(*count) * 4)?;
        Some(Self {
            wall: i64::from_le_bytes(*wall),
            time: i64::from_le_bytes(*time),
            hashes,
            text,
        })
    }
}

fn link_of(previous: &[u8; LINK], first: u64, parts: &[&[u8]]) -> [u8; LINK] {
    let mut hasher = crypto::digest::Sha256::new();
    hasher.update(previous);
    hasher.update(&first.to_le_bytes());
    for part in parts {
        // The length before each part, so that no byte can wander from one to the next.
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finish()
}

/// A batch, taken apart but not yet decompressed.
pub(crate) struct Batch<'a> {
    version: u8,
    flags: u8,
    pub(crate) previous: [u8; LINK],
    pub(crate) link: [u8; LINK],
    times: &'a [u8; TIMES],
    summary: &'a [u8],
    index: &'a [u8],
    payload: &'a [u8],
}

impl<'a> Batch<'a> {
    /// `None` for bytes that are no batch of a known version.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let ([version, flags], rest) = bytes.split_first_chunk::<2>()?;
        let (previous, rest) = rest.split_first_chunk::<LINK>()?;
        let (link, rest) = rest.split_first_chunk::<LINK>()?;
        let (times, rest) = rest.split_first_chunk::<TIMES>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let summed = if flags & SUMMARY == 0 { 0 } else { summary::LENGTH };
        let (summary, rest) = rest.split_at_checked(summed)?;
        let (index, payload) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        let known = matches!(*version, UNPACKED | VERSION) && flags & !(LZ4 | SUMMARY) == 0;
        known.then_some(Self {
            version: *version,
            flags: *flags,
            previous: *previous,
            link: *link,
            times,
            summary,
            index,
            payload,
        })
    }

    fn instant(&self, place: usize) -> i64 {
        let bytes = self
            .times
            .get(place * 8..)
            .and_then(|rest| rest.first_chunk::<8>());
        bytes.map_or(0, |bytes| i64::from_le_bytes(*bytes))
    }

    /// Wall milliseconds of the earliest and the latest record.
    pub(crate) fn wall(&self) -> (i64, i64) {
        (self.instant(0), self.instant(1))
    }

    /// Cloud milliseconds of the earliest and the latest record.
    pub(crate) fn time(&self) -> (i64, i64) {
        (self.instant(2), self.instant(3))
    }

    /// What is known of the stretch before this batch, if one ends here.
    pub(crate) fn summary(&self) -> Option<Summary<'a>> {
        Summary::parse(self.summary)
    }

    /// The positions of the records that bear `hash`, ascending; all of them without one.
    pub(crate) fn matching(&self, hash: Option<u32>) -> Vec<usize> {
        let mut positions = Vec::new();
        let mut rest = self.index;
        let mut position = 0;
        while let Some((count, tail)) = rest.split_first() {
            let Some((hashes, tail)) = tail.split_at_checked(usize::from(*count) * 4) else {
                break;
            };
            let bears = |wanted: u32| hashes.chunks_exact(4).any(|chunk| chunk == wanted.to_le_bytes());
            if hash.is_none_or(bears) {
                positions.push(position);
            }
            position += 1;
            rest = tail;
        }
        positions
    }

    /// The uncompressed payload; `None` if it does not decompress.
    fn payload(&self) -> Option<Cow<'a, [u8]>> {
        if self.flags & LZ4 == 0 {
            return Some(self.payload.into());
        }
        let (size, _) = self.payload.split_first_chunk::<4>()?;
        if usize::try_from(u32::from_le_bytes(*size)).ok()? > PAYLOAD_BYTES_MAX {
            return None;
        }
        lz4_flex::decompress_size_prepended(self.payload)
            .ok()
            .map(Into::into)
    }

    /// The texts of the records; `None` if the payload is damaged.
    pub(crate) fn open(&self) -> Option<Texts<'a>> {
        let payload = self.payload()?;
        let mut places = Vec::new();
        let mut at = 0_usize;
        while let Some(length) = payload.get(at..).and_then(|rest| rest.first_chunk::<4>()) {
            let begin = at + 4;
            at = begin.checked_add(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
            places.push(begin..at);
        }
        (at == payload.len()).then_some(Texts { payload, places })
    }

    /// Whether the batch's link is the one that its content gives.
    pub(crate) fn holds(&self, first: u64) -> bool {
        let (times, summary, index) = (self.times.as_slice(), self.summary, self.index);
        let link = if self.version == UNPACKED {
            self.payload()
                .map(|payload| link_of(&self.previous, first, &[times, summary, index, &payload]))
        } else {
            let head = [self.version, self.flags];
            Some(link_of(
                &self.previous,
                first,
                &[&head, times, summary, index, self.payload],
            ))
        };
        link == Some(self.link)
    }
}

/// The records of a batch, not yet read.
pub(crate) struct Texts<'a> {
    payload: Cow<'a, [u8]>,
    places: Vec<Range<usize>>,
}

impl Texts<'_> {
    /// How many there are.
    pub(crate) const fn count(&self) -> usize {
        self.places.len()
    }

    /// The record at a position; `None` if there is none that can be read.
    pub(crate) fn record(&self, position: usize) -> Option<Record> {
        let text = self.payload.get(self.places.get(position)?.clone())?;
        Record::decode(text)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn record(text: &str, hash: u32) -> Vec<u8> {
        let mut bytes = [5_i64.to_le_bytes(), 6_i64.to_le_bytes()].concat();
        bytes.push(1);
        bytes.extend_from_slice(&hash.to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
        bytes
    }

    /// A batch as version 1 wrote it: linked before it was compressed.
    pub(crate) fn batch_of_version_1(first: u64, text: &str) -> Vec<u8> {
        let index = [[1].as_slice(), &7_u32.to_le_bytes()].concat();
        let length = u32::try_from(text.len()).unwrap();
        let payload = [&length.to_le_bytes(), text.as_bytes()].concat();
        let times = [0; TIMES];
        let link = link_of(&[0; LINK], first, &[&times, &[], &index, &payload]);
        let length = u32::try_from(index.len()).unwrap();
        let packed = lz4_flex::compress_prepend_size(&payload);
        let parts: [&[u8]; 7] = [
            &[UNPACKED, LZ4],
            &[0; LINK],
            &link,
            &times,
            &length.to_le_bytes(),
            &index,
            &packed,
        ];
        parts.concat()
    }

    #[test]
    fn batches_of_the_first_version_hold() {
        let one = batch_of_version_1(1, &"x".repeat(2000));
        assert!(Batch::parse(&one).unwrap().holds(1));
        assert!(!Batch::parse(&one).unwrap().holds(2));
        let other = batch_of_version_1(1, &"y".repeat(2000));
        let mut forged = one.clone();
        let payload = HEADER + 5;
        forged.truncate(payload);
        forged.extend_from_slice(&other[payload..]);
        assert!(!Batch::parse(&forged).unwrap().holds(1));
    }

    #[test]
    fn the_index_finds_records_without_opening_them() {
        let records = [record("{}", 7), record("{}", 8)];
        let one = LedgerChain::default().batch(b"s", 1, None, &records);
        let batch = Batch::parse(&one).unwrap();
        assert_eq!(batch.matching(Some(8)), [1]);
        assert_eq!(batch.matching(None), [0, 1]);
        assert!(batch.matching(Some(99)).is_empty());
    }
}
