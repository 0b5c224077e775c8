//! Pages of Secrets Manager's lists: `MaxResults` and `NextToken`.
//!
//! Invariant: a token is opaque, and only good for the list, account and region that it was made for.

use api::secretsmanager::fault::invalid_next_token_exception;
use pipeline::{Look, Result};

const PURPOSE: &str = "secretsmanager.page";

/// The order of a list by the places of its items.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Ascending,
    Descending,
}

/// Sorts a list that is at hand by the places of its items, which are unique, and takes one page out of it: the first, or the one
/// behind the place that the token holds.
pub(crate) fn take<T>(
    look: &Look<'_>,
    list: &str,
    (token, limit): (Option<&str>, usize),
    order: Order,
    mut items: Vec<(String, T)>,
) -> Result<(Vec<T>, Option<String>)> {
    let list = format!("{list}\n{}\n{}", look.account(), look.region());
    if let Some(token) = token {
        let last = look.open_place(PURPOSE, &list, token);
        let last = last.ok_or_else(|| invalid_next_token_exception("Invalid token"))?;
        items.retain(|(place, _)| match order {
            Order::Ascending => *place > last,
            Order::Descending => *place < last,
        });
    }
    items.sort_by(|(one, _), (two, _)| match order {
        Order::Ascending => one.cmp(two),
        Order::Descending => two.cmp(one),
    });
    let more = items.len() > limit;
    items.truncate(limit);
    let next = match items.last().filter(|_| more) {
        Some((place, _)) => Some(look.issue_place(PURPOSE, &list, place)?),
        None => None,
    };
    Ok((items.into_iter().map(|(_, item)| item).collect(), next))
}

/// The size of a page; `most` unless told.
pub(crate) fn size(asked: Option<i32>, most: usize) -> usize {
    asked
        .and_then(|asked| usize::try_from(asked).ok())
        .unwrap_or(most)
        .clamp(1, most)
}
