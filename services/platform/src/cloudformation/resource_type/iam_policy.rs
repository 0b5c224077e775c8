//! `AWS::IAM::ManagedPolicy`, `AWS::IAM::Policy`, and `AWS::IAM::RolePolicy`, `UserPolicy` and `GroupPolicy`.
//!
//! Source: CloudFormation Template Reference, the pages of these types.
//!
//! Invariant: a managed policy's new text is a version that becomes the default; the oldest of its others makes room for it.

use pipeline::Result;
use serde_json::{Map, Value, json};

use super::difference::{added, differs, gone, policy, same, short_name, texts};
use super::iam_identity::{GROUP, Kind, ROLE, SERVICE, USER};
use super::{Existing, Made, Property, ResourceType, Services, Wanted, answered, expect_new, invalid};

/// Bytes of a managed policy's name.
const NAME_MAX: usize = 128;
/// Versions of a managed policy (IAM User Guide, "IAM and AWS STS quotas").
const VERSIONS_MAX: usize = 5;

/// Who a policy is given to, by property.
const HOLDERS: [(&str, Kind); 3] = [("Groups", GROUP), ("Roles", ROLE), ("Users", USER)];

fn document(wanted: &Wanted<'_>) -> Result<String> {
    policy(wanted.property("PolicyDocument").unwrap_or(&Value::Null))
}

pub(crate) struct ManagedPolicy;

impl ResourceType for ManagedPolicy {
    described!(
        "AWS::IAM::ManagedPolicy",
        [
            Property::fixed("Description"),
            Property::new("Groups"),
            Property::fixed("ManagedPolicyName"),
            Property::fixed("Path"),
            Property::new("PolicyDocument").required(),
            Property::new("Roles"),
            Property::new("Users"),
        ],
        [
            "AttachmentCount",
            "CreateDate",
            "DefaultVersionId",
            "IsAttachable",
            "PermissionsBoundaryUsageCount",
            "PolicyArn",
            "PolicyId",
            "UpdateDate",
        ]
    );

    fn create(&self, services: &mut Services<'_, '_>, wanted: &Wanted<'_>) -> Result<Made> {
        let name = wanted
            .text("ManagedPolicyName")
            .unwrap_or_else(|| wanted.physical_name(NAME_MAX));
        let mut input = wanted.pick(&["Description", "Path"]);
        input.insert("PolicyName".to_owned(), name.into());
        input.insert("PolicyDocument".to_owned(), document(wanted)?.into());
        let made = services.invoke(SERVICE, "CreatePolicy", Value::Object(input))?;
        let arn = answered(&made, "/Policy/Arn")?;
        attach(services, &arn, &Map::new(), wanted.properties)?;
        shown(services, &arn)
    }

    fn update(
        &self,
        services: &mut Services<'_, '_>,
        existing: &Existing<'_>,
        wanted: &Wanted<'_>,
    ) -> Result<Made> {
        let arn = existing.physical_id;
        if differs(existing, wanted, "PolicyDocument") {
            let others = others(services, arn)?;
            if others.len() >= VERSIONS_MAX.saturating_sub(1)
                && let Some(oldest) = others.last()
            {
                let input = json!({ "PolicyArn": arn, "VersionId": oldest });
                services.invoke(SERVICE, "DeletePolicyVersion", input)?;
            }
            let input =
                json!({ "PolicyArn": arn, "PolicyDocument": document(wanted)?, "SetAsDefault": true });
            services.invoke(SERVICE, "CreatePolicyVersion", input)?;
        }
        attach(services, arn, existing.properties, wanted.properties)?;
        shown(services, arn)
    }

    fn delete(&self, services: &mut Services<'_, '_>, existing: &Existing<'_>) -> Result<()> {
        let arn = existing.physical_id;
        attach(services, arn, existing.properties, &Map::new())?;
        for version in others(services, arn)? {
            let input = json!({ "PolicyArn": arn, "VersionId": version });
            services.invoke(SERVICE, "DeletePolicyVersion", input)?;
        }
        services
            .invoke(SERVICE, "DeletePolicy", json!({ "PolicyArn": arn }))
            .map(drop)
    }
}

fn attach(
    services: &mut Services<'_, '_>,
    arn: &str,
    before: &Map<String, Value>,
    now: &Map<String, Value>,
) -> Result<()> {
    for (property, kind) in HOLDERS {
        let (before, now) = (texts(before, property), texts(now, property));
        for name in added(&now, &before) {
            gone(kind.ask(services, ("Detach", "Policy"), &name, json!({ "PolicyArn": arn })))?;
        }
        for name in added(&before, &now) {
            kind.ask(services, ("Attach", "Policy"), &name, json!({ "PolicyArn": arn }))?;
        }
    }
    Ok(())
}

/// The versions that are not the default, the newest first, as IAM lists them.
fn others(services: &mut Services<'_, '_>, arn: &str) -> Result<Vec<String>> {
    let listed = services.invoke(SERVICE, "ListPolicyVersions", json!({ "PolicyArn": arn }))?;
    let versions = listed.get("Versions").and_then(Value::as_array);
    let other = |version: &Value| {
        let default = version.get("IsDefaultVersion").and_then(Value::as_bool) == Some(true);
        let id = version.get("VersionId").and_then(Value::as_str)?;
        (!default).then(|| id.to_owned())
    };
    let mut others: Vec<String> = versions.into_iter().flatten().filter_map(other).collect();
    let number = |id: &String| id.trim_start_matches('v').parse::<u64>().unwrap_or_default();
    others.sort_by_key(|id| std::cmp::Reverse(number(id)));
    Ok(others)
}

fn shown(services: &mut Services<'_, '_>, arn: &str) -> Result<Made> {
    let told = services.invoke(SERVICE, "GetPolicy", json!({ "PolicyArn": arn }))?;
    let mut made = Made::new(arn).with("PolicyArn", arn);
    let attributes = [
        "AttachmentCount",
        "CreateDate",
        "DefaultVersionId",
        "IsAttachable",
        "PermissionsBoundaryUsageCount",
        "PolicyId",
        "UpdateDate",
    ];
    for name in attributes {
        if let Some(value) = told.get("Policy").and_then(|policy| policy.get(name)) {
            made = made.with(name, value.clone());
        }
    }
    Ok(made)
}

pub(crate) struct Policy;

impl ResourceType for Policy {
    described!(
        "AWS::IAM::Policy",
        [
            Property::new("Groups"),
            Property::new("PolicyDocument").required(),
            Property::new("PolicyName").required(),
            Property::new("Roles"),
            Property::new("Users"),
        ],
        ["Id"]
    );

    fn create(&self, services: &mut Services<'_, '_>, wanted: &Wanted<'_>) -> Result<Made> {
        give(services, &Map::new(), wanted)?;
        let name = short_name(wanted);
        Ok(Made::new(name.clone()).with("Id", name))
    }

    fn update(
        &self,
        services: &mut Services<'_, '_>,
        existing: &Existing<'_>,
        wanted: &Wanted<'_>,
    ) -> Result<Made> {
        give(services, existing.properties, wanted)?;
        Ok(same(existing))
    }

    fn delete(&self, services: &mut Services<'_, '_>, existing: &Existing<'_>) -> Result<()> {
        take(services, existing.properties, |_, _| true)
    }
}

/// Gives the policy to all who shall have it, and takes it from those who had it and shall not. A policy of this name that somebody has
/// already is written over: the type “adds or updates” one (CloudFormation Template Reference, `AWS::IAM::Policy`).
fn give(services: &mut Services<'_, '_>, before: &Map<String, Value>, wanted: &Wanted<'_>) -> Result<()> {
    let name = wanted.text("PolicyName").unwrap_or_default();
    let renamed = before
        .get("PolicyName")
        .and_then(Value::as_str)
        .is_some_and(|held| held != name);
    let rest = json!({ "PolicyName": name, "PolicyDocument": document(wanted)? });
    if HOLDERS
        .iter()
        .all(|(property, _)| texts(wanted.properties, property).is_empty())
    {
        return Err(invalid("At least one of [Groups,Roles,Users] must be non-empty."));
    }
    for (property, kind) in HOLDERS {
        for holder in texts(wanted.properties, property) {
            kind.ask(services, ("Put", "Policy"), &holder, rest.clone())?;
        }
    }
    take(services, before, |property, holder| {
        renamed
            || !texts(wanted.properties, property)
                .iter()
                .any(|kept| kept == holder)
    })
}

fn take(
    services: &mut Services<'_, '_>,
    before: &Map<String, Value>,
    loses: impl Fn(&str, &str) -> bool,
) -> Result<()> {
    let name = before.get("PolicyName").cloned().unwrap_or_default();
    for (property, kind) in HOLDERS {
        for holder in texts(before, property) {
            if loses(property, &holder) {
                let rest = json!({ "PolicyName": name });
                gone(kind.ask(services, ("Delete", "Policy"), &holder, rest))?;
            }
        }
    }
    Ok(())
}

/// A policy of one identity.
pub(crate) struct Inline {
    name: &'static str,
    kind: Kind,
    properties: &'static [Property],
}

pub(crate) static ROLE_POLICY: Inline = Inline {
    name: "AWS::IAM::RolePolicy",
    kind: ROLE,
    properties: &[
        Property::new("PolicyDocument"),
        Property::fixed("PolicyName").required(),
        Property::fixed("RoleName").required(),
    ],
};

pub(crate) static USER_POLICY: Inline = Inline {
    name: "AWS::IAM::UserPolicy",
    kind: USER,
    properties: &[
        Property::new("PolicyDocument"),
        Property::fixed("PolicyName").required(),
        Property::fixed("UserName").required(),
    ],
};

pub(crate) static GROUP_POLICY: Inline = Inline {
    name: "AWS::IAM::GroupPolicy",
    kind: GROUP,
    properties: &[
        Property::fixed("GroupName").required(),
        Property::new("PolicyDocument"),
        Property::fixed("PolicyName").required(),
    ],
};

impl Inline {
    fn holder(&self) -> String {
        format!("{}Name", self.kind.0)
    }

    fn put(&self, services: &mut Services<'_, '_>, wanted: &Wanted<'_>) -> Result<(String, String)> {
        let name = wanted.text("PolicyName").unwrap_or_default();
        let holder = wanted.text(&self.holder()).unwrap_or_default();
        let rest = json!({ "PolicyName": name, "PolicyDocument": document(wanted)? });
        self.kind.ask(services, ("Put", "Policy"), &holder, rest)?;
        Ok((name, holder))
    }
}

impl ResourceType for Inline {
    fn name(&self) -> &'static str {
        self.name
    }

    fn properties(&self) -> &'static [Property] {
        self.properties
    }

    fn create(&self, services: &mut Services<'_, '_>, wanted: &Wanted<'_>) -> Result<Made> {
        let name = wanted.text("PolicyName").unwrap_or_default();
        let holder = wanted.text(&self.holder()).unwrap_or_default();
        let rest = json!({ "PolicyName": name });
        let there = self.kind.ask(services, ("Get", "Policy"), &holder, rest);
        expect_new(self.name, &format!("{name}|{holder}"), there)?;
        let (name, holder) = self.put(services, wanted)?;
        Ok(Made::new(format!("{name}|{holder}")))
    }

    fn update(
        &self,
        services: &mut Services<'_, '_>,
        existing: &Existing<'_>,
        wanted: &Wanted<'_>,
    ) -> Result<Made> {
        self.put(services, wanted)?;
        Ok(same(existing))
    }

    fn delete(&self, services: &mut Services<'_, '_>, existing: &Existing<'_>) -> Result<()> {
        let text = |name: &str| {
            existing
                .properties
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let rest = json!({ "PolicyName": text("PolicyName") });
        self.kind
            .ask(services, ("Delete", "Policy"), text(&self.holder()), rest)
            .map(drop)
    }
}
