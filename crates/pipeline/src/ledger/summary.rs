//! Summaries of long stretches of a stream, so that a reader who looks for something rare passes over them unread.
//!
//! Every `RECORDS` records the next batch carries a summary of the ones before it: the span of their times and a Bloom
//! filter of their attribute hashes. The writer needs no row and no transaction for it, and the chain's link covers it.
//!
//! Invariant: a summary covers exactly the batches from `from` up to the batch that carries it. A filter may claim what
//! is not there, which costs a look; it never denies what is.

use std::collections::HashMap;

use super::chain::LINK;

/// Records that a summary covers, at least: one flush is never divided.
pub(crate) const RECORDS: usize = 4096;
/// Ten bits for each of the about three hashes that only one record bears: one false claim in a hundred.
const FILTER: usize = 16 * 1024;
const PROBES: u64 = 4;
const HEADER: usize = 8 + 8 + 8;
/// Bytes of a written summary.
pub(super) const LENGTH: usize = HEADER + FILTER;
/// Streams that are summed up at once, at 16 KiB each; more than that and all begin anew.
const STREAMS_MAX: usize = 1024;

/// The bits of the filter that stand for a hash.
fn bits(hash: u32) -> impl Iterator<Item = (usize, u8)> {
    // Two multiplications with a shift between, since hashes of like values are alike; then double hashing.
    let spread = u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (spread ^ (spread >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    let mixed = mixed ^ (mixed >> 32);
    let (start, step) = (mixed >> 32, (mixed & 0xffff_ffff) | 1);
    (0..PROBES).map(move |probe| {
        let bit = start.wrapping_add(probe.wrapping_mul(step)) % (FILTER as u64 * 8);
        (usize::try_from(bit / 8).unwrap_or_default(), 1 << (bit % 8))
    })
}

/// A stretch that is being written.
struct Open {
    from: u64,
    /// The sequence and link that the next batch must go on from; anything else is another history.
    next: u64,
    link: [u8; LINK],
    records: usize,
    earliest: i64,
    latest: i64,
    filter: Vec<u8>,
}

impl Open {
    fn new(from: u64) -> Self {
        let filter = vec![0; FILTER];
        Self {
            from,
            next: from,
            link: [0; LINK],
            records: 0,
            earliest: i64::MAX,
            latest: i64::MIN,
            filter,
        }
    }

    fn written(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.extend_from_slice(&self.from.to_le_bytes());
        bytes.extend_from_slice(&self.earliest.to_le_bytes());
        bytes.extend_from_slice(&self.latest.to_le_bytes());
        bytes.extend_from_slice(&self.filter);
        bytes
    }
}

/// What the writer remembers of each stream's open stretch. A restart forgets it: the stretch is then read batch by batch.
pub(super) struct Summaries {
    open: HashMap<Vec<u8>, Open>,
    /// `RECORDS`, but for tests of short streams.
    records: usize,
}

impl Default for Summaries {
    fn default() -> Self {
        Self::every(RECORDS)
    }
}

impl Summaries {
    pub(super) fn every(records: usize) -> Self {
        Self {
            open: HashMap::new(),
            records,
        }
    }

    /// The summary that the batch beginning at `first` carries, if a stretch ends before it.
    pub(super) fn due(&mut self, stream: &[u8], first: u64, previous: &[u8; LINK]) -> Option<Vec<u8>> {
        let open = self.open.get(stream)?;
        if open.next != first || open.link != *previous {
            // A flush that failed, another writer or a restored store came between.
            self.open.remove(stream);
            return None;
        }
        if open.records < self.records {
            return None;
        }
        let written = open.written();
        self.open.remove(stream);
        Some(written)
    }

    /// Adds a written batch: its attribute hashes (4 bytes each, little endian) and the span of its times.
    pub(super) fn add<'a>(
        &mut self,
        stream: &[u8],
        (first, count): (u64, usize),
        link: [u8; LINK],
        span: (i64, i64),
        hashes: impl Iterator<Item = &'a [u8]>,
    ) {
        if !self.open.contains_key(stream) {
            if self.open.len() >= STREAMS_MAX {
                self.open.clear();
            }
            self.open.insert(stream.to_vec(), Open::new(first));
        }
        let Some(open) = self.open.get_mut(stream) else {
            return;
        };
        open.next = first.saturating_add(count as u64);
        open.link = link;
        open.records += count;
        open.earliest = open.earliest.min(span.0);
        open.latest = open.latest.max(span.1);
        for hash in hashes.filter_map(|bytes| <[u8; 4]>::try_from(bytes).ok()) {
            for (byte, bit) in bits(u32::from_le_bytes(hash)) {
                if let Some(place) = open.filter.get_mut(byte) {
                    *place |= bit;
                }
            }
        }
    }
}

/// A written summary.
pub(crate) struct Summary<'a> {
    /// The sequence at which the stretch begins.
    pub(crate) from: u64,
    earliest: i64,
    latest: i64,
    filter: &'a [u8],
}

impl<'a> Summary<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (from, rest) = bytes.split_first_chunk::<8>()?;
        let (earliest, rest) = rest.split_first_chunk::<8>()?;
        let (latest, filter) = rest.split_first_chunk::<8>()?;
        (filter.len() == FILTER).then_some(Self {
            from: u64::from_le_bytes(*from),
            earliest: i64::from_le_bytes(*earliest),
            latest: i64::from_le_bytes(*latest),
            filter,
        })
    }

    /// Whether a record of the stretch may lie within `from..=to` (cloud milliseconds) and bear the hash.
    pub(crate) fn may_hold(&self, from: i64, to: i64, hash: Option<u32>) -> bool {
        let bears = |hash: u32| {
            bits(hash).all(|(byte, bit)| self.filter.get(byte).is_some_and(|held| held & bit != 0))
        };
        self.earliest <= to && self.latest >= from && hash.is_none_or(bears)
    }
}
