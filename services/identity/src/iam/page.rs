//! Pages of IAM's lists: `MaxItems` (100 unless told), `Marker`, `IsTruncated`.
//!
//! Invariant: a marker is opaque, and only good for the list and account that it was made for.

use std::sync::Arc;

use pipeline::{Look, Result};
use store::{Record, Table};
use wire::Fault;

const PURPOSE: &str = "iam.page";
const ITEMS_DEFAULT: usize = 100;
/// Rows read at a time while a filter passes most of them over.
const STRIDE: usize = 256;

/// Where a page begins and how long it may be.
pub(crate) struct Page {
    list: String,
    after: Option<String>,
    limit: usize,
}

/// One page of a list, and the marker of the next if there is one.
pub(crate) struct Paged<T> {
    pub(crate) items: Vec<T>,
    pub(crate) marker: Option<String>,
}

impl<T> Paged<T> {
    /// `IsTruncated`
    pub(crate) const fn truncated(&self) -> Option<bool> {
        Some(self.marker.is_some())
    }
}

impl Page {
    /// Reads the paging members of a request. `list` tells lists apart: the operation, and whose list it is.
    pub(crate) fn read(
        look: &Look<'_>,
        list: &str,
        marker: Option<&str>,
        max_items: Option<i32>,
    ) -> Result<Self> {
        let list = format!("iam.page/{}/{list}", look.account());
        let after = match marker {
            None => None,
            Some(marker) => {
                // The purpose is one for all lists, so that the keys of tokens stay few.
                let name = look.open_place(PURPOSE, &list, marker);
                Some(name.ok_or_else(|| Fault::validation("Invalid Marker."))?)
            }
        };
        let limit = max_items
            .and_then(|items| usize::try_from(items).ok())
            .unwrap_or(ITEMS_DEFAULT)
            .max(1);
        Ok(Self { list, after, limit })
    }

    /// A page of the rows of the caller's account that `keep` keeps, in the order of their names.
    pub(crate) fn of_table<V: Record>(
        &self,
        look: &mut Look<'_>,
        table: &Table<(String, String), V>,
        keep: impl Fn(&V) -> bool,
    ) -> Result<Paged<Arc<V>>> {
        let account = look.account().to_owned();
        let mut after = self.after.as_ref().map(|name| (account.clone(), name.clone()));
        let mut items = Vec::new();
        let mut last = None;
        loop {
            let rows = look.range(table, &(account.as_str(),), after.as_ref(), STRIDE)?;
            let full = rows.len() == STRIDE;
            for (key, row) in rows {
                if keep(&row) {
                    if items.len() == self.limit {
                        return self.close(look, items, last);
                    }
                    items.push(row);
                    last = Some(key.1.clone());
                }
                after = Some(key);
            }
            if !full {
                return self.close(look, items, None);
            }
        }
    }

    /// A page of a short list that is already sorted by its first parts.
    pub(crate) fn of_sorted<T>(
        &self,
        look: &Look<'_>,
        sorted: impl IntoIterator<Item = (String, T)>,
    ) -> Result<Paged<T>> {
        let mut items = Vec::new();
        let mut last = None;
        let behind = |name: &String| self.after.as_ref().is_none_or(|after| name > after);
        for (name, item) in sorted.into_iter().filter(|(name, _)| behind(name)) {
            if items.len() == self.limit {
                return self.close(look, items, last);
            }
            items.push(item);
            last = Some(name);
        }
        self.close(look, items, None)
    }

    fn close<T>(&self, look: &Look<'_>, items: Vec<T>, last: Option<String>) -> Result<Paged<T>> {
        let marker = last.map(|name| look.issue_place(PURPOSE, &self.list, &name));
        Ok(Paged {
            items,
            marker: marker.transpose()?,
        })
    }
}

/// Whether a path begins as `PathPrefix` asks.
pub(crate) fn path_fits(path: &str, prefix: Option<&str>) -> bool {
    prefix.is_none_or(|prefix| path.starts_with(prefix))
}
