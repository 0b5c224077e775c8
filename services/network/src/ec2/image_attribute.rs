//! Attributes of an image: its description, and who may launch it.
//!
//! Source: Amazon EC2 API Reference, `ModifyImageAttribute`, `DescribeImageAttribute`, `ResetImageAttribute`; Amazon EC2 User Guide,
//! "Share an AMI with specific AWS accounts", "Share an AMI with organizations and organizational units".
//!
//! Invariant: an image's owner alone sees and changes who may launch it.

use std::sync::Arc;

use api::ec2 as model;
use model::ImageAttributeName as Name;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::{Arn, Context};

use super::fault::{self, combination, expect_none, invalid, invalid_value, missing, unsupported};
use super::image::{self, ImageTarget, Permissions};

/// Permissions of one image.
const PERMISSIONS_MAX: usize = 1000;

/// One permission, checked.
enum Grantee {
    All,
    User(String),
    Organization(String),
    Unit(String),
}

impl Grantee {
    fn user(id: &str) -> Result<Self> {
        if id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Self::User(id.to_owned()));
        }
        Err(fault_of_user(id))
    }

    fn place(arn: &str, kind: &str, make: fn(String) -> Self) -> Result<Self> {
        let named = Arn::parse(arn).filter(|arn| arn.service() == "organizations");
        if named.is_some_and(|arn| arn.resource().starts_with(kind)) {
            return Ok(make(arn.to_owned()));
        }
        Err(invalid_value(arn, "launchPermission", "The ARN is malformed."))
    }

    fn read(given: &model::LaunchPermission) -> Result<Self> {
        match (
            given.group,
            &given.user_id,
            &given.organization_arn,
            &given.organizational_unit_arn,
        ) {
            (Some(_), None, None, None) => Ok(Self::All),
            (None, Some(id), None, None) => Self::user(id),
            (None, None, Some(arn), None) => Self::place(arn, "organization/", Self::Organization),
            (None, None, None, Some(arn)) => Self::place(arn, "ou/", Self::Unit),
            _ => Err(combination("A launch permission names one grantee.")),
        }
    }

    fn apply(self, permissions: &mut Permissions, add: bool) {
        let change = |set: &mut std::collections::BTreeSet<String>, value: String| {
            if add {
                set.insert(value);
            } else {
                set.remove(&value);
            }
        };
        match self {
            Self::All => permissions.all = add,
            Self::User(id) => change(&mut permissions.users, id),
            Self::Organization(arn) => change(&mut permissions.organizations, arn),
            Self::Unit(arn) => change(&mut permissions.units, arn),
        }
    }
}

fn fault_of_user(id: &str) -> wire::Fault {
    wire::Fault::plain(
        "InvalidAMIAttributeItemValue",
        400,
        format!("Invalid attribute item value \"{id}\" for userId item type."),
    )
}

/// The permissions that a request adds (`true`) and takes away.
fn changes(input: &model::ModifyImageAttributeRequest) -> Result<Vec<(Grantee, bool)>> {
    let mut changes = Vec::new();
    if let Some(given) = &input.launch_permission {
        for (list, add) in [(&given.add, true), (&given.remove, false)] {
            for one in list.iter().flatten() {
                changes.push((Grantee::read(one)?, add));
            }
        }
    }
    let listed = [
        &input.user_ids,
        &input.user_groups,
        &input.organization_arns,
        &input.organizational_unit_arns,
    ];
    if listed
        .iter()
        .any(|list| list.as_ref().is_some_and(|list| !list.is_empty()))
    {
        let Some(operation) = input.operation_type else {
            return Err(missing("OperationType"));
        };
        let add = operation == model::OperationType::Add;
        for id in input.user_ids.iter().flatten() {
            changes.push((Grantee::user(id)?, add));
        }
        for group in input.user_groups.iter().flatten() {
            if group != "all" {
                return Err(invalid_value(group, "userGroup", "The only group is all."));
            }
            changes.push((Grantee::All, add));
        }
        for arn in input.organization_arns.iter().flatten() {
            changes.push((Grantee::place(arn, "organization/", Grantee::Organization)?, add));
        }
        for arn in input.organizational_unit_arns.iter().flatten() {
            changes.push((Grantee::place(arn, "ou/", Grantee::Unit)?, add));
        }
    }
    Ok(changes)
}

/// Changes an attribute of an image.
pub struct ModifyImageAttribute;

impl Operation for ModifyImageAttribute {
    type Input = model::ModifyImageAttributeRequest;
    type Output = wire::typed::Empty;
    type Target = ImageTarget;
    const ACCESS: Access = Access::write("ec2:ModifyImageAttribute");
    const CONDITIONS: &'static [&'static str] = &["ec2:Attribute", "ec2:Attribute/${AttributeName}"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<ImageTarget>> {
        image::named(look, &input.image_id, false)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        let mut names = Vec::new();
        let by_name = (input.attribute.as_deref() == Some("description"))
            .then(|| input.value.clone())
            .flatten();
        let given = input.description.as_ref().and_then(|given| given.value.clone());
        if let Some(value) = given.or(by_name) {
            context.insert("ec2:Attribute/Description", value);
            names.push("Description");
        }
        let permission =
            input.launch_permission.is_some() || input.attribute.as_deref() == Some("launchPermission");
        if permission || input.operation_type.is_some() {
            names.push("LaunchPermission");
        }
        context.insert_many("ec2:Attribute", names);
    }

    fn handle(
        call: &mut Call<'_>,
        target: Authorized<ImageTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let mut image = (*target.image).clone();
        if image.owner != call.account() {
            return Err(image::not_owner(&image.id));
        }
        let codes = input
            .product_codes
            .as_ref()
            .is_some_and(|codes| !codes.is_empty());
        expect_none("ProductCodes", codes)?;
        expect_none("ImdsSupport", input.imds_support.is_some())?;
        let changes = changes(&input)?;
        let by_name = (input.attribute.as_deref() == Some("description"))
            .then(|| input.value.clone())
            .flatten();
        let description = input.description.and_then(|given| given.value).or(by_name);
        match (input.attribute.as_deref(), changes.is_empty(), &description) {
            (None | Some("launchPermission"), false, None) | (None | Some("description"), true, Some(_)) => {}
            (Some("launchPermission" | "description") | None, true, None) => {
                return Err(combination("No attributes specified."));
            }
            (Some(other), ..) if !matches!(other, "launchPermission" | "description") => {
                return Err(unsupported(format!(
                    "The attribute {other} is not supported by this version of Ringwork."
                )));
            }
            _ => return Err(combination("Fields for multiple attribute types specified.")),
        }
        fault::dry_run(input.dry_run)?;
        if let Some(text) = description {
            image.description = Some(text);
        }
        for (grantee, add) in changes {
            grantee.apply(&mut image.permissions, add);
        }
        let held = &image.permissions;
        if held.users.len() + held.organizations.len() + held.units.len() > PERMISSIONS_MAX {
            return Err(invalid("An image has up to 1000 launch permissions"));
        }
        image.keep(call)?;
        Ok(wire::typed::Empty {})
    }
}

/// Tells an attribute of an image.
pub struct DescribeImageAttribute;

impl Operation for DescribeImageAttribute {
    type Input = model::DescribeImageAttributeRequest;
    type Output = model::ImageAttribute;
    type Target = ImageTarget;
    const ACCESS: Access = Access::list("ec2:DescribeImageAttribute");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<ImageTarget>> {
        image::named(look, &input.image_id, false)
    }

    fn handle(
        call: &mut Call<'_>,
        target: Authorized<ImageTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let image = Arc::clone(&target.image);
        if image.owner != call.account() {
            return Err(image::not_owner(&image.id));
        }
        fault::dry_run(input.dry_run)?;
        let mut shown = model::ImageAttribute {
            image_id: Some(image.id.clone()),
            ..model::ImageAttribute::default()
        };
        match input.attribute {
            Name::Description => {
                shown.description = Some(model::AttributeValue {
                    value: image.description.clone(),
                });
            }
            Name::LaunchPermission => shown.launch_permissions = Some(listed(&image.permissions)),
            Name::BlockDeviceMapping => shown.block_device_mappings = Some(Vec::new()),
            Name::ProductCodes => shown.product_codes = Some(Vec::new()),
            Name::ImdsSupport => {
                shown.imds_support = Some(model::AttributeValue {
                    value: Some(model::ImdsSupportValues::V2_0.as_str().to_owned()),
                });
            }
            other => {
                return Err(unsupported(format!(
                    "The attribute {} is not supported by this version of Ringwork.",
                    other.as_str()
                )));
            }
        }
        Ok(shown)
    }
}

fn listed(permissions: &Permissions) -> Vec<model::LaunchPermission> {
    let all = permissions.all.then(|| model::LaunchPermission {
        group: Some(model::PermissionGroup::All),
        ..model::LaunchPermission::default()
    });
    let users = permissions.users.iter().map(|id| model::LaunchPermission {
        user_id: Some(id.clone()),
        ..model::LaunchPermission::default()
    });
    let organizations = permissions
        .organizations
        .iter()
        .map(|arn| model::LaunchPermission {
            organization_arn: Some(arn.clone()),
            ..model::LaunchPermission::default()
        });
    let units = permissions.units.iter().map(|arn| model::LaunchPermission {
        organizational_unit_arn: Some(arn.clone()),
        ..model::LaunchPermission::default()
    });
    all.into_iter()
        .chain(users)
        .chain(organizations)
        .chain(units)
        .collect()
}

/// Takes all launch permissions away.
pub struct ResetImageAttribute;

impl Operation for ResetImageAttribute {
    type Input = model::ResetImageAttributeRequest;
    type Output = wire::typed::Empty;
    type Target = ImageTarget;
    const ACCESS: Access = Access::write("ec2:ResetImageAttribute");
    const CONDITIONS: &'static [&'static str] = &["ec2:Attribute"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<ImageTarget>> {
        image::named(look, &input.image_id, false)
    }

    fn conditions(_input: &Self::Input, context: &mut Context) {
        context.insert_many("ec2:Attribute", ["LaunchPermission"]);
    }

    fn handle(
        call: &mut Call<'_>,
        target: Authorized<ImageTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let mut image = (*target.image).clone();
        if image.owner != call.account() {
            return Err(image::not_owner(&image.id));
        }
        fault::dry_run(input.dry_run)?;
        image.permissions = Permissions::default();
        image.keep(call)?;
        Ok(wire::typed::Empty {})
    }
}
