//! The beginning of an organizational unit.

use api::organizations as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource, Result};
use policy::Context;

use super::super::membership::{CHILDREN, ChildKind, DEPTH_MAX, child_key, path_to};
use super::super::organization::{ORGANIZATIONS, Organization};
use super::super::reach::{self, Reached, Subject, Who};
use super::super::tag::{self, TAG_RESOURCE};
use super::super::{id, refusal};
use super::{UNITS, UNITS_MAX, Unit, expect_free};
use crate::iam::index::Present;

/// Letters and digits behind the root's in the id of a unit.
const ID_LENGTH: usize = 8;

/// Makes an organizational unit below the root or another one.
pub struct CreateOrganizationalUnit;

impl Operation for CreateOrganizationalUnit {
    type Input = model::CreateOrganizationalUnitRequest;
    type Output = model::CreateOrganizationalUnitResponse;
    type Target = Reached;
    const ACCESS: Access = Access::write("organizations:CreateOrganizationalUnit");
    const CONDITIONS: &'static [&'static str] = &["aws:RequestTag/${TagKey}", "aws:TagKeys"];
    const ALSO: &'static [Access] = &[TAG_RESOURCE];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Reached>> {
        reach::parent(look, Who::Management, &input.parent_id, refusal::no_parent)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        tag::conditions(input.tags.as_ref(), context);
    }

    fn handle(call: &mut Call<'_>, reached: Authorized<Reached>, input: Self::Input) -> Result<Self::Output> {
        tag::ask(call, input.tags.as_ref(), &reached.arn(), reached.account())?;
        let organization = reached.organization();
        let parent = match &reached.subject {
            Subject::Unit(unit) => unit.id.clone(),
            _ => organization.root_id.clone(),
        };
        let management = organization.management.clone();
        expect_free(call, &management, &parent, &input.name, "")?;
        if usize::try_from(organization.units).is_ok_and(|units| units >= UNITS_MAX) {
            return Err(refusal::constraint(
                "OU_NUMBER_LIMIT_EXCEEDED",
                "You have exceeded the allowed number of organizational units.",
            ));
        }
        // The path begins with the root, which is no level.
        if path_to(call, &management, &parent)?.len() > DEPTH_MAX {
            return Err(refusal::constraint(
                "OU_DEPTH_LIMIT_EXCEEDED",
                "You have exceeded the allowed depth of organizational units.",
            ));
        }
        let letters = organization.root_id.trim_start_matches("r-");
        let unit = Unit {
            management: management.clone(),
            organization: organization.id.clone(),
            id: id::draw(call, &format!("ou-{letters}-"), ID_LENGTH)?,
            name: input.name,
            parent,
            tags: tag::read(input.tags)?,
        };
        call.put(
            &ORGANIZATIONS,
            &management,
            Organization {
                units: organization.units.saturating_add(1),
                ..(**organization).clone()
            },
        )?;
        let child = child_key(&management, &unit.parent, ChildKind::Unit, &unit.id);
        call.put(&CHILDREN, &child, Present)?;
        call.put(&UNITS, &(management, unit.id.clone()), unit.clone())?;
        Ok(model::CreateOrganizationalUnitResponse {
            organizational_unit: Some(unit.shown(call)?),
        })
    }
}
