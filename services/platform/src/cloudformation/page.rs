//! Pages of CloudFormation's lists: `NextToken`.
//!
//! Invariant: a token is opaque, and only good for the list, account and region that it was made for.

use pipeline::{Look, Result};

use super::fault::invalid;

const PURPOSE: &str = "cloudformation.page";
/// Items on a page.
pub(crate) const ITEMS: usize = 100;

fn bound(look: &Look<'_>, list: &str) -> String {
    format!("{list}\n{}\n{}", look.account(), look.region())
}

/// The place behind which a page begins.
pub(crate) fn after(look: &Look<'_>, list: &str, token: Option<&str>) -> Result<Option<String>> {
    let Some(token) = token else {
        return Ok(None);
    };
    let place = look.open_place(PURPOSE, &bound(look, list), token);
    place.ok_or_else(|| invalid("Token is invalid")).map(Some)
}

/// The token of the page behind `place`.
pub(crate) fn token(look: &Look<'_>, list: &str, place: &str) -> Result<String> {
    look.issue_place(PURPOSE, &bound(look, list), place)
}

/// Takes a page out of items that are at hand, in the order of their places.
pub(crate) fn take<T>(
    look: &Look<'_>,
    list: &str,
    after: Option<String>,
    items: impl Iterator<Item = (String, T)>,
) -> Result<(Vec<T>, Option<String>)> {
    look.take_page((PURPOSE, &bound(look, list)), (after.as_deref(), ITEMS), items)
}
