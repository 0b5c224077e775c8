//! Pages of Lambda's lists: `MaxItems` and `Marker`.
//!
//! Invariant: a marker is opaque, and only good for the list, account and region that it was made for.

use pipeline::{Look, Result};

use super::fault::invalid;

const PURPOSE: &str = "lambda.page";
/// Items on a page at most, whatever is asked (Lambda API Reference, `ListFunctions`: `MaxItems`).
pub(crate) const ITEMS_MAX: usize = 50;

fn bound(look: &Look<'_>, list: &str) -> String {
    format!("{list}\n{}\n{}", look.account(), look.region())
}

/// The place behind which a page begins.
pub(crate) fn after(look: &Look<'_>, list: &str, marker: Option<&str>) -> Result<Option<String>> {
    let Some(marker) = marker.filter(|marker| !marker.is_empty()) else {
        return Ok(None);
    };
    let place = look.open_place(PURPOSE, &bound(look, list), marker);
    let place = place.ok_or_else(|| invalid("Invalid Pagination Token"))?;
    Ok(Some(place))
}

/// The marker of the page behind `place`.
pub(crate) fn marker(look: &Look<'_>, list: &str, place: &str) -> Result<String> {
    look.issue_place(PURPOSE, &bound(look, list), place)
}

/// The size of a page.
pub(crate) fn size(asked: Option<i32>) -> usize {
    let asked = asked.and_then(|asked| usize::try_from(asked).ok());
    asked.unwrap_or(ITEMS_MAX).clamp(1, ITEMS_MAX)
}

/// Takes a page out of items that are at hand, in the order of their places.
pub(crate) fn take<T>(
    look: &Look<'_>,
    list: &str,
    (after, limit): (Option<String>, usize),
    items: impl Iterator<Item = (String, T)>,
) -> Result<(Vec<T>, Option<String>)> {
    look.take_page((PURPOSE, &bound(look, list)), (after.as_deref(), limit), items)
}
