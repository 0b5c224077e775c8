//! Where secrets stand in the orders in which they are listed, and the walk along one of them.
//!
//! Invariant: every secret has one place in each order, which moves in the transaction that changes the secret; a walk costs what
//! it looks at, whatever else the account holds.

use std::sync::Arc;

use api::secretsmanager as model;
use api::secretsmanager::fault::invalid_next_token_exception;
use pipeline::{Call, Look, Result};
use store::Table;

use super::page::Order;
use super::secret::{SECRETS, Secret};

const PURPOSE: &str = "secretsmanager.place";
/// Places read at once.
const STRETCH: usize = 100;
/// Secrets that one call looks at; the rest is for the next page, however few were accepted.
const LOOKED_AT_MAX: usize = 1_000;

/// A place; all that it says is in its key.
#[derive(Clone)]
pub struct Place;

impl store::Record for Place {
    const VERSION: u8 = 1;

    fn encode(&self, _out: &mut Vec<u8>) -> store::Result<()> {
        Ok(())
    }

    fn decode(_version: u8, _bytes: &[u8]) -> store::Result<Self> {
        Ok(Self)
    }
}

type Key = (String, String, u8, i64, String);

/// By account, region, order, moment and name.
pub static PLACES: Table<Key, Place> = Table::new(0x0262, "secretsmanager.places");

/// The orders by a moment, as keys number them, with the secret's moment.
const ORDERS: [(u8, fn(&Secret) -> i64); 3] = [
    (CREATED, |secret| secret.created),
    (ACCESSED, |secret| secret.accessed.unwrap_or_default()),
    (CHANGED, |secret| secret.changed),
];
const CREATED: u8 = 0;
const ACCESSED: u8 = 1;
const CHANGED: u8 = 2;

/// Moves a secret's places: `before` and `after` are its rows, if there was and will be one.
pub(crate) fn moved(call: &mut Call<'_>, before: Option<&Secret>, after: Option<&Secret>) -> Result<()> {
    for (order, moment) in ORDERS {
        let place = |secret: &Secret| {
            (
                secret.account.clone(),
                secret.region.clone(),
                order,
                moment(secret),
                secret.name.clone(),
            )
        };
        let (old, new) = (before.map(place), after.map(place));
        if old == new {
            continue;
        }
        if let Some(old) = old {
            call.delete(&PLACES, &old)?;
        }
        if let Some(new) = new {
            call.put(&PLACES, &new, Place)?;
        }
    }
    Ok(())
}

/// Which list is walked. `told` tells lists apart for their tokens.
pub(crate) struct Walk<'a> {
    pub(crate) told: String,
    pub(crate) by: model::SortByType,
    pub(crate) order: Order,
    pub(crate) token: Option<&'a str>,
    pub(crate) limit: usize,
}

impl Walk<'_> {
    /// The next secrets that `accept` takes, and the token behind the last one looked at, if there is more.
    pub(crate) fn take(
        &self,
        look: &mut Look<'_>,
        accept: impl Fn(&Secret) -> bool,
    ) -> Result<(Vec<Arc<Secret>>, Option<String>)> {
        let list = format!("{}\n{}\n{}\n", self.told, look.account(), look.region());
        let mut last = self.token.map(|token| open(look, &list, token)).transpose()?;
        let (mut taken, mut looked_at) = (Vec::new(), 0);
        loop {
            let stretch = STRETCH.min(self.limit - taken.len() + 1);
            let places = self.stretch(look, last.as_ref(), stretch)?;
            let ends = places.len() < stretch;
            for place in places {
                if taken.len() == self.limit || looked_at == LOOKED_AT_MAX {
                    let next = last.map(|last| issue(look, &list, &last)).transpose()?;
                    return Ok((taken, next));
                }
                looked_at += 1;
                let row = (look.account_shared(), look.region().to_owned());
                let secret = look.get(&SECRETS, &(&*row.0, row.1.as_str(), place.1.as_str()))?;
                taken.extend(secret.filter(|secret| accept(secret)));
                last = Some(place);
            }
            if ends {
                return Ok((taken, None));
            }
        }
    }

    /// Moments and names behind the last one.
    fn stretch(
        &self,
        look: &mut Look<'_>,
        last: Option<&(i64, String)>,
        limit: usize,
    ) -> Result<Vec<(i64, String)>> {
        let (account, region) = (look.account().to_owned(), look.region().to_owned());
        let order = match self.by {
            model::SortByType::CreatedDate => CREATED,
            model::SortByType::LastAccessedDate => ACCESSED,
            model::SortByType::LastChangedDate => CHANGED,
            model::SortByType::Name => {
                let prefix = (account.as_str(), region.as_str());
                let from = last.map(|(_, name)| (account.clone(), region.clone(), name.clone()));
                let rows = match self.order {
                    Order::Ascending => look.range(&SECRETS, &prefix, from.as_ref(), limit)?,
                    Order::Descending => look.range_rev(&SECRETS, &prefix, from.as_ref(), limit)?,
                };
                return Ok(rows.into_iter().map(|((.., name), _)| (0, name)).collect());
            }
        };
        let prefix = (account.as_str(), region.as_str(), order);
        let from = last.map(|(moment, name)| (account.clone(), region.clone(), order, *moment, name.clone()));
        let rows = match self.order {
            Order::Ascending => look.range(&PLACES, &prefix, from.as_ref(), limit)?,
            Order::Descending => look.range_rev(&PLACES, &prefix, from.as_ref(), limit)?,
        };
        Ok(rows
            .into_iter()
            .map(|((.., moment, name), _)| (moment, name))
            .collect())
    }
}

fn issue(look: &Look<'_>, list: &str, (moment, name): &(i64, String)) -> Result<String> {
    look.issue_token(PURPOSE, format!("{list}{moment} {name}").as_bytes())
}

fn open(look: &Look<'_>, list: &str, token: &str) -> Result<(i64, String)> {
    let payload = look.open_token(PURPOSE, token);
    let text = payload.as_ref().and_then(|payload| payload.expose_text().ok());
    let place = text
        .and_then(|text| text.strip_prefix(list))
        .and_then(|place| place.split_once(' '))
        .and_then(|(moment, name)| Some((moment.parse().ok()?, name.to_owned())));
    place.ok_or_else(|| invalid_next_token_exception("Invalid token"))
}
