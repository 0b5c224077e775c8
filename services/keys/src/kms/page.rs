//! Pages of KMS's lists: `Limit`, `Marker`, `Truncated`, `NextMarker`.
//!
//! Invariant: a marker is opaque, and only good for the list, account and region that it was made for.

use api::kms::fault::invalid_marker_exception;
use pipeline::{Look, Result};

const PURPOSE: &str = "kms.page";

/// Where a page begins and how long it may be.
pub(crate) struct Page {
    list: String,
    /// The name of the last item of the page before.
    pub(crate) after: Option<String>,
    pub(crate) limit: usize,
}

/// One page of a list.
pub(crate) struct Paged<T> {
    pub(crate) items: Vec<T>,
    /// `NextMarker`, unless this is the last page.
    pub(crate) next: Option<String>,
}

impl Page {
    /// Reads the paging members of a request. `list` tells lists apart; `sizes` are the size unless told, and the greatest.
    pub(crate) fn read(
        look: &Look<'_>,
        list: &str,
        marker: Option<&str>,
        limit: Option<i32>,
        sizes: (usize, usize),
    ) -> Result<Self> {
        let list = format!("{list}\n{}\n{}", look.account(), look.region());
        let after = match marker {
            None => None,
            Some(marker) => {
                let name = look.open_place(PURPOSE, &list, marker);
                Some(name.ok_or_else(|| invalid_marker_exception("Marker is invalid."))?)
            }
        };
        let (usual, most) = sizes;
        let limit = limit
            .and_then(|limit| usize::try_from(limit).ok())
            .unwrap_or(usual)
            .clamp(1, most);
        Ok(Self { list, after, limit })
    }

    /// Closes a page over items that come behind `after` in the order of their names. It looks at one item more than fits.
    pub(crate) fn close<T>(
        self,
        look: &Look<'_>,
        items: impl Iterator<Item = (String, T)>,
    ) -> Result<Paged<T>> {
        let mut kept = Vec::new();
        let mut last: Option<String> = None;
        for (name, item) in items {
            if kept.len() == self.limit {
                let last = last.unwrap_or_default();
                return Ok(Paged {
                    items: kept,
                    next: Some(look.issue_place(PURPOSE, &self.list, &last)?),
                });
            }
            kept.push(item);
            last = Some(name);
        }
        Ok(Paged {
            items: kept,
            next: None,
        })
    }

    /// Whether an item of a list in memory comes on this page or a later one.
    pub(crate) fn reaches(&self, name: &str) -> bool {
        self.after.as_deref().is_none_or(|after| name > after)
    }
}
