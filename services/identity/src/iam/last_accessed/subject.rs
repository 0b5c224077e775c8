//! What a report is about: a user, group, role or managed policy, the policies that count for it, and who could have used them.

use std::sync::Arc;

use api::iam as model;
use api::iam::fault::invalid_input_exception;
use pipeline::{Found, Look, Resource, Result};
use policy::{Arn, Attached, Context};

use crate::iam::binding::ATTACHMENTS;
use crate::iam::group::{self, GROUPS, Group};
use crate::iam::managed;
use crate::iam::policy::{self as managed_policy, AnyPolicy};
use crate::iam::role::{self, ROLES, Role};
use crate::iam::user::{self, USERS, User};

use super::STRIDE;

/// The resource of a report.
pub enum Subject {
    User(Arc<User>),
    Group(Arc<Group>),
    Role(Arc<Role>),
    Policy(AnyPolicy),
}

/// A policy that gives permissions, and whose it is.
pub(super) struct Granting {
    pub(super) attached: Attached,
    /// The name of an inline policy, and of the user, group or role that it lies in.
    pub(super) inline: Option<(String, model::PolicyOwnerEntityType, String)>,
}

impl Resource for Subject {
    const TYPE: &'static str = "";

    fn arn(&self) -> String {
        match self {
            Self::User(user) => user.arn(),
            Self::Group(group) => group.arn(),
            Self::Role(role) => role.arn(),
            Self::Policy(policy) => policy.arn(),
        }
    }

    fn account(&self) -> &str {
        match self {
            Self::User(user) => &user.account,
            Self::Group(group) => &group.account,
            Self::Role(role) => &role.account,
            Self::Policy(policy) => policy.account(),
        }
    }

    fn conditions(&self, context: &mut Context) {
        match self {
            Self::User(user) => user.conditions(context),
            Self::Group(group) => group.conditions(context),
            Self::Role(role) => role.conditions(context),
            Self::Policy(policy) => policy.conditions(context),
        }
    }
}

impl Subject {
    /// The one that an ARN names in the caller's account.
    pub(super) fn named(look: &mut Look<'_>, text: &str) -> Result<Found<Self>> {
        let absent = |fault| {
            let arn = text.to_owned();
            Ok(Found::Absent { arn, fault })
        };
        let invalid = || invalid_input_exception(format!("ARN {text} is not valid."));
        let parsed = Arn::parse(text).filter(|arn| arn.service() == "iam" && arn.region().is_empty());
        let Some((kind, path)) = parsed.as_ref().and_then(|arn| {
            arn.resource()
                .split_once('/')
                .map(|(kind, path)| (kind.to_owned(), path))
        }) else {
            return absent(invalid());
        };
        let own = parsed.as_ref().is_some_and(|arn| arn.account() == look.account());
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        let key = (look.account().to_owned(), name.to_lowercase());
        let (found, missing) = match kind.as_str() {
            "policy" => {
                return Ok(match managed_policy::named(look, text)? {
                    Found::Here(policy) => Found::Here(Self::Policy(policy)),
                    Found::Absent { arn, fault } => Found::Absent { arn, fault },
                });
            }
            "user" => (look.get(&USERS, &key)?.map(Self::User), user::missing(&name)),
            "group" => (look.get(&GROUPS, &key)?.map(Self::Group), group::missing(&name)),
            "role" => (look.get(&ROLES, &key)?.map(Self::Role), role::missing(&name)),
            _ => return absent(invalid()),
        };
        let found = found.filter(|found| own && found.arn() == text);
        Ok(Found::or_absent(found, || (text.to_owned(), missing)))
    }

    /// The policies whose permissions a report tells: no boundary, and of a policy only itself.
    pub(super) fn granting(&self, look: &mut Look<'_>) -> Result<Vec<Granting>> {
        use model::PolicyOwnerEntityType as Owner;
        let mut policies = Vec::new();
        match self {
            Self::User(user) => {
                inline(&mut policies, &user.inline, Owner::User, &user.name);
                attached(look, &mut policies, &user.attached)?;
                for lower in &user.groups {
                    if let Some(group) = look.get(&GROUPS, &(user.account.clone(), lower.clone()))? {
                        inline(&mut policies, &group.inline, Owner::Group, &group.name);
                        attached(look, &mut policies, &group.attached)?;
                    }
                }
            }
            Self::Group(group) => {
                inline(&mut policies, &group.inline, Owner::Group, &group.name);
                attached(look, &mut policies, &group.attached)?;
            }
            Self::Role(role) => {
                inline(&mut policies, &role.inline, Owner::Role, &role.name);
                attached(look, &mut policies, &role.attached)?;
            }
            Self::Policy(policy) => attached(look, &mut policies, &[policy.arn()])?,
        }
        Ok(policies)
    }

    /// The users and roles that could have used them, as (is a role, lower-case name), sorted.
    pub(super) fn entities(&self, look: &mut Look<'_>) -> Result<Vec<(bool, String)>> {
        let mut entities = match self {
            Self::User(user) => vec![(false, user.lower())],
            Self::Role(role) => vec![(true, role.lower())],
            Self::Group(group) => members(look, group)?,
            Self::Policy(policy) => users_of(look, &policy.arn())?,
        };
        entities.sort();
        entities.dedup();
        Ok(entities)
    }
}

fn inline(
    policies: &mut Vec<Granting>,
    held: &std::collections::BTreeMap<String, crate::iam::document::StoredPolicy>,
    owner: model::PolicyOwnerEntityType,
    holder: &str,
) {
    policies.extend(held.iter().map(|(name, document)| Granting {
        attached: document.attached(|| format!("{holder} inline {name}")),
        inline: Some((name.clone(), owner, holder.to_owned())),
    }));
}

fn attached(look: &mut Look<'_>, policies: &mut Vec<Granting>, arns: &[String]) -> Result<()> {
    for arn in arns {
        // A policy that comes by several ways is told once.
        let known = |held: &Granting| held.inline.is_none() && *held.attached.origin == **arn;
        if !policies.iter().any(known) {
            let found = managed::find(look, arn)?;
            policies.extend(found.map(|attached| Granting {
                attached,
                inline: None,
            }));
        }
    }
    Ok(())
}

fn members(look: &mut Look<'_>, group: &Group) -> Result<Vec<(bool, String)>> {
    let names = group::members(look, group)?;
    Ok(names.into_iter().map(|name| (false, name)).collect())
}

/// Users, members of groups and roles that have a managed policy for its permissions.
fn users_of(look: &mut Look<'_>, arn: &str) -> Result<Vec<(bool, String)>> {
    let account = look.account().to_owned();
    let mut entities = Vec::new();
    for kind in ["user", "group", "role"] {
        let mut after = None;
        loop {
            let prefix = (account.as_str(), arn, kind);
            let rows = look.range(&ATTACHMENTS, &prefix, after.as_ref(), STRIDE)?;
            let full = rows.len() == STRIDE;
            after = rows.last().map(|(key, _)| key.clone());
            for ((_, _, _, name), _) in rows {
                if kind != "group" {
                    entities.push((kind == "role", name));
                } else if let Some(group) = look.get(&GROUPS, &(account.clone(), name))? {
                    entities.extend(members(look, &group)?);
                }
            }
            if !full {
                break;
            }
        }
    }
    Ok(entities)
}

/// Whether permissions policies together may allow an action of a service.
pub(super) fn reach_service(policies: &[Granting], namespace: &str) -> bool {
    let all = || policies.iter().map(|held| &held.attached.policy);
    all().any(|policy| policy.may_allow_service(namespace))
        && !all().any(|policy| policy.always_denies_service(namespace))
}

/// The same, of one action.
pub(super) fn reach_action(policies: &[Granting], action: &str) -> bool {
    let all = || policies.iter().map(|held| &held.attached.policy);
    all().any(|policy| policy.may_allow_action(action))
        && !all().any(|policy| policy.always_denies_action(action))
}
