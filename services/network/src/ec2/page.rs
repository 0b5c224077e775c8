//! Pages of EC2's lists: `MaxResults` and `NextToken`.
//!
//! Source: Amazon EC2 API Reference, "Pagination".
//!
//! Invariant: a token is opaque, and only good for the list, account and region that it was made for.

use pipeline::{Look, Result};
use wire::Fault;

use super::fault::{combination, invalid};

const PURPOSE: &str = "ec2.page";
/// Items on a page at most, whatever is asked.
const ITEMS_MAX: usize = 1000;

/// What a request asks of a list.
pub(super) struct Asked<'a> {
    /// The operation.
    pub(super) list: &'static str,
    pub(super) size: Option<i32>,
    /// The least size that may be asked for.
    pub(super) size_min: i32,
    pub(super) token: Option<&'a str>,
    /// Ids were given, so that pages make no sense.
    pub(super) by_id: bool,
}

fn bound(look: &Look<'_>, list: &str) -> String {
    format!("{list}\n{}\n{}\n", look.account(), look.region())
}

/// Takes a page out of items, each with its place, in the order of their places.
pub(super) fn take<T>(
    look: &Look<'_>,
    asked: &Asked<'_>,
    items: impl Iterator<Item = (String, T)>,
) -> Result<(Vec<T>, Option<String>)> {
    if asked.by_id && asked.size.is_some() {
        return Err(combination(
            "The parameter instancesSet cannot be used with the parameter maxResults",
        ));
    }
    let limit = match asked.size {
        None => ITEMS_MAX,
        Some(size) if size < asked.size_min => {
            return Err(invalid(format!(
                "Value ( {size} ) for parameter maxResults is invalid. Expecting a value greater than or equal to {}.",
                asked.size_min
            )));
        }
        Some(size) => usize::try_from(size).unwrap_or(ITEMS_MAX).min(ITEMS_MAX),
    };
    let after = match asked.token.filter(|token| !token.is_empty()) {
        None => None,
        Some(token) => Some(place(look, asked.list, token)?),
    };
    let mut items = items.filter(|(place, _)| after.as_ref().is_none_or(|after| place > after));
    let (mut taken, mut last) = (Vec::new(), None);
    for (place, item) in items.by_ref().take(limit) {
        taken.push(item);
        last = Some(place);
    }
    let next = match (last, items.next()) {
        (Some(place), Some(_)) => {
            let payload = format!("{}{place}", bound(look, asked.list));
            Some(look.issue_token(PURPOSE, payload.as_bytes())?)
        }
        _ => None,
    };
    Ok((taken, next))
}

fn place(look: &Look<'_>, list: &str, token: &str) -> Result<String> {
    let payload = look.open_token(PURPOSE, token);
    let text = payload.as_ref().and_then(|payload| payload.expose_text().ok());
    let place = text.and_then(|text| text.strip_prefix(&bound(look, list)));
    place.map(str::to_owned).ok_or_else(|| {
        Fault::plain(
            "InvalidPaginationToken",
            400,
            "The token specified for pagination was invalid.",
        )
    })
}
