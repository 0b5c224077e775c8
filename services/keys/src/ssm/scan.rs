//! Walks over the parameters of an account and region in the order of their names, a page at a time.
//!
//! Invariant: one call looks at a bounded number of rows; a page that found little in them ends early, with a token.

use std::sync::Arc;

use pipeline::{Look, Result};

use crate::ssm::page::Page;
use crate::ssm::parameter::{PARAMETERS, Parameter};

/// Rows that one call looks at.
pub(crate) const ROWS_MAX: usize = 4096;
/// Rows that are read at once.
const ROWS: usize = 128;

/// What becomes of a row.
pub(crate) enum Step {
    Take,
    Pass,
    /// This one and all up to a text, which bears no name, are passed over.
    PassUntil(String),
}

/// The parameters whose names begin with `prefix` and that `choose` takes; and the token of the next page.
pub(crate) fn scan(
    look: &mut Look<'_>,
    prefix: &str,
    page: &Page,
    choose: impl Fn(&Parameter) -> Step,
) -> Result<(Vec<Arc<Parameter>>, Option<String>)> {
    let (account, region) = (look.account().to_owned(), look.region().to_owned());
    let mut place = page
        .after
        .clone()
        .or_else(|| Some(prefix.to_owned()).filter(|prefix| !prefix.is_empty()));
    let (mut taken, mut looked): (Vec<Arc<Parameter>>, usize) = (Vec::new(), 0);
    'rows: loop {
        let after = place.clone().map(|name| (account.clone(), region.clone(), name));
        let rows = look.range(
            &PARAMETERS,
            &(account.as_str(), region.as_str()),
            after.as_ref(),
            ROWS,
        )?;
        let last = rows.len() < ROWS;
        for ((_, _, name), parameter) in rows {
            if !name.starts_with(prefix) {
                return Ok((taken, None));
            }
            let step = choose(&parameter);
            let take = matches!(step, Step::Take);
            let full = taken.len() == page.limit;
            if (take && full) || looked == ROWS_MAX {
                let token = page.next(look, place.as_deref().unwrap_or_default())?;
                return Ok((taken, Some(token)));
            }
            looked += 1;
            if take {
                taken.push(parameter);
            }
            match step {
                Step::PassUntil(text) => {
                    place = Some(text);
                    continue 'rows;
                }
                Step::Take | Step::Pass => place = Some(name),
            }
        }
        if last {
            return Ok((taken, None));
        }
    }
}
