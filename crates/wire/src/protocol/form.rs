//! Parameters of the query protocols as a tree, without building one.
//!
//! Invariant: pairs are sorted by their dotted segments, so that everything below a name is one contiguous run, and
//! walking all runs costs time in proportion to the bytes of the names.

use std::cmp::Ordering;

use crate::Fault;

use super::{Parts, malformed, percent};

/// More parameters than any AWS client sends.
const PARAMETERS_MAX: usize = 50_000;

/// All parameters of a request, sorted by segments.
pub(super) struct Form {
    pairs: Vec<(String, String)>,
}

/// The parameters below one name. `at` is where the next segment starts in each key.
#[derive(Clone, Copy, Default)]
pub(super) struct Run<'f> {
    pairs: &'f [(String, String)],
    at: usize,
}

/// One name within a run.
pub(super) struct Group<'f> {
    pub(super) name: &'f str,
    /// The value of the name itself.
    pub(super) value: Option<&'f str>,
    /// What lies below the name.
    pub(super) below: Run<'f>,
}

impl Form {
    /// Reads the URL's parameters, then the body's.
    pub(super) fn read(parts: &Parts<'_>) -> Result<Self, Fault> {
        let body = std::str::from_utf8(parts.body).map_err(|_| malformed("The request body is not UTF-8"))?;
        let separators = parts
            .query
            .bytes()
            .chain(parts.body.iter().copied())
            .filter(|byte| *byte == b'&')
            .count();
        if separators > PARAMETERS_MAX {
            return Err(malformed("The request has too many parameters"));
        }
        let mut pairs = Vec::with_capacity(separators.saturating_add(2));
        percent::pairs(parts.query, &mut pairs)?;
        // Some clients end the form with a line break, which is no part of the last value.
        percent::pairs(body.trim_end_matches(['\r', '\n']), &mut pairs)?;
        pairs.sort_by(|(left, _), (right, _)| by_segments(left, right));
        Ok(Self { pairs })
    }

    pub(super) fn run(&self) -> Run<'_> {
        Run {
            pairs: &self.pairs,
            at: 0,
        }
    }
}

/// Orders the dot below every other byte, which is the order of the lists of segments.
fn by_segments(left: &str, right: &str) -> Ordering {
    let rank = |byte: u8| if byte == b'.' { 0 } else { u16::from(byte) + 1 };
    left.bytes().map(rank).cmp(right.bytes().map(rank))
}

impl Run<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }
}

impl<'f> Iterator for Run<'f> {
    type Item = Group<'f>;

    fn next(&mut self) -> Option<Group<'f>> {
        let at = self.at;
        let rest = |key: &'f str| key.get(at..).unwrap_or_default();
        let (first, _) = self.pairs.first()?;
        let name = rest(first).split('.').next().unwrap_or_default();
        let same = self
            .pairs
            .iter()
            .take_while(|(key, _)| rest(key).split('.').next() == Some(name))
            .count();
        let (group, remaining) = self.pairs.split_at_checked(same)?;
        self.pairs = remaining;
        let own = group
            .iter()
            .take_while(|(key, _)| rest(key).len() == name.len())
            .count();
        let (own, below) = group.split_at_checked(own)?;
        let value = own.first().map(|(_, value)| value.as_str());
        Some(Group {
            name,
            value,
            below: Run {
                pairs: below,
                at: at + name.len() + 1,
            },
        })
    }
}
