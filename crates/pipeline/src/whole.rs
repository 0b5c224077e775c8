//! What lists share: all rows of a prefix, and the places in lists that clients come back to.
//!
//! Invariant: a place is opaque, and only good for the purpose and the list that it was issued for.

use std::sync::Arc;

use store::{Key, Prefix, Record, Table};

use crate::call::Look;
use crate::operation::Result;

/// Rows read in one step.
const STRIDE: usize = 512;

impl Look<'_> {
    /// Every row below a prefix, in order: for sets that a quota keeps small, since all of it is held at once.
    ///
    /// # Errors
    /// The store's, as a fault.
    pub fn every<K: Key, V: Record>(
        &mut self,
        table: &Table<K, V>,
        prefix: &impl Prefix<K>,
    ) -> Result<Vec<(K, Arc<V>)>> {
        let mut all: Vec<(K, Arc<V>)> = Vec::new();
        loop {
            let after = all.last().map(|(key, _)| key.clone());
            let rows = self.range(table, prefix, after.as_ref(), STRIDE)?;
            let full = rows.len() == STRIDE;
            all.extend(rows);
            if !full {
                return Ok(all);
            }
        }
    }

    /// A token for the place behind which the next page of `list` begins. `list` says whose list it is, and all that selects its items.
    ///
    /// # Errors
    /// If the seal fails.
    pub fn issue_place(&self, purpose: &str, list: &str, place: &str) -> Result<String> {
        self.issue_token(purpose, format!("{list}\n{place}").as_bytes())
    }

    /// The place that `issue_place` wrote for the same purpose and list; `None` for any other text.
    pub fn open_place(&self, purpose: &str, list: &str, token: &str) -> Option<String> {
        let payload = self.open_token(purpose, token)?;
        let place = payload
            .expose_text()
            .ok()?
            .strip_prefix(list)?
            .strip_prefix('\n')?;
        Some(place.to_owned())
    }

    /// A page of items that are at hand, in the order of their places: what lies behind `after`, at most `limit`; and the token of the
    /// next page, for `open_place`.
    ///
    /// # Errors
    /// If the seal fails.
    pub fn take_page<T>(
        &self,
        (purpose, list): (&str, &str),
        (after, limit): (Option<&str>, usize),
        items: impl Iterator<Item = (String, T)>,
    ) -> Result<(Vec<T>, Option<String>)> {
        let mut items = items.filter(|(place, _)| after.is_none_or(|after| place.as_str() > after));
        let (mut taken, mut last) = (Vec::new(), None);
        for (place, item) in items.by_ref().take(limit) {
            taken.push(item);
            last = Some(place);
        }
        let next = match (last, items.next()) {
            (Some(place), Some(_)) => Some(self.issue_place(purpose, list, &place)?),
            _ => None,
        };
        Ok((taken, next))
    }
}
