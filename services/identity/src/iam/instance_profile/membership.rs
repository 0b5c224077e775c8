//! The role that an instance profile holds. Who puts one in hands it to every machine with the profile, hence `iam:PassRole`.

use api::iam as model;
use api::iam::fault::{limit_exceeded_exception, no_such_entity_exception};
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use wire::typed::Empty;

use super::{INSTANCE_PROFILES, InstanceProfile, named};
use crate::iam::page::Page;
use crate::iam::role::{self, ROLES, Role};

const PASS_ROLE: Access = Access::write("iam:PassRole");

/// Puts a role into an instance profile.
pub struct AddRoleToInstanceProfile;

impl Operation for AddRoleToInstanceProfile {
    type Input = model::AddRoleToInstanceProfileRequest;
    type Output = Empty;
    type Target = InstanceProfile;
    const ACCESS: Access = Access::write("iam:AddRoleToInstanceProfile");
    /// Of the passing of the role.
    const CONDITIONS: &'static [&'static str] = &["iam:PassedToService"];
    const ALSO: &'static [Access] = &[PASS_ROLE];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<InstanceProfile>> {
        named(look, &input.instance_profile_name)
    }

    fn handle(
        call: &mut Call<'_>,
        profile: Authorized<InstanceProfile>,
        input: Self::Input,
    ) -> Result<Empty> {
        let found = role::named(call, &input.role_name)?;
        let context = Context::new().with("iam:PassedToService", "ec2.amazonaws.com");
        let mut role = call.authorize(PASS_ROLE, found, context)?.into_inner();
        role.expect_unprotected()?;
        let mut profile = profile.into_inner();
        if profile.role.is_some() {
            let message = "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1";
            return Err(limit_exceeded_exception(message));
        }
        profile.role = Some(role.lower());
        role.profiles.push(profile.lower());
        call.put(&ROLES, &role.key(), role)?;
        call.put(&INSTANCE_PROFILES, &profile.key(), profile)?;
        Ok(Empty)
    }
}

/// Takes the role out of an instance profile.
pub struct RemoveRoleFromInstanceProfile;

impl Operation for RemoveRoleFromInstanceProfile {
    type Input = model::RemoveRoleFromInstanceProfileRequest;
    type Output = Empty;
    type Target = InstanceProfile;
    const ACCESS: Access = Access::write("iam:RemoveRoleFromInstanceProfile");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<InstanceProfile>> {
        named(look, &input.instance_profile_name)
    }

    fn handle(
        call: &mut Call<'_>,
        profile: Authorized<InstanceProfile>,
        input: Self::Input,
    ) -> Result<Empty> {
        let mut profile = profile.into_inner();
        let held =
            role::find(call, &input.role_name)?.filter(|role| profile.role.as_ref() == Some(&role.lower()));
        let Some(held) = held else {
            let (name, profile) = (input.role_name, profile.name);
            return Err(no_such_entity_exception(format!(
                "Role {name} cannot be found in instance profile {profile}."
            )));
        };
        held.expect_unprotected()?;
        let mut role = (*held).clone();
        role.profiles.retain(|name| *name != profile.lower());
        profile.role = None;
        call.put(&ROLES, &role.key(), role)?;
        call.put(&INSTANCE_PROFILES, &profile.key(), profile)?;
        Ok(Empty)
    }
}

/// Lists the instance profiles that hold a role.
pub struct ListInstanceProfilesForRole;

impl Operation for ListInstanceProfilesForRole {
    type Input = model::ListInstanceProfilesForRoleRequest;
    type Output = model::ListInstanceProfilesForRoleResponse;
    type Target = Role;
    const ACCESS: Access = Access::list("iam:ListInstanceProfilesForRole");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Role>> {
        role::named(look, &input.role_name)
    }

    fn handle(call: &mut Call<'_>, role: Authorized<Role>, input: Self::Input) -> Result<Self::Output> {
        let list = format!("ListInstanceProfilesForRole/{}", role.id);
        let page = Page::read(call, &list, input.marker.as_deref(), input.max_items)?;
        let mut names = role.into_inner().profiles;
        names.sort();
        let paged = page.of_sorted(call, names.into_iter().map(|name| (name.clone(), name)))?;
        let mut profiles = Vec::new();
        for name in &paged.items {
            if let Some(profile) = super::find(call, name)? {
                profiles.push(profile.shown(call)?);
            }
        }
        Ok(model::ListInstanceProfilesForRoleResponse {
            instance_profiles: profiles,
            is_truncated: paged.truncated(),
            marker: paged.marker,
        })
    }
}
