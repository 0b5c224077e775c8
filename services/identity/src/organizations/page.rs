//! Pages of Organizations' lists: `MaxResults` (20 unless told), `NextToken`.
//!
//! Invariant: a token is opaque, and only good for the list and account that it was made for.

use pipeline::{Look, Result};

use super::refusal;

const ITEMS_DEFAULT: usize = 20;
const PURPOSE: &str = "organizations.page";

/// Where a page begins and how long it may be.
pub(crate) struct Page {
    list: String,
    pub(crate) after: Option<String>,
    pub(crate) limit: usize,
}

impl Page {
    /// Reads the paging members of a request. `list` tells lists apart: the operation, and whose list it is.
    pub(crate) fn read(
        look: &Look<'_>,
        list: &str,
        token: Option<&str>,
        max_results: Option<i32>,
    ) -> Result<Self> {
        let list = format!("{}/{list}", look.account());
        let after = match token {
            None => None,
            Some(token) => {
                let name = look.open_place(PURPOSE, &list, token);
                Some(name.ok_or_else(|| refusal::invalid("INVALID_NEXT_TOKEN", "Invalid pagination token."))?)
            }
        };
        let limit = max_results
            .and_then(|items| usize::try_from(items).ok())
            .unwrap_or(ITEMS_DEFAULT)
            .max(1);
        Ok(Self { list, after, limit })
    }

    /// Rows to read so that it shows whether a next page follows.
    pub(crate) const fn reach(&self) -> usize {
        self.limit.saturating_add(1)
    }

    /// The page out of items in the order of their names, and the token of the next.
    pub(crate) fn close<T>(
        &self,
        look: &Look<'_>,
        sorted: impl IntoIterator<Item = (String, T)>,
    ) -> Result<(Vec<T>, Option<String>)> {
        let mut items = Vec::new();
        let mut last = None;
        let behind = |name: &String| self.after.as_ref().is_none_or(|after| name > after);
        for (name, item) in sorted.into_iter().filter(|(name, _)| behind(name)) {
            if items.len() == self.limit {
                let next = last.map(|name: String| look.issue_place(PURPOSE, &self.list, &name));
                return Ok((items, next.transpose()?));
            }
            items.push(item);
            last = Some(name);
        }
        Ok((items, None))
    }
}
