//! What recent commits wrote, kept long enough to validate the transactions that began before them. A transaction older than
//! this memory counts as conflicting.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use crate::Version;

/// The number of written keys that are remembered: about one second of hard writing.
const KEYS_MAX: usize = 32_768;

/// What a transaction has read, as keys and as ranges `[from, to)`.
#[derive(Default)]
pub(crate) struct Reads {
    pub(crate) points: Points,
    pub(crate) ranges: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Reads {
    pub(crate) fn is_empty(&self) -> bool {
        self.points.ends.is_empty() && self.ranges.is_empty()
    }
}

/// Keys, one behind the other: a call reads a dozen, and two buffers are sooner made, and dropped by another thread, than twelve.
#[derive(Default)]
pub(crate) struct Points {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Points {
    /// What the keys of a call take, so that the buffers are made once.
    const BYTES: usize = 1024;
    const KEYS: usize = 16;

    /// Adds the key that `encode` appends.
    pub(crate) fn push(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        if self.ends.is_empty() {
            self.bytes.reserve(Self::BYTES);
            self.ends.reserve(Self::KEYS);
        }
        encode(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    /// Takes the last key out again.
    pub(crate) fn pop(&mut self) {
        self.ends.pop();
        self.bytes.truncate(self.ends.last().copied().unwrap_or(0));
    }

    /// The key that was added last; empty without one.
    pub(crate) fn last(&self) -> &[u8] {
        let begin = self.ends.iter().rev().nth(1).copied().unwrap_or(0);
        self.bytes.get(begin..).unwrap_or_default()
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins
            .zip(&self.ends)
            .filter_map(|(begin, end)| self.bytes.get(begin..*end))
    }
}

/// The keys of recent commits, the ones that are being flushed included.
pub(crate) struct Recent {
    last_write: BTreeMap<Arc<[u8]>, Version>,
    commits: VecDeque<(Version, Vec<Arc<[u8]>>)>,
    keys: usize,
    /// Commits up to this one are forgotten.
    floor: Version,
}

impl Recent {
    pub(crate) fn new(version: Version) -> Recent {
        Recent {
            last_write: BTreeMap::new(),
            commits: VecDeque::new(),
            keys: 0,
            floor: version,
        }
    }

    /// Whether any commit after `since` wrote what `reads` saw.
    pub(crate) fn conflicts(&self, reads: &Reads, since: Version) -> bool {
        if reads.is_empty() {
            return false;
        }
        self.known_since(since).unwrap_or_else(|| {
            let newer = |key: &[u8]| self.last_write.get(key).is_some_and(|version| *version > since);
            reads.points.iter().any(newer)
                || reads.ranges.iter().any(|(from, to)| self.wrote(from, to, since))
        })
    }

    /// Whether any commit after `since` wrote a key in `[from, to)`.
    pub(crate) fn touched(&self, from: &[u8], to: &[u8], since: Version) -> bool {
        self.known_since(since)
            .unwrap_or_else(|| self.wrote(from, to, since))
    }

    /// The answer that needs no look at keys: everything before the memory may have changed, and nothing if nobody wrote.
    fn known_since(&self, since: Version) -> Option<bool> {
        if since < self.floor {
            return Some(true);
        }
        self.commits
            .back()
            .is_none_or(|(version, _)| *version <= since)
            .then_some(false)
    }

    fn wrote(&self, from: &[u8], to: &[u8], since: Version) -> bool {
        let bounds = (Bound::Included(from), Bound::Excluded(to));
        from < to
            && self
                .last_write
                .range::<[u8], _>(bounds)
                .any(|(_, version)| *version > since)
    }

    /// Remembers what the commit `version` writes.
    pub(crate) fn note(&mut self, version: Version, keys: Vec<Arc<[u8]>>) {
        if keys.is_empty() {
            return;
        }
        for key in &keys {
            self.last_write.insert(Arc::clone(key), version);
        }
        self.keys += keys.len();
        self.commits.push_back((version, keys));
        while self.keys > KEYS_MAX {
            let Some((version, keys)) = self.commits.pop_front() else {
                return;
            };
            self.keys -= keys.len();
            self.floor = version;
            for key in keys {
                if self.last_write.get(&key) == Some(&version) {
                    self.last_write.remove(&key);
                }
            }
        }
    }

    /// Forgets everything: transactions older than `version` conflict.
    pub(crate) fn reset(&mut self, version: Version) {
        *self = Recent::new(version);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(points: &[&[u8]], ranges: &[(&[u8], &[u8])]) -> Reads {
        let mut read = Points::default();
        for key in points {
            read.push(|out| out.extend_from_slice(key));
        }
        Reads {
            points: read,
            ranges: ranges
                .iter()
                .map(|(from, to)| (from.to_vec(), to.to_vec()))
                .collect(),
        }
    }

    #[test]
    fn points_are_kept_apart() {
        let mut read = Points::default();
        assert!(read.last().is_empty());
        for key in [b"a".as_slice(), b"", b"bcd"] {
            read.push(|out| out.extend_from_slice(key));
            assert_eq!(read.last(), key);
        }
        assert_eq!(read.iter().collect::<Vec<_>>(), [b"a".as_slice(), b"", b"bcd"]);
        read.pop();
        assert!(read.last().is_empty());
        read.pop();
        assert_eq!(read.iter().collect::<Vec<_>>(), [b"a"]);
    }

    #[test]
    fn only_newer_writes_of_what_was_read_conflict() {
        let mut recent = Recent::new(0);
        recent.note(1, vec![Arc::from(b"b".as_slice())]);
        assert!(recent.conflicts(&reads(&[b"b"], &[]), 0));
        assert!(!recent.conflicts(&reads(&[b"b"], &[]), 1));
        assert!(!recent.conflicts(&reads(&[b"a"], &[]), 0));
        assert!(recent.conflicts(&reads(&[], &[(b"a", b"c")]), 0));
        assert!(!recent.conflicts(&reads(&[], &[(b"a", b"b")]), 0));
        assert!(!recent.conflicts(&reads(&[], &[(b"z", b"a")]), 0));
    }

    #[test]
    fn a_transaction_older_than_the_memory_conflicts() {
        let mut recent = Recent::new(0);
        for version in 1..=(KEYS_MAX as u64 + 5) {
            recent.note(version, vec![Arc::from(version.to_be_bytes().as_slice())]);
        }
        assert_eq!(recent.last_write.len(), KEYS_MAX);
        assert!(recent.conflicts(&reads(&[b"never written"], &[]), 4));
        assert!(!recent.conflicts(&reads(&[b"never written"], &[]), 5));
        recent.reset(9);
        assert!(recent.conflicts(&reads(&[b"x"], &[]), 8));
    }
}
