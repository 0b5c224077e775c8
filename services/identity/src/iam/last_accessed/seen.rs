//! Which attempts are noted already: so that a call need not read its note to know that it need not write one.
//!
//! Invariant: what is remembered was read from the store; forgetting any of it costs one read, never a note.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use parking_lot::RwLock;

/// Parts of the memory, each with a lock of its own, so that calls of many principals do not wait for each other.
const PARTS: usize = 16;
/// Notes that one part remembers; one more clears it.
const PART_MAX: usize = 1024;

/// The times of notes, in milliseconds since the epoch.
pub(crate) struct Seen {
    hasher: RandomState,
    parts: [RwLock<HashMap<u64, i64>>; PARTS],
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            parts: std::array::from_fn(|_| RwLock::default()),
        }
    }
}

impl Seen {
    /// Where the note of a principal and action is remembered. Two that met in one place, which 64 keyed bits forbid, would be
    /// noted as if they were one.
    pub(crate) fn place(&self, key: &(&str, &str, &str)) -> u64 {
        self.hasher.hash_one(key)
    }

    fn part(&self, place: u64) -> &RwLock<HashMap<u64, i64>> {
        let [first, ..] = &self.parts;
        let at = usize::try_from(place % PARTS as u64).unwrap_or(0);
        self.parts.get(at).unwrap_or(first)
    }

    /// When the note was written, if that is remembered.
    pub(crate) fn at(&self, place: u64) -> Option<i64> {
        self.part(place).read().get(&place).copied()
    }

    /// Remembers a note that the store has.
    pub(crate) fn saw(&self, place: u64, at: i64) {
        let mut part = self.part(place).write();
        if part.len() >= PART_MAX {
            part.clear();
        }
        part.insert(place, at);
    }

    /// Forgets all, since the store's content was replaced.
    pub(crate) fn clear(&self) {
        for part in &self.parts {
            part.write().clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_told_until_it_is_cleared() {
        let seen = Seen::default();
        let place = seen.place(&("000000000000", "AIDAEXAMPLE", "iam:ListUsers"));
        assert_eq!(seen.at(place), None);
        seen.saw(place, 7);
        assert_eq!(seen.at(place), Some(7));
        assert_eq!(
            seen.at(seen.place(&("000000000000", "AIDAEXAMPLE", "iam:ListRoles"))),
            None
        );
        seen.clear();
        assert_eq!(seen.at(place), None);
    }

    #[test]
    fn it_stays_small_whatever_is_tried() {
        let seen = Seen::default();
        for number in 0..(4 * PARTS * PART_MAX) as u64 {
            seen.saw(number, 1);
        }
        let held: usize = seen.parts.iter().map(|part| part.read().len()).sum();
        assert!(held <= PARTS * PART_MAX, "{held}");
    }
}
