//! What may change on a role: its description, the length of its sessions, whom it trusts.

use api::iam as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use wire::typed::Empty;

use super::{ROLES, Role, named, trust};

/// Changes the description and the greatest session length; what is not given stays.
pub struct UpdateRole;

impl Operation for UpdateRole {
    type Input = model::UpdateRoleRequest;
    type Output = model::UpdateRoleResponse;
    type Target = Role;
    const ACCESS: Access = Access::write("iam:UpdateRole");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Role>> {
        named(look, &input.role_name)
    }

    fn handle(call: &mut Call<'_>, role: Authorized<Role>, input: Self::Input) -> Result<Self::Output> {
        let mut role = role.into_inner();
        // Whoever owns the account may describe a service-linked role (IAM User Guide, "Edit a service-linked role description").
        if input.max_session_duration.is_some() {
            role.expect_unprotected()?;
        }
        if let Some(description) = input.description {
            role.description = Some(description).filter(|text| !text.is_empty());
        }
        if let Some(seconds) = input.max_session_duration {
            role.max_session_seconds = seconds;
        }
        call.put(&ROLES, &role.key(), role)?;
        Ok(model::UpdateRoleResponse {})
    }
}

/// Changes the description alone; the older form of `UpdateRole`.
pub struct UpdateRoleDescription;

impl Operation for UpdateRoleDescription {
    type Input = model::UpdateRoleDescriptionRequest;
    type Output = model::UpdateRoleDescriptionResponse;
    type Target = Role;
    const ACCESS: Access = Access::write("iam:UpdateRoleDescription");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Role>> {
        named(look, &input.role_name)
    }

    fn handle(call: &mut Call<'_>, role: Authorized<Role>, input: Self::Input) -> Result<Self::Output> {
        let mut role = role.into_inner();
        role.description = Some(input.description).filter(|text| !text.is_empty());
        let shown = role.shown(call)?;
        call.put(&ROLES, &role.key(), role)?;
        Ok(model::UpdateRoleDescriptionResponse { role: Some(shown) })
    }
}

/// Replaces the trust policy. Sessions that were made under the older one go on to their end.
pub struct UpdateAssumeRolePolicy;

impl Operation for UpdateAssumeRolePolicy {
    type Input = model::UpdateAssumeRolePolicyRequest;
    type Output = Empty;
    type Target = Role;
    const ACCESS: Access = Access::permissions("iam:UpdateAssumeRolePolicy");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Role>> {
        named(look, &input.role_name)
    }

    fn handle(call: &mut Call<'_>, role: Authorized<Role>, input: Self::Input) -> Result<Empty> {
        let mut role = role.into_inner();
        role.expect_unprotected()?;
        (role.trust, role.trusted) = trust::read(call, &input.policy_document)?;
        call.put(&ROLES, &role.key(), role)?;
        Ok(Empty)
    }
}
