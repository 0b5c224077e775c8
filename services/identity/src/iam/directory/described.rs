//! Principals and resources of IAM by their ARN, for requests that are only described.
//!
//! Invariant: what is told of a principal is what a credential of it would tell, without a session's own narrowing.

use std::sync::Arc;

use pipeline::identity::{Identity, IdentityType, Session};
use pipeline::{Look, Resource, ResourcePolicies, Result};
use policy::{Arn, Context, Principal};

use super::attribution::user_identity;
use crate::iam::account::ACCOUNTS;
use crate::iam::group::GROUPS;
use crate::iam::role::{ROLES, Role};
use crate::iam::user::USERS;

/// The session name of a role whose session was not named.
const SESSION: &str = "described";

/// The user, role, session of a role, or root user that an ARN names, if it exists here.
pub fn identity(look: &mut Look<'_>, text: &str) -> Result<Option<Identity>> {
    let Some(arn) = Arn::parse(text) else {
        return Ok(None);
    };
    let account = arn.account().to_owned();
    let (kind, path) = arn.resource().split_once('/').unwrap_or((arn.resource(), ""));
    match (arn.service(), kind) {
        ("iam", "root") if path.is_empty() => {
            let known = look.get(&ACCOUNTS, &account)?.is_some();
            Ok(known.then(|| Identity::root(&account)))
        }
        ("iam", "user") => {
            let found = look.get(&USERS, &(account, last(path).to_lowercase()))?;
            let found = found.filter(|user| user.arn() == text);
            Ok(found.map(|user| user_identity(&user, "", None)))
        }
        ("iam", "role") => {
            let found = look.get(&ROLES, &(account, last(path).to_lowercase()))?;
            let found = found.filter(|role| role.arn() == text);
            Ok(found.map(|role| session(look, &role, SESSION)))
        }
        ("sts", "assumed-role") => {
            let Some((name, session_name)) = path.split_once('/') else {
                return Ok(None);
            };
            let found = look.get(&ROLES, &(account, name.to_lowercase()))?;
            Ok(found.map(|role| session(look, &role, session_name)))
        }
        _ => Ok(None),
    }
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn session(look: &Look<'_>, role: &Role, name: &str) -> Identity {
    let arn = crate::sts::role::session_arn(&role.account, &role.name, name);
    Identity {
        kind: IdentityType::AssumedRole,
        account: role.account.as_str().into(),
        arn: arn.as_str().into(),
        user_id: format!("{}:{name}", role.id).into(),
        user_name: None,
        access_key_id: "".into(),
        tags: role.tags.as_slice().into(),
        session: Some(Arc::new(Session {
            issued: look.now.0,
            expires: look.now.0,
            ..Session::default()
        })),
        federation: None,
        principal: Principal::AssumedRole {
            arn,
            role_arn: role.arn(),
            account: role.account.clone(),
            role_id: role.id.clone(),
        },
    }
}

/// What a user, group or role says of itself as a resource: for the actions of STS that is a role's trust policy.
pub fn resource(
    look: &mut Look<'_>,
    text: &str,
    action: &str,
) -> Result<Option<(ResourcePolicies, Context)>> {
    let Some(arn) = Arn::parse(text).filter(|arn| arn.service() == "iam") else {
        return Ok(None);
    };
    let (kind, path) = arn.resource().split_once('/').unwrap_or_default();
    let key = (arn.account().to_owned(), last(path).to_lowercase());
    let mut context = Context::default();
    let mut policies = ResourcePolicies::None;
    match kind {
        "user" => match look.get(&USERS, &key)? {
            Some(user) => user.conditions(&mut context),
            None => return Ok(None),
        },
        "group" => match look.get(&GROUPS, &key)? {
            Some(group) => group.conditions(&mut context),
            None => return Ok(None),
        },
        "role" => {
            let Some(role) = look.get(&ROLES, &key)? else {
                return Ok(None);
            };
            role.conditions(&mut context);
            let trusting = action
                .get(..4)
                .is_some_and(|service| service.eq_ignore_ascii_case("sts:"));
            if trusting {
                policies = ResourcePolicies::Policy(
                    role.trust.attached(|| format!("role/{} trust policy", role.name)),
                );
            }
        }
        _ => return Ok(None),
    }
    Ok(Some((policies, context)))
}
