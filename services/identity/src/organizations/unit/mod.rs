//! Organizational units: folders for accounts, five levels deep, that policies are attached to.
//!
//! Invariant: a unit's row and the row that its parent finds it by change together; no two children of a parent share a name.

use std::sync::Arc;

use pipeline::{Look, Result};
use serde::{Deserialize, Serialize};
use store::Table;

use crate::iam::tag::Tags;

/// An organizational unit.
#[derive(Clone, Serialize, Deserialize)]
pub struct Unit {
    /// Twelve digits.
    pub management: String,
    /// `o-…`
    pub organization: String,
    /// `ou-`, the root's letters, `-`, and 8 to 32 lower-case letters and digits.
    pub id: String,
    pub name: String,
    /// The root or another unit.
    pub parent: String,
    pub tags: Tags,
}

store::record!(Unit, 1);

/// By management account and id.
pub static UNITS: Table<(String, String), Unit> = Table::new(0x0132, "organizations.units");

impl Unit {
    /// `arn:aws:organizations::MANAGEMENT:ou/o-…/ou-…`
    pub fn arn(&self) -> String {
        format!(
            "arn:aws:organizations::{}:ou/{}/{}",
            self.management, self.organization, self.id
        )
    }
}

/// The unit of an id in the organization that an account manages.
///
/// # Errors
/// The store's.
pub fn unit(look: &mut Look<'_>, management: &str, id: &str) -> Result<Option<Arc<Unit>>> {
    look.get(&UNITS, &(management.to_owned(), id.to_owned()))
}
