//! `AWS::IAM::User`, `AWS::IAM::Group`, `AWS::IAM::UserToGroupAddition` and `AWS::IAM::AccessKey`.
//!
//! Source: CloudFormation Template Reference, the pages of these types.
//!
//! Invariant: a secret access key is an attribute of its resource and stands nowhere else.

use pipeline::Result;
use serde_json::{Map, Value, json};

use super::difference::{added, differs, gone, same, short_name, texts, truth};
use super::iam_identity::{GROUP, SERVICE, USER};
use crate::cloudformation::change::lives;
use crate::cloudformation::resource;

use super::{Existing, Made, Property, ResourceType, Services, Wanted, answered, tag_list, taken};

const USER_TYPE: &str = "AWS::IAM::User";
const ADDITION: &str = "AWS::IAM::UserToGroupAddition";
/// Bytes of a user's name.
const USER_NAME_MAX: usize = 64;
/// Bytes of a group's name.
const GROUP_NAME_MAX: usize = 128;

pub(crate) struct User;

impl ResourceType for User {
    described!(
        USER_TYPE,
        [
            Property::new("Groups"),
            Property::new("LoginProfile"),
            Property::new("ManagedPolicyArns"),
            Property::new("Path"),
            Property::new("PermissionsBoundary"),
            Property::new("Policies"),
            Property::new("Tags"),
            Property::fixed("UserName"),
        ],
        ["Arn"]
    );

    fn create(&self, services: &mut Services<'_, '_>, wanted: &Wanted<'_>) -> Result<Made> {
        let name = wanted
            .text("UserName")
            .unwrap_or_else(|| wanted.physical_name(USER_NAME_MAX));
        let mut input = wanted.pick(&["Path", "PermissionsBoundary"]);
        let tags = wanted.all_tags("Tags");
        if !tags.is_empty() {
            input.insert("Tags".to_owned(), tag_list(&tags));
        }
        let made = USER.ask(services, ("Create", ""), &name, Value::Object(input))?;
        USER.settle_policies(services, &name, &Map::new(), wanted.properties)?;
        membership(services, &name, &[], &texts(wanted.properties, "Groups"))?;
        if let Some(profile) = wanted.property("LoginProfile") {
            login(services, &name, "Create", profile)?;
        }
        Ok(Made::new(name).with("Arn", answered(&made, "/User/Arn")?))
    }

    fn update(
        &self,
        services: &mut Services<'_, '_>,
        existing: &Existing<'_>,
        wanted: &Wanted<'_>,
    ) -> Result<Made> {
        let name = existing.physical_id;
        let mut made = same(existing);
        if differs(existing, wanted, "Path") {
            let path = wanted.text("Path").unwrap_or_else(|| "/".to_owned());
            USER.ask(services, ("Update", ""), name, json!({ "NewPath": path }))?;
            let user = USER.ask(services, ("Get", ""), name, json!({}))?;
            made = made.with("Arn", answered(&user, "/User/Arn")?);
        }
        USER.settle_boundary(services, existing, wanted)?;
        USER.settle_policies(services, name, existing.properties, wanted.properties)?;
        USER.settle_tags(services, existing, wanted)?;
        let (before, now) = (
            texts(existing.properties, "Groups"),
            texts(wanted.properties, "Groups"),
        );
        membership(services, name, &before, &now)?;
        let had = existing
            .properties
            .get("LoginProfile")
            .is_some_and(|held| !held.is_null());
        match wanted.property("LoginProfile") {
            Some(profile) if !had => login(services, name, "Create", profile)?,
            Some(profile) if differs(existing, wanted, "LoginProfile") => {
                login(services, name, "Update", profile)?
            }
            None if had => gone(services.invoke(SERVICE, "DeleteLoginProfile", USER.of(name, json!({}))))?,
            _ => {}
        }
        Ok(made)
    }

    fn delete(&self, services: &mut Services<'_, '_>, existing: &Existing<'_>) -> Result<()> {
        let name = existing.physical_id;
        if existing
            .properties
            .get("LoginProfile")
            .is_some_and(|held| !held.is_null())
        {
            gone(services.invoke(SERVICE, "DeleteLoginProfile", USER.of(name, json!({}))))?;
        }
        membership(services, name, &texts(existing.properties, "Groups"), &[])?;
        USER.settle_policies(services, name, existing.properties, &Map::new())?;
        USER.ask(services, ("Delete", ""), name, json!({})).map(drop)
    }
}

fn login(services: &mut Services<'_, '_>, user: &str, verb: &str, profile: &Value) -> Result<()> {
    let mut rest = Map::new();
    if let Some(password) = profile.get("Password") {
        rest.insert("Password".to_owned(), password.clone());
    }
    rest.insert(
        "PasswordResetRequired".to_owned(),
        truth(profile.get("PasswordResetRequired")).into(),
    );
    let input = USER.of(user, Value::Object(rest));
    services
        .invoke(SERVICE, &format!("{verb}LoginProfile"), input)
        .map(drop)
}

fn membership(services: &mut Services<'_, '_>, user: &str, before: &[String], now: &[String]) -> Result<()> {
    for group in added(now, before) {
        if !named_by(services, user, &group, ADDITION)? {
            leave(services, user, &group)?;
        }
    }
    for group in added(before, now) {
        join(services, user, &group)?;
    }
    Ok(())
}

/// Whether another resource of the stack, of a type, says that a user is in a group: then the user stays there.
fn named_by(services: &mut Services<'_, '_>, user: &str, group: &str, kind: &str) -> Result<bool> {
    let subject = services.subject()?;
    let has = |names: &[String], name: &str| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    for row in resource::all(services.call, subject.stack)?.into_values() {
        let Some(physical) = row
            .physical_id
            .as_deref()
            .filter(|_| row.kind == kind && lives(&row))
        else {
            continue;
        };
        let held = row.contents(services.call, subject.stack)?.properties;
        let named = if kind == ADDITION {
            has(&texts(&held, "GroupName"), group) && has(&texts(&held, "Users"), user)
        } else {
            physical.eq_ignore_ascii_case(user) && has(&texts(&held, "Groups"), group)
        };
        if named {
            return Ok(true);
        }
    }
    Ok(false)
}

fn join(services: &mut Services<'_, '_>, user: &str, group: &str) -> Result<()> {
    let input = json!({ "GroupName": group, "UserName": user });
    services.invoke(SERVICE, "AddUserToGroup", input).map(drop)
}

fn leave(services: &mut Services<'_, '_>, user: &str, group: &str) -> Result<()> {
    let input = json!({ "GroupName": group, "UserName": user });
    gone(services.invoke(SERVICE, "RemoveUserFromGroup", input))
}

pub(crate) struct Group;

impl ResourceType for Group {
    described!(
        "AWS::IAM::Group",
        [
            Property::fixed("GroupName"),
            Property::new("ManagedPolicyArns"),
            Property::new("Path"),
            Property::new("Policies"),
        ],
        ["Arn"]
    );

    fn create(&self, services: &mut Services<'_, '_>, wanted: &Wanted<'_>) -> Result<Made> {
        let name = wanted
            .text("GroupName")
            .unwrap_or_else(|| wanted.physical_name(GROUP_NAME_MAX));
        let input = Value::Object(wanted.pick(&["Path"]));
        let made = GROUP.ask(services, ("Create", ""), &name, input)?;
        GROUP.settle_policies(services, &name, &Map::new(), wanted.properties)?;
        Ok(Made::new(name).with("Arn", answered(&made, "/Group/Arn")?))
    }

    fn update(
        &self,
        services: &mut Services<'_, '_>,
        existing: &Existing<'_>,
        wanted: &Wanted<'_>,
    ) -> Result<Made> {
        let name = existing.physical_id;
        let mut made = same(existing);
        if differs(existing, wanted, "Path") {
            let path = wanted.text("Path").unwrap_or_else(|| "/".to_owned());
            GROUP.ask(services, ("Update", ""), name, json!({ "NewPath": path }))?;
            let group = GROUP.ask(services, ("Get", ""), name, json!({}))?;
            made = made.with("Arn", answered(&group, "/Group/Arn")?);
        }
        GROUP.settle_policies(services, name, existing.properties, wanted.properties)?;
        Ok(made)
    }

    fn delete(&self, services: &mut Services<'_, '_>, existing: &Existing<'_>) -> Result<()> {
        let name = existing.physical_id;
        GROUP.settle_policies(services, name, existing.properties, &Map::new())?;
        GROUP.ask(services, ("Delete", ""), name, json!({})).map(drop)
    }
}

pub(crate) struct UserToGroupAddition;

impl UserToGroupAddition {
    /// Adds users to a group, unless one is in it already whom the stack did not put there: it would leave the group with the stack.
    fn join(&self, services: &mut Services<'_, '_>, users: &[String], group: &str) -> Result<()> {
        for user in users {
            let listed = services.invoke(SERVICE, "ListGroupsForUser", json!({ "UserName": user }))?;
            let groups = listed.get("Groups").and_then(Value::as_array);
            let there = |held: &Value| {
                let name = held.get("GroupName").and_then(Value::as_str);
                name.is_some_and(|name| name.eq_ignore_ascii_case(group))
            };
            let there = groups.is_some_and(|groups| groups.iter().any(there));
            if there && !named_by(services, user, group, USER_TYPE)? {
                return Err(taken(self.name(), &format!("{group}|{user}")));
            }
        }
        users.iter().try_for_each(|user| join(services, user, group))
    }
}

impl ResourceType for UserToGroupAddition {
    described!(
        ADDITION,
        [
            Property::new("GroupName").required(),
            Property::new("Users").required(),
        ],
        ["Id"]
    );

    fn create(&self, services: &mut Services<'_, '_>, wanted: &Wanted<'_>) -> Result<Made> {
        let group = wanted.text("GroupName").unwrap_or_default();
        self.join(services, &texts(wanted.properties, "Users"), &group)?;
        let name = short_name(wanted);
        Ok(Made::new(name.clone()).with("Id", name))
    }

    fn update(
        &self,
        services: &mut Services<'_, '_>,
        existing: &Existing<'_>,
        wanted: &Wanted<'_>,
    ) -> Result<Made> {
        let (before, now) = (
            texts(existing.properties, "Users"),
            texts(wanted.properties, "Users"),
        );
        let held = existing
            .properties
            .get("GroupName")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let group = wanted.text("GroupName").unwrap_or_default();
        for user in before.iter().filter(|user| group != held || !now.contains(user)) {
            if !named_by(services, user, held, USER_TYPE)? {
                leave(services, user, held)?;
            }
        }
        let joining = if group == held { added(&before, &now) } else { now };
        self.join(services, &joining, &group)?;
        Ok(same(existing))
    }

    fn delete(&self, services: &mut Services<'_, '_>, existing: &Existing<'_>) -> Result<()> {
        let group = existing
            .properties
            .get("GroupName")
            .and_then(Value::as_str)
            .unwrap_or_default();
        for user in texts(existing.properties, "Users") {
            if !named_by(services, &user, group, USER_TYPE)? {
                leave(services, &user, group)?;
            }
        }
        Ok(())
    }
}

pub(crate) struct AccessKey;

impl ResourceType for AccessKey {
    described!(
        "AWS::IAM::AccessKey",
        [
            Property::fixed("Serial"),
            Property::new("Status"),
            Property::fixed("UserName").required(),
        ],
        ["Id", "SecretAccessKey"]
    );

    fn create(&self, services: &mut Services<'_, '_>, wanted: &Wanted<'_>) -> Result<Made> {
        let input = Value::Object(wanted.pick(&["UserName"]));
        let made = services.invoke(SERVICE, "CreateAccessKey", input)?;
        let id = answered(&made, "/AccessKey/AccessKeyId")?;
        let secret = answered(&made, "/AccessKey/SecretAccessKey")?;
        if wanted.text("Status").as_deref() == Some("Inactive") {
            status(services, wanted, &id, "Inactive")?;
        }
        Ok(Made::new(id.clone())
            .with("Id", id)
            .with("SecretAccessKey", secret))
    }

    fn update(
        &self,
        services: &mut Services<'_, '_>,
        existing: &Existing<'_>,
        wanted: &Wanted<'_>,
    ) -> Result<Made> {
        if differs(existing, wanted, "Status") {
            let wish = wanted.text("Status").unwrap_or_else(|| "Active".to_owned());
            status(services, wanted, existing.physical_id, &wish)?;
        }
        Ok(same(existing))
    }

    fn delete(&self, services: &mut Services<'_, '_>, existing: &Existing<'_>) -> Result<()> {
        let user = existing.properties.get("UserName").cloned().unwrap_or_default();
        let input = json!({ "UserName": user, "AccessKeyId": existing.physical_id });
        services.invoke(SERVICE, "DeleteAccessKey", input).map(drop)
    }
}

fn status(services: &mut Services<'_, '_>, wanted: &Wanted<'_>, id: &str, status: &str) -> Result<()> {
    let user = wanted.text("UserName").unwrap_or_default();
    let input = json!({ "UserName": user, "AccessKeyId": id, "Status": status });
    services.invoke(SERVICE, "UpdateAccessKey", input).map(drop)
}
