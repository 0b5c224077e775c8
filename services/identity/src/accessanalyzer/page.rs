//! Pages of Access Analyzer's lists: `maxResults` (100 unless told) and `nextToken`.
//!
//! Invariant: a token is opaque, and only good for the list that it was made for.

use pipeline::{Look, Result};

use super::fault::invalid;

const PURPOSE: &str = "accessanalyzer.page";
const RESULTS_DEFAULT: usize = 100;

/// Cuts a page out of a list that is in its final order. `list` names the list and all that selects its items.
pub(super) fn cut<T>(
    look: &Look<'_>,
    list: &str,
    items: Vec<T>,
    token: Option<&str>,
    most: Option<i32>,
) -> Result<(Vec<T>, Option<String>)> {
    let list = format!("{}/{}/{list}", look.account(), look.region());
    let start = token.map_or(Ok(0), |token| {
        let start = look.open_place(PURPOSE, &list, token);
        start
            .and_then(|start| start.parse().ok())
            .ok_or_else(|| invalid("The nextToken is not valid."))
    })?;
    let limit = match most {
        None => RESULTS_DEFAULT,
        Some(most) => usize::try_from(most)
            .ok()
            .filter(|most| (1..=1000).contains(most))
            .ok_or_else(|| invalid("maxResults must be between 1 and 1000."))?,
    };
    let all = items.len();
    let page: Vec<T> = items.into_iter().skip(start).take(limit).collect();
    let end = start.saturating_add(page.len());
    let next = (end < all && !page.is_empty()).then(|| look.issue_place(PURPOSE, &list, &end.to_string()));
    Ok((page, next.transpose()?))
}
