//! `AWS::IAM::Role` and `AWS::IAM::InstanceProfile`.
//!
//! Source: CloudFormation Template Reference, the pages of these types.
//!
//! Invariant: a role that is removed loses the policies that its template gave it first, and no others; one that has more stays.

use pipeline::Result;
use serde_json::{Map, Value, json};

use super::difference::{added, differs, gone, policy, same, texts};
use super::iam_identity::{ROLE, SERVICE};
use super::{Existing, Made, Property, ResourceType, Services, Wanted, answered, tag_list};

/// Bytes of a role's name.
const NAME_MAX: usize = 64;
/// Bytes of the name of an instance profile.
const PROFILE_NAME_MAX: usize = 128;

pub(crate) struct Role;

impl ResourceType for Role {
    described!(
        "AWS::IAM::Role",
        [
            Property::new("AssumeRolePolicyDocument").required(),
            Property::new("Description"),
            Property::new("ManagedPolicyArns"),
            Property::new("MaxSessionDuration"),
            Property::fixed("Path"),
            Property::new("PermissionsBoundary"),
            Property::new("Policies"),
            Property::fixed("RoleName"),
            Property::new("Tags"),
        ],
        ["Arn", "RoleId"]
    );

    fn create(&self, services: &mut Services<'_, '_>, wanted: &Wanted<'_>) -> Result<Made> {
        let name = wanted
            .text("RoleName")
            .unwrap_or_else(|| wanted.physical_name(NAME_MAX));
        let mut input = wanted.pick(&["Description", "MaxSessionDuration", "Path", "PermissionsBoundary"]);
        input.insert("AssumeRolePolicyDocument".to_owned(), trust(wanted)?.into());
        let tags = wanted.all_tags("Tags");
        if !tags.is_empty() {
            input.insert("Tags".to_owned(), tag_list(&tags));
        }
        let made = ROLE.ask(services, ("Create", ""), &name, Value::Object(input))?;
        ROLE.settle_policies(services, &name, &Map::new(), wanted.properties)?;
        Ok(Made::new(name)
            .with("Arn", answered(&made, "/Role/Arn")?)
            .with("RoleId", answered(&made, "/Role/RoleId")?))
    }

    fn update(
        &self,
        services: &mut Services<'_, '_>,
        existing: &Existing<'_>,
        wanted: &Wanted<'_>,
    ) -> Result<Made> {
        let name = existing.physical_id;
        if differs(existing, wanted, "AssumeRolePolicyDocument") {
            let input = ROLE.of(name, json!({ "PolicyDocument": trust(wanted)? }));
            services.invoke(SERVICE, "UpdateAssumeRolePolicy", input)?;
        }
        if differs(existing, wanted, "Description") || differs(existing, wanted, "MaxSessionDuration") {
            let seconds = wanted
                .text("MaxSessionDuration")
                .unwrap_or_else(|| "3600".to_owned());
            let text = wanted.text("Description").unwrap_or_default();
            let rest = json!({ "Description": text, "MaxSessionDuration": seconds });
            ROLE.ask(services, ("Update", ""), name, rest)?;
        }
        ROLE.settle_boundary(services, existing, wanted)?;
        ROLE.settle_policies(services, name, existing.properties, wanted.properties)?;
        ROLE.settle_tags(services, existing, wanted)?;
        Ok(same(existing))
    }

    fn delete(&self, services: &mut Services<'_, '_>, existing: &Existing<'_>) -> Result<()> {
        let name = existing.physical_id;
        ROLE.settle_policies(services, name, existing.properties, &Map::new())?;
        ROLE.ask(services, ("Delete", ""), name, json!({})).map(drop)
    }
}

fn trust(wanted: &Wanted<'_>) -> Result<String> {
    policy(
        wanted
            .property("AssumeRolePolicyDocument")
            .unwrap_or(&Value::Null),
    )
}

pub(crate) struct InstanceProfile;

impl ResourceType for InstanceProfile {
    described!(
        "AWS::IAM::InstanceProfile",
        [
            Property::fixed("InstanceProfileName"),
            Property::fixed("Path"),
            Property::new("Roles").required(),
        ],
        ["Arn"]
    );

    fn create(&self, services: &mut Services<'_, '_>, wanted: &Wanted<'_>) -> Result<Made> {
        let name = wanted
            .text("InstanceProfileName")
            .unwrap_or_else(|| wanted.physical_name(PROFILE_NAME_MAX));
        let mut input = wanted.pick(&["Path"]);
        input.insert("InstanceProfileName".to_owned(), name.clone().into());
        let made = services.invoke(SERVICE, "CreateInstanceProfile", Value::Object(input))?;
        roles(services, &name, &[], &texts(wanted.properties, "Roles"))?;
        Ok(Made::new(name).with("Arn", answered(&made, "/InstanceProfile/Arn")?))
    }

    fn update(
        &self,
        services: &mut Services<'_, '_>,
        existing: &Existing<'_>,
        wanted: &Wanted<'_>,
    ) -> Result<Made> {
        let (before, now) = (
            texts(existing.properties, "Roles"),
            texts(wanted.properties, "Roles"),
        );
        roles(services, existing.physical_id, &before, &now)?;
        Ok(same(existing))
    }

    fn delete(&self, services: &mut Services<'_, '_>, existing: &Existing<'_>) -> Result<()> {
        let name = existing.physical_id;
        roles(services, name, &texts(existing.properties, "Roles"), &[])?;
        let input = json!({ "InstanceProfileName": name });
        services.invoke(SERVICE, "DeleteInstanceProfile", input).map(drop)
    }
}

fn roles(services: &mut Services<'_, '_>, profile: &str, before: &[String], now: &[String]) -> Result<()> {
    let input = |role: &String| json!({ "InstanceProfileName": profile, "RoleName": role });
    for role in added(now, before) {
        gone(services.invoke(SERVICE, "RemoveRoleFromInstanceProfile", input(&role)))?;
    }
    for role in added(before, now) {
        services.invoke(SERVICE, "AddRoleToInstanceProfile", input(&role))?;
    }
    Ok(())
}
