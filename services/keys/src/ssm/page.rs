//! Pages of Parameter Store's lists: `MaxResults`, `NextToken`.
//!
//! Invariant: a token is opaque, and only good for the list, account and region that it was made for.

use api::ssm::fault::invalid_next_token;
use pipeline::{Look, Result};

const PURPOSE: &str = "ssm.page";

/// Where a page begins and how long it may be.
pub(crate) struct Page {
    list: String,
    /// The key of the last item of the page before.
    pub(crate) after: Option<String>,
    pub(crate) limit: usize,
}

impl Page {
    /// Reads the paging members of a request. `list` tells lists apart; `usual` is the size unless told.
    pub(crate) fn read(
        look: &Look<'_>,
        list: &str,
        token: Option<&str>,
        limit: Option<i32>,
        usual: usize,
    ) -> Result<Self> {
        let list = format!("{list}\n{}\n{}\n", look.account(), look.region());
        let after = match token {
            None => None,
            Some(token) => {
                let payload = look.open_token(PURPOSE, token);
                let text = payload.as_ref().and_then(|payload| payload.expose_text().ok());
                let after = text.and_then(|text| text.strip_prefix(&list));
                let after = after.ok_or_else(|| invalid_next_token("The specified token isn't valid."))?;
                Some(after.to_owned())
            }
        };
        let limit = limit.and_then(|limit| usize::try_from(limit).ok());
        Ok(Self {
            list,
            after,
            limit: limit.unwrap_or(usual).max(1),
        })
    }

    /// The token of the page behind the item with this key.
    pub(crate) fn next(&self, look: &Look<'_>, last: &str) -> Result<String> {
        look.issue_token(PURPOSE, format!("{}{last}", self.list).as_bytes())
    }
}
