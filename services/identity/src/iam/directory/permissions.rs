//! The policies that bear on a principal: its own, its groups', its boundary, and what its session was narrowed to.
//!
//! Invariant: nothing is remembered but parsed documents; which of them count is read from the rows for every decision.

use std::sync::{Arc, OnceLock};

use pipeline::identity::{Identity, IdentityType, PrincipalPolicies, Session, SessionPolicy};
use pipeline::{Look, Result};
use policy::{Attached, Policy, PolicyKind};
use wire::Fault;

use super::user_of;
use crate::iam::group::GROUPS;
use crate::iam::managed;
use crate::iam::password;
use crate::iam::role::Role;
use crate::iam::user::User;

/// The user's own policies and those of its groups (S1.8), and its boundary.
pub(super) fn of_user(
    look: &mut Look<'_>,
    user: &User,
    action: Option<&str>,
    policies: &mut PrincipalPolicies,
) -> Result<()> {
    let inline = user.inline.iter();
    policies
        .identity
        .extend(inline.map(|(name, policy)| policy.attached(|| format!("user/{} inline {name}", user.name))));
    of_managed(look, &user.attached, &mut policies.identity)?;
    for group in &user.groups {
        let Some(group) = look.get(&GROUPS, &(user.account.clone(), group.clone()))? else {
            continue;
        };
        let inline = group.inline.iter();
        policies.identity.extend(
            inline.map(|(name, policy)| policy.attached(|| format!("group/{} inline {name}", group.name))),
        );
        of_managed(look, &group.attached, &mut policies.identity)?;
    }
    let bears = action.is_none_or(|action| CHANGE_PASSWORD_ACTIONS.contains(&action));
    if bears && password::change_is_open(look, &user.account)? {
        policies.identity.push(synthetic(
            &OWN_PASSWORD,
            "password policy of the account",
            CHANGE_PASSWORD,
            PolicyKind::Identity,
        )?);
    }
    policies.boundary = boundary(look, user.boundary.as_deref())?;
    Ok(())
}

pub(super) fn of_role(look: &mut Look<'_>, role: &Role, policies: &mut PrincipalPolicies) -> Result<()> {
    let inline = role.inline.iter();
    policies
        .identity
        .extend(inline.map(|(name, policy)| policy.attached(|| format!("role/{} inline {name}", role.name))));
    of_managed(look, &role.attached, &mut policies.identity)?;
    policies.boundary = boundary(look, role.boundary.as_deref())?;
    Ok(())
}

fn of_managed(look: &mut Look<'_>, arns: &[String], policies: &mut Vec<Attached>) -> Result<()> {
    for arn in arns {
        policies.extend(managed::find(look, arn)?);
    }
    Ok(())
}

/// The boundary. A policy that is missing, which its attachment forbids, must not free whom it bound.
fn boundary(look: &mut Look<'_>, arn: Option<&str>) -> Result<Option<Attached>> {
    let Some(arn) = arn else { return Ok(None) };
    let found = managed::find(look, arn)?;
    found
        .map(Some)
        .ok_or_else(|| Fault::internal(format!("the permissions boundary {arn} is missing")))
}

/// What a federated user has of the one who asked for it; the session policies then narrow that.
pub(super) fn of_federated(
    look: &mut Look<'_>,
    identity: &Identity,
    account: &str,
    action: Option<&str>,
    policies: &mut PrincipalPolicies,
) -> Result<()> {
    let Some(issuer) = identity
        .session
        .as_ref()
        .and_then(|session| session.issuer.as_ref())
    else {
        return Ok(());
    };
    if issuer.kind == "Root" {
        policies.identity.push(synthetic(
            &ROOT_ALLOWS,
            "root user of the account",
            ALLOW_ALL,
            PolicyKind::Identity,
        )?);
        return Ok(());
    }
    match user_of(
        look,
        account,
        &issuer.user_name.to_lowercase(),
        &issuer.principal_id,
    )? {
        Some(user) => of_user(look, &user, action, policies),
        None => Ok(()),
    }
}

/// The session layer: the policies passed at issue (`parsed`, if they are at hand), and what AWS never lets such sessions do.
pub(super) fn of_session(
    look: &mut Look<'_>,
    parsed: Option<Vec<Attached>>,
    identity: &Identity,
    session: &Session,
) -> Result<Option<Vec<Attached>>> {
    let mut layer = match parsed {
        Some(parsed) => parsed,
        None => documents(session)?,
    };
    for policy in &session.policies {
        if let SessionPolicy::Managed(arn) = policy {
            layer.extend(managed::find(look, arn)?);
        }
    }
    match identity.kind {
        // The policies of privileged tasks deny all but the task; what they leave, the root user may.
        IdentityType::Root if session.assumed_root => {
            layer.push(synthetic(
                &ASSUMED_ROOT,
                "root user of the account, by AssumeRoot",
                ALLOW_ALL,
                PolicyKind::Session,
            )?);
        }
        IdentityType::FederatedUser => {
            let (once, limits) = if session.console {
                (&FEDERATED_IN_CONSOLE, FEDERATED_CONSOLE_LIMITS)
            } else {
                (&FEDERATED, FEDERATED_LIMITS)
            };
            let origin = "limits of GetFederationToken";
            layer.push(synthetic(once, origin, limits, PolicyKind::Session)?);
        }
        // Users of the console do there what they may do.
        IdentityType::IamUser if session.console => return Ok(None),
        IdentityType::IamUser | IdentityType::Root => {
            layer.push(synthetic(
                &OWN_SESSION,
                "limits of GetSessionToken",
                SESSION_LIMITS,
                PolicyKind::Session,
            )?);
        }
        _ if session.policies.is_empty() => return Ok(None),
        _ => {}
    }
    Ok(Some(layer))
}

/// IAM User Guide, "Compare AWS STS credentials": sessions of GetSessionToken call no IAM operation without MFA, and of STS only
/// AssumeRole and GetCallerIdentity.
const SESSION_LIMITS: &str = r#"{"Version":"2012-10-17","Statement":[
{"Effect":"Allow","Action":"*","Resource":"*"},
{"Effect":"Deny","Action":"iam:*","Resource":"*","Condition":{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}},
{"Effect":"Deny","Action":["sts:AssumeRoot","sts:Decode*","sts:Get*"],"Resource":"*"}]}"#;

/// The same page: sessions of GetFederationToken call no IAM operation, and of STS only GetCallerIdentity.
const FEDERATED_LIMITS: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":["iam:*","sts:*"],"Resource":"*"}]}"#;

/// In the console they may call IAM (STS API Reference, "GetFederationToken").
const FEDERATED_CONSOLE_LIMITS: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"sts:*","Resource":"*"}]}"#;

/// What a federated user of root, and a session of `AssumeRoot`, is cut from.
const ALLOW_ALL: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

/// IAM User Guide, "Permit IAM users to change their own passwords": what the account's password policy may allow every user. The
/// operation reaches the caller's own password alone.
const CHANGE_PASSWORD: &str = r#"{"Version":"2012-10-17","Statement":[
{"Effect":"Allow","Action":["iam:ChangePassword","iam:GetAccountPasswordPolicy"],"Resource":"*"}]}"#;

/// The actions of that policy.
const CHANGE_PASSWORD_ACTIONS: [&str; 2] = ["iam:ChangePassword", "iam:GetAccountPasswordPolicy"];

static ASSUMED_ROOT: OnceLock<Attached> = OnceLock::new();
static OWN_PASSWORD: OnceLock<Attached> = OnceLock::new();
static OWN_SESSION: OnceLock<Attached> = OnceLock::new();
static FEDERATED: OnceLock<Attached> = OnceLock::new();
static FEDERATED_IN_CONSOLE: OnceLock<Attached> = OnceLock::new();
static ROOT_ALLOWS: OnceLock<Attached> = OnceLock::new();

fn synthetic(once: &OnceLock<Attached>, origin: &str, text: &str, kind: PolicyKind) -> Result<Attached> {
    if let Some(attached) = once.get() {
        return Ok(attached.clone());
    }
    let policy = Policy::parse(text, kind).map_err(Fault::internal)?;
    Ok(once
        .get_or_init(|| Attached::new(Arc::new(policy), origin))
        .clone())
}

/// The session policies that a token carries as documents, parsed.
pub(super) fn documents(session: &Session) -> Result<Vec<Attached>> {
    let texts = session.policies.iter().filter_map(|policy| match policy {
        SessionPolicy::Document(text) => Some(text),
        SessionPolicy::Managed(_) => None,
    });
    texts
        .map(|text| {
            let policy = Policy::parse(text, PolicyKind::Session).map_err(Fault::internal)?;
            Ok(Attached::new(Arc::new(policy), "session policy"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_statement_about_passwords_has_the_actions_that_it_is_looked_for_by() {
        let document: serde_json::Value = serde_json::from_str(CHANGE_PASSWORD).unwrap();
        let actions = document.pointer("/Statement/0/Action").unwrap();
        assert_eq!(*actions, serde_json::json!(CHANGE_PASSWORD_ACTIONS));
        assert!(document.pointer("/Statement/1").is_none());
    }
}
