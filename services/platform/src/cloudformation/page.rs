//! Pages of CloudFormation's lists: `NextToken`.
//!
//! Invariant: a token is opaque, and only good for the list, account and region that it was made for.

use pipeline::{Look, Result};

use super::fault::invalid;

const PURPOSE: &str = "cloudformation.page";
/// Items on a page.
pub(crate) const ITEMS: usize = 100;

fn bound(look: &Look<'_>, list: &str) -> String {
    format!("{list}\n{}\n{}\n", look.account(), look.region())
}

/// The place behind which a page begins.
pub(crate) fn after(look: &Look<'_>, list: &str, token: Option<&str>) -> Result<Option<String>> {
    let Some(token) = token else {
        return Ok(None);
    };
    let payload = look.open_token(PURPOSE, token);
    let text = payload.as_ref().and_then(|payload| payload.expose_text().ok());
    let place = text.and_then(|text| text.strip_prefix(&bound(look, list)));
    let place = place.ok_or_else(|| invalid("Token is invalid"))?;
    Ok(Some(place.to_owned()))
}

/// The token of the page behind `place`.
pub(crate) fn token(look: &Look<'_>, list: &str, place: &str) -> Result<String> {
    look.issue_token(PURPOSE, format!("{}{place}", bound(look, list)).as_bytes())
}

/// Takes a page out of items that are at hand, in the order of their places.
pub(crate) fn take<T>(
    look: &Look<'_>,
    list: &str,
    after: Option<String>,
    items: impl Iterator<Item = (String, T)>,
) -> Result<(Vec<T>, Option<String>)> {
    let mut items = items.filter(|(place, _)| after.as_ref().is_none_or(|after| place > after));
    let (mut taken, mut last) = (Vec::new(), None);
    for (place, item) in items.by_ref().take(ITEMS) {
        taken.push(item);
        last = Some(place);
    }
    let next = match (last, items.next()) {
        (Some(place), Some(_)) => Some(token(look, list, &place)?),
        _ => None,
    };
    Ok((taken, next))
}
