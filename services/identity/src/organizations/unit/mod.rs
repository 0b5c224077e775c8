//! Organizational units: folders for accounts, five levels deep, that policies are attached to.
//!
//! Invariant: a unit's row and the row that its parent finds it by change together; no two children of a parent share a name.

mod create;
mod list;
mod update;

use std::sync::Arc;

use api::organizations as model;
use api::organizations::fault::duplicate_organizational_unit_exception;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use serde::{Deserialize, Serialize};
use store::Table;

use super::membership::{CHILDREN, ChildKind, path_text, path_to};
use super::reach::{self, Reached, Who};
use crate::iam::tag::Tags;

pub use create::CreateOrganizationalUnit;
pub(super) use list::ids_below;
pub use list::{ListChildren, ListOrganizationalUnitsForParent, ListParents};
pub use update::{DeleteOrganizationalUnit, UpdateOrganizationalUnit};

/// Organizational units in an organization (Organizations User Guide, "Quotas and service limits").
const UNITS_MAX: usize = 2000;

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

    /// As the API shows it.
    fn shown(&self, look: &mut Look<'_>) -> Result<model::OrganizationalUnit> {
        let path = path_to(look, &self.management, &self.id)?;
        Ok(model::OrganizationalUnit {
            arn: Some(self.arn()),
            id: Some(self.id.clone()),
            name: Some(self.name.clone()),
            path: Some(path_text(&self.organization, &path)),
        })
    }
}

/// The unit of an id in the organization that an account manages.
///
/// # Errors
/// The store's.
pub fn unit(look: &mut Look<'_>, management: &str, id: &str) -> Result<Option<Arc<Unit>>> {
    look.get(&UNITS, &(management, id))
}

/// The units directly below a parent.
fn units_below(look: &mut Look<'_>, management: &str, parent: &str) -> Result<Vec<Arc<Unit>>> {
    let prefix = (management, parent, ChildKind::Unit.name());
    let rows = look.range(&CHILDREN, &prefix, None, UNITS_MAX)?;
    let mut units = Vec::new();
    for ((_, _, _, id), _) in rows {
        units.extend(unit(look, management, &id)?);
    }
    Ok(units)
}

/// Refuses a name that another unit of the parent bears.
fn expect_free(look: &mut Look<'_>, management: &str, parent: &str, name: &str, but: &str) -> Result<()> {
    let siblings = units_below(look, management, parent)?;
    if siblings.iter().any(|unit| unit.name == name && unit.id != but) {
        return Err(duplicate_organizational_unit_exception(
            "An OU with the same name already exists.",
        ));
    }
    Ok(())
}

/// Shows an organizational unit.
pub struct DescribeOrganizationalUnit;

impl Operation for DescribeOrganizationalUnit {
    type Input = model::DescribeOrganizationalUnitRequest;
    type Output = model::DescribeOrganizationalUnitResponse;
    type Target = Reached;
    const ACCESS: Access = Access::read("organizations:DescribeOrganizationalUnit");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Reached>> {
        reach::organizational_unit(look, Who::Administrators, &input.organizational_unit_id)
    }

    fn handle(
        call: &mut Call<'_>,
        reached: Authorized<Reached>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        let unit = reached.unit_row()?;
        Ok(model::DescribeOrganizationalUnitResponse {
            organizational_unit: Some(unit.shown(call)?),
        })
    }
}
