//! An organizational unit gets another name, or goes.

use api::organizations as model;
use api::organizations::fault::organizational_unit_not_empty_exception;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use wire::typed::Empty;

use super::super::membership::{CHILDREN, ChildKind, child_key};
use super::super::organization::{ORGANIZATIONS, Organization};
use super::super::policy;
use super::super::reach::{self, Reached, Who};
use super::{UNITS, Unit, expect_free};

/// Renames an organizational unit; its id, children and policies stay.
pub struct UpdateOrganizationalUnit;

impl Operation for UpdateOrganizationalUnit {
    type Input = model::UpdateOrganizationalUnitRequest;
    type Output = model::UpdateOrganizationalUnitResponse;
    type Target = Reached;
    const ACCESS: Access = Access::write("organizations:UpdateOrganizationalUnit");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Reached>> {
        reach::organizational_unit(look, Who::Management, &input.organizational_unit_id)
    }

    fn handle(call: &mut Call<'_>, reached: Authorized<Reached>, input: Self::Input) -> Result<Self::Output> {
        let mut unit = (*reached.unit_row()?).clone();
        if let Some(name) = input.name {
            expect_free(call, &unit.management, &unit.parent, &name, &unit.id)?;
            unit = Unit { name, ..unit };
            call.put(&UNITS, &(unit.management.clone(), unit.id.clone()), unit.clone())?;
        }
        Ok(model::UpdateOrganizationalUnitResponse {
            organizational_unit: Some(unit.shown(call)?),
        })
    }
}

/// Deletes an organizational unit that has neither accounts nor units in it.
pub struct DeleteOrganizationalUnit;

impl Operation for DeleteOrganizationalUnit {
    type Input = model::DeleteOrganizationalUnitRequest;
    type Output = Empty;
    type Target = Reached;
    const ACCESS: Access = Access::write("organizations:DeleteOrganizationalUnit");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Reached>> {
        reach::organizational_unit(look, Who::Management, &input.organizational_unit_id)
    }

    fn handle(call: &mut Call<'_>, reached: Authorized<Reached>, _input: Self::Input) -> Result<Empty> {
        let unit = reached.unit_row()?;
        let organization = reached.organization();
        let below = (unit.management.as_str(), unit.id.as_str());
        if !call.range(&CHILDREN, &below, None, 1)?.is_empty() {
            return Err(organizational_unit_not_empty_exception(
                "The specified organizational unit is not empty. Move all accounts to another root or to other OUs, remove all child OUs, and try the operation again.",
            ));
        }
        let child = child_key(&unit.management, &unit.parent, ChildKind::Unit, &unit.id);
        call.delete(&CHILDREN, &child)?;
        policy::forget_target(call, &unit.management, &unit.id)?;
        call.delete(&UNITS, &(unit.management.clone(), unit.id.clone()))?;
        call.put(
            &ORGANIZATIONS,
            &organization.management,
            Organization {
                units: organization.units.saturating_sub(1),
                ..(**organization).clone()
            },
        )?;
        Ok(Empty)
    }
}
