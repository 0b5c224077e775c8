//! Pages of EC2's lists: `MaxResults` and `NextToken`.
//!
//! Source: Amazon EC2 API Reference, "Pagination".
//!
//! Invariant: a token is opaque, and only good for the list, account and region that it was made for.

use api::ec2 as model;
use pipeline::{Look, Result};
use wire::Fault;

use super::fault::{self, combination, invalid};
use super::filter::Filters;

const PURPOSE: &str = "ec2.page";
/// Items on a page at most, whatever is asked.
const ITEMS_MAX: usize = 1000;

/// What requests for lists have in common, read and checked: filters, a size and a token.
pub(super) struct Listing {
    /// The operation.
    list: &'static str,
    pub(super) filters: Filters,
    size: Option<i32>,
    /// The least size that may be asked for.
    size_min: i32,
    token: Option<String>,
}

/// How a list's operation names the ids that it is asked for, and the size of a page that goes with none, in its refusal.
pub(super) type Names = (&'static str, &'static str);

/// Those of lists of instances.
pub(super) const INSTANCES: Names = ("instancesSet", "maxResults");

impl Listing {
    /// Of a list that comes in pages.
    pub(super) fn read(
        list: &'static str,
        dry_run: Option<bool>,
        filters: Option<Vec<model::Filter>>,
        (size, token): (Option<i32>, Option<String>),
    ) -> Result<Self> {
        fault::dry_run(dry_run)?;
        Ok(Self {
            list,
            filters: Filters::read(filters)?,
            size,
            size_min: 5,
            token: token.filter(|token| !token.is_empty()),
        })
    }

    /// Of a list that comes whole.
    pub(super) fn whole(dry_run: Option<bool>, filters: Option<Vec<model::Filter>>) -> Result<Filters> {
        fault::dry_run(dry_run)?;
        Filters::read(filters)
    }

    /// Lets pages be smaller than most lists' are.
    pub(super) const fn down_to_one(mut self) -> Self {
        self.size_min = 1;
        self
    }

    /// Refuses ids together with the size of a page: what is named comes whole.
    pub(super) fn without<T>(self, ids: &[T], (named, size): Names) -> Result<Self> {
        if !ids.is_empty() && self.size.is_some() {
            return Err(combination(format!(
                "The parameter {named} cannot be used with the parameter {size}"
            )));
        }
        Ok(self)
    }

    /// A page of items, each with its place, in the order of their places; and the token of the next.
    pub(super) fn page<T>(
        &self,
        look: &Look<'_>,
        mut items: Vec<(String, T)>,
    ) -> Result<(Vec<T>, Option<String>)> {
        items.sort_by(|left, right| left.0.cmp(&right.0));
        self.take(look, items.into_iter())
    }

    fn take<T>(
        &self,
        look: &Look<'_>,
        items: impl Iterator<Item = (String, T)>,
    ) -> Result<(Vec<T>, Option<String>)> {
        let limit = match self.size {
            None => ITEMS_MAX,
            Some(size) if size < self.size_min => {
                return Err(invalid(format!(
                    "Value ( {size} ) for parameter maxResults is invalid. Expecting a value greater than or equal to {}.",
                    self.size_min
                )));
            }
            Some(size) => usize::try_from(size).unwrap_or(ITEMS_MAX).min(ITEMS_MAX),
        };
        let after = match &self.token {
            None => None,
            Some(token) => Some(place(look, self.list, token)?),
        };
        let list = (PURPOSE, &*bound(look, self.list));
        look.take_page(list, (after.as_deref(), limit), items)
    }
}

fn bound(look: &Look<'_>, list: &str) -> String {
    format!("{list}\n{}\n{}", look.account(), look.region())
}

fn place(look: &Look<'_>, list: &str, token: &str) -> Result<String> {
    let place = look.open_place(PURPOSE, &bound(look, list), token);
    place.ok_or_else(|| {
        Fault::plain(
            "InvalidPaginationToken",
            400,
            "The token specified for pagination was invalid.",
        )
    })
}
