//! The answers of short range reads, so that a hot listing (the policies of a principal) costs no engine work. Nothing is
//! removed when a row changes: an answer is good at a snapshot if no commit since it was read wrote into the range that it saw.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::cache::Value;
use crate::engine::Direction;
use crate::{Row, Version};

/// Longer answers are listings that someone pages through once.
const ROWS_MAX: usize = 64;
/// The weight of one generation; there are two.
const WEIGHT_MAX: usize = 1 << 20;

/// Up to `limit` keys in `[from, to)` in one direction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Span {
    pub(crate) from: Vec<u8>,
    pub(crate) to: Vec<u8>,
    pub(crate) direction: Direction,
    pub(crate) limit: usize,
}

impl Span {
    /// The part of the span that these rows show: all of it, or up to the last row when the limit cut it off.
    pub(crate) fn seen(&self, rows: &[Row]) -> (Vec<u8>, Vec<u8>) {
        let last = rows
            .last()
            .filter(|_| rows.len() >= self.limit)
            .map(|(key, _)| key.clone());
        match (last, self.direction) {
            (None, _) => (self.from.clone(), self.to.clone()),
            (Some(mut last), Direction::Forward) => {
                last.push(0);
                (self.from.clone(), last)
            }
            (Some(last), Direction::Reverse) => (last, self.to.clone()),
        }
    }
}

/// What a range read found, in its direction.
pub(crate) struct Found {
    pub(crate) rows: Vec<(Vec<u8>, Value)>,
    /// The keys `[from, to)` that it looked at.
    pub(crate) seen: (Vec<u8>, Vec<u8>),
}

impl Found {
    /// What the answer takes beside the records, which the record cache mostly shares.
    fn weight(&self) -> usize {
        400 + self.rows.iter().map(|(key, _)| key.len() + 200).sum::<usize>()
    }
}

struct Entry {
    found: Arc<Found>,
    as_of: Version,
}

/// Answers in use move to the young generation; when that is full, the old one goes.
#[derive(Default)]
struct Generations {
    young: HashMap<Span, Entry>,
    old: HashMap<Span, Entry>,
    weight: usize,
}

impl Generations {
    fn insert(&mut self, span: Span, entry: Entry) {
        self.weight += entry.found.weight();
        if let Some(replaced) = self.young.insert(span, entry) {
            self.weight -= replaced.found.weight();
        }
        if self.weight > WEIGHT_MAX {
            self.old = mem::take(&mut self.young);
            self.weight = 0;
        }
    }
}

/// The range answers of one store.
#[derive(Default)]
pub(crate) struct Ranges {
    generations: Mutex<Generations>,
}

impl Ranges {
    /// An answer that was read at or before `snapshot`, and when. The caller checks that its range was not written since.
    pub(crate) fn get(&self, span: &Span, snapshot: Version) -> Option<(Arc<Found>, Version)> {
        let mut generations = self.generations.lock();
        if let Some((span, entry)) = generations.old.remove_entry(span)
            && !generations.young.contains_key(&span)
        {
            generations.insert(span, entry);
        }
        let entry = generations
            .young
            .get(span)
            .or_else(|| generations.old.get(span))?;
        (entry.as_of <= snapshot).then(|| (Arc::clone(&entry.found), entry.as_of))
    }

    /// Notes that an answer was still good at `snapshot`.
    pub(crate) fn confirm(&self, span: &Span, found: &Arc<Found>, snapshot: Version) {
        if let Some(entry) = self.generations.lock().young.get_mut(span)
            && Arc::ptr_eq(&entry.found, found)
        {
            entry.as_of = entry.as_of.max(snapshot);
        }
    }

    /// Keeps what was read at `snapshot`, unless a newer answer is there.
    pub(crate) fn install(&self, span: Span, found: Arc<Found>, snapshot: Version) {
        if found.rows.len() > ROWS_MAX {
            return;
        }
        let mut generations = self.generations.lock();
        if generations
            .young
            .get(&span)
            .is_none_or(|entry| entry.as_of <= snapshot)
        {
            generations.insert(
                span,
                Entry {
                    found,
                    as_of: snapshot,
                },
            );
        }
    }

    pub(crate) fn clear(&self) {
        *self.generations.lock() = Generations::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(number: u32) -> Span {
        Span {
            from: number.to_be_bytes().to_vec(),
            to: vec![0xff],
            direction: Direction::Forward,
            limit: 9,
        }
    }

    fn found() -> Arc<Found> {
        Arc::new(Found {
            rows: vec![],
            seen: (vec![], vec![]),
        })
    }

    #[test]
    fn used_answers_outlive_the_bound_and_others_go() {
        let ranges = Ranges::default();
        ranges.install(span(0), found(), 1);
        for number in 1..20_000 {
            ranges.install(span(number), found(), 1);
            assert!(ranges.get(&span(0), 1).is_some());
        }
        assert!(ranges.get(&span(1), 1).is_none());
        let generations = ranges.generations.lock();
        assert!(generations.weight <= WEIGHT_MAX);
        assert!((generations.young.len() + generations.old.len()) * 400 <= 2 * WEIGHT_MAX + 400);
    }

    #[test]
    fn older_snapshots_do_not_see_newer_answers() {
        let ranges = Ranges::default();
        let newer = found();
        ranges.install(span(0), Arc::clone(&newer), 5);
        assert!(ranges.get(&span(0), 4).is_none());
        ranges.install(span(0), found(), 4);
        ranges.confirm(&span(0), &found(), 9);
        assert_eq!(ranges.get(&span(0), 9).unwrap().1, 5);
        ranges.confirm(&span(0), &newer, 9);
        assert_eq!(ranges.get(&span(0), 9).unwrap().1, 9);
        ranges.clear();
        assert!(ranges.get(&span(0), 9).is_none());
    }
}
