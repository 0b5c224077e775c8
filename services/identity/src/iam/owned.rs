//! Credentials that lie below their user: rows by account, lower-case user (empty for root) and id.
//!
//! Invariant: what a user owns is found by the user's present name alone, so a renaming moves it.

use std::sync::Arc;

use api::iam::StatusType;
use pipeline::{Call, Look, Resource as _, Result};
use store::{Record, Table};
use wire::Fault;

use crate::iam::user::Holder;

/// Account, lower-case user, id.
pub(crate) type Place = (String, String, String);

/// More than any quota of one user lets there be.
const ROWS_MAX: usize = 1000;

/// Where a credential of a holder lies.
pub(crate) fn place(holder: &Holder, id: &str) -> Place {
    (holder.account().to_owned(), holder.lower(), id.to_owned())
}

/// All that a user has, or the root user if `lower` is empty, with their ids, in the order of these.
pub(crate) fn of_holder<V: Record>(
    look: &mut Look<'_>,
    table: &Table<Place, V>,
    account: &str,
    lower: &str,
) -> Result<Vec<(String, Arc<V>)>> {
    let rows = look.range(table, &(account, lower), None, ROWS_MAX)?;
    Ok(rows.into_iter().map(|((_, _, id), row)| (id, row)).collect())
}

/// Whether a user has any.
pub(crate) fn present<V: Record>(
    look: &mut Look<'_>,
    table: &Table<Place, V>,
    account: &str,
    lower: &str,
) -> Result<bool> {
    Ok(!look.range(table, &(account, lower), None, 1)?.is_empty())
}

/// Moves what a user has to the user's new name; `rename` writes the name into each.
pub(crate) fn follow<V: Record + Clone>(
    call: &mut Call<'_>,
    table: &Table<Place, V>,
    (account, old, new): (&str, &str, &str),
    rename: impl Fn(&mut V),
) -> Result<()> {
    for (id, row) in of_holder(call, table, account, old)? {
        let mut row = (*row).clone();
        rename(&mut row);
        call.delete(table, &(account.to_owned(), old.to_owned(), id.clone()))?;
        call.put(table, &(account.to_owned(), new.to_owned(), id), row)?;
    }
    Ok(())
}

/// Whether a status that a request asks for is the active one.
///
/// # Errors
/// `ValidationError` for `Expired`, which nobody sets.
pub(crate) fn activity(status: StatusType) -> Result<bool> {
    match status {
        StatusType::Active => Ok(true),
        StatusType::Inactive => Ok(false),
        StatusType::Expired => Err(Fault::validation(
            "Credentials cannot be set to the status Expired.",
        )),
    }
}

/// The status as answers show it.
pub(crate) const fn status(active: bool) -> StatusType {
    if active {
        StatusType::Active
    } else {
        StatusType::Inactive
    }
}
