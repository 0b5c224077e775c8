//! What the organization has to say in a decision: the service control policies over a caller's account, the resource control
//! policies over a resource's account, and where an account stands.
//!
//! Invariant: the management account is bound by neither; every level from the root to a member account has its say.

use std::sync::Arc;

use api::organizations::PolicyType;
use pipeline::organization::OrganizationFacts;
use pipeline::{Look, Result};
use policy::Attached;
use wire::Fault;

use super::{attachments, find};
use crate::organizations::membership::{Membership, membership, path, path_text};
use crate::organizations::organization::{Organization, organization};

/// The service control policies over an account: one list for the root, each unit on the way, and the account itself. Empty while the
/// type is not enabled; `None` outside an organization and in its management account, which no policy of an organization binds (S2.17).
///
/// Hot: an account outside any organization costs the one look for its membership. A member costs a look for the organization,
/// for each level's unit and attachments, and for each attached policy; the rows come decoded from the store's cache, with
/// their documents parsed.
pub(crate) fn over_account(look: &mut Look<'_>, account: &str) -> Result<Option<Vec<Vec<Attached>>>> {
    let Some((member, organization)) = bound(look, account)? else {
        return Ok(None);
    };
    enabled_levels(look, &member, &organization, PolicyType::ServiceControlPolicy).map(Some)
}

/// The resource control policies over an action on a resource that `owner` owns. They bind every caller,
/// root users, anonymous ones and those of other accounts included (S2.11, S2.17), for the services that support them. Actions on
/// no resource are out of their reach, and so are the trust policies of service-linked roles.
pub(crate) fn over_resource(
    look: &mut Look<'_>,
    owner: &str,
    action: &str,
    resource: &str,
) -> Result<Vec<Attached>> {
    if !reaches(action, resource) {
        return Ok(Vec::new());
    }
    let kind = PolicyType::ResourceControlPolicy;
    let Some((member, organization)) = bound(look, owner)? else {
        return Ok(Vec::new());
    };
    let mut policies: Vec<Attached> = Vec::new();
    let levels = enabled_levels(look, &member, &organization, kind)?;
    for attached in levels.into_iter().flatten() {
        // AWS's own stands on every level, and says the same on each.
        if !policies.iter().any(|held| held.origin == attached.origin) {
            policies.push(attached);
        }
    }
    Ok(policies)
}

fn reaches(action: &str, resource: &str) -> bool {
    // An object's key may look like such a role's path.
    let linked = || resource.starts_with("arn:aws:iam:") && resource.contains(":role/aws-service-role/");
    resource != "*" && policy::control::rcp_reaches(action) && !linked()
}

/// Where an account stands, for `aws:PrincipalOrgID` and its like.
pub(crate) fn facts(look: &mut Look<'_>, account: &str) -> Result<Option<OrganizationFacts>> {
    let Some(member) = membership(look, account)? else {
        return Ok(None);
    };
    let path = path(look, &member)?;
    Ok(Some(OrganizationFacts {
        id: member.organization.clone(),
        path: path_text(&member.organization, &path),
    }))
}

/// The membership of an account that policies of its organization bind.
fn bound(look: &mut Look<'_>, account: &str) -> Result<Option<(Arc<Membership>, Arc<Organization>)>> {
    let Some(member) = membership(look, account)?.filter(|member| !member.is_management()) else {
        return Ok(None);
    };
    let organization = organization(look, &member.management)?
        .ok_or_else(|| Fault::internal("a membership without an organization"))?;
    Ok(Some((member, organization)))
}

/// Whether service control policies bind the members of an organization at all.
pub(crate) fn binds(organization: &Organization) -> bool {
    organization.enables(PolicyType::ServiceControlPolicy)
}

/// The service control policies of each of some targets.
pub(crate) fn levels_of(
    look: &mut Look<'_>,
    organization: &Organization,
    targets: &[String],
) -> Result<Vec<Vec<Attached>>> {
    at(look, organization, targets, PolicyType::ServiceControlPolicy)
}

/// A service control policy of an organization by its id.
pub(crate) fn service_control_policy(
    look: &mut Look<'_>,
    organization: &Organization,
    id: &str,
) -> Result<Option<Attached>> {
    let policy = find(look, &organization.management, id)?;
    let policy = policy.filter(|policy| policy.kind == PolicyType::ServiceControlPolicy.as_str());
    Ok(policy.and_then(|policy| policy.attached()))
}

/// Whether a service control policy is attached to an account, or to what is above it.
pub(crate) fn is_bound(
    look: &mut Look<'_>,
    organization: &Organization,
    above: &[String],
    account: &str,
    id: &str,
) -> Result<bool> {
    for target in above.iter().map(String::as_str).chain([account]) {
        let held = attachments(look, &organization.management, target)?;
        if held.ids(PolicyType::ServiceControlPolicy).any(|held| held == id) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What every level over a member says; nothing while the type of policy is not enabled.
fn enabled_levels(
    look: &mut Look<'_>,
    member: &Membership,
    organization: &Organization,
    kind: PolicyType,
) -> Result<Vec<Vec<Attached>>> {
    if !organization.enables(kind) {
        return Ok(Vec::new());
    }
    let mut targets = path(look, member)?;
    targets.push(member.account.clone());
    at(look, organization, &targets, kind)
}

/// The policies of a type that are attached to each of some targets.
fn at(
    look: &mut Look<'_>,
    organization: &Organization,
    targets: &[String],
    kind: PolicyType,
) -> Result<Vec<Vec<Attached>>> {
    let mut levels = Vec::with_capacity(targets.len());
    for target in targets {
        let held = attachments(look, &organization.management, target)?;
        let mut level = Vec::new();
        for id in held.ids(kind) {
            let policy = find(look, &organization.management, id)?;
            let attached = policy.and_then(|policy| policy.attached());
            // An attached policy that is missing must not free whom it bound.
            level.push(attached.ok_or_else(|| Fault::internal("an attached policy is missing"))?);
        }
        levels.push(level);
    }
    Ok(levels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_roles_that_are_linked_to_services_are_out_of_reach() {
        let linked = "arn:aws:iam::111122223333:role/aws-service-role/a.amazonaws.com/A";
        assert!(!reaches("sts:AssumeRole", linked));
        assert!(reaches("sts:AssumeRole", "arn:aws:iam::111122223333:role/a"));
        assert!(reaches(
            "s3:GetObject",
            "arn:aws:s3:::b/x:role/aws-service-role/y"
        ));
        assert!(!reaches("s3:ListAllMyBuckets", "*"));
        assert!(!reaches("iam:GetRole", "arn:aws:iam::111122223333:role/a"));
    }
}
