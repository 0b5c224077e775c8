//! Who uses a managed policy.

use api::iam as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};

use super::{AnyPolicy, named};
use crate::iam::binding::{ATTACHMENTS, Attachment};
use crate::iam::page::{Page, path_fits};
use crate::iam::{group, role, user};

/// Rows read at a time.
const STRIDE: usize = 256;

/// Lists the users, groups and roles that use a policy, for their permissions or as their boundary.
pub struct ListEntitiesForPolicy;

impl Operation for ListEntitiesForPolicy {
    type Input = model::ListEntitiesForPolicyRequest;
    type Output = model::ListEntitiesForPolicyResponse;
    type Target = AnyPolicy;
    const ACCESS: Access = Access::list("iam:ListEntitiesForPolicy");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<AnyPolicy>> {
        named(look, &input.policy_arn)
    }

    fn handle(
        call: &mut Call<'_>,
        _policy: Authorized<AnyPolicy>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let list = format!("ListEntitiesForPolicy/{}", input.policy_arn);
        let page = Page::read(call, &list, input.marker.as_deref(), input.max_items)?;
        let mut found = Vec::new();
        for (kind, attachment) in uses(call, &input)? {
            let (who, _) = kind.split_once('-').unwrap_or((&kind, ""));
            let path = match input.path_prefix.as_deref() {
                None | Some("/") => None,
                Some(prefix) => Some((prefix, path_of(call, who, &attachment.name)?)),
            };
            if path.is_none_or(|(prefix, path)| path_fits(&path, Some(prefix))) {
                // One who uses the policy both ways is listed once.
                found.push((format!("{who}/{}", attachment.name.to_lowercase()), attachment));
            }
        }
        found.sort_by(|one, other| one.0.cmp(&other.0));
        found.dedup_by(|one, other| one.0 == other.0);
        let paged = page.of_sorted(
            call,
            found
                .into_iter()
                .map(|(mark, attachment)| (mark.clone(), (mark, attachment))),
        )?;
        let mut answer = model::ListEntitiesForPolicyResponse {
            is_truncated: paged.truncated(),
            marker: paged.marker,
            policy_groups: Some(Vec::new()),
            policy_roles: Some(Vec::new()),
            policy_users: Some(Vec::new()),
        };
        for (mark, Attachment { name, id }) in paged.items {
            let (name, id) = (Some(name), Some(id));
            if mark.starts_with("group/") {
                answer
                    .policy_groups
                    .get_or_insert_default()
                    .push(model::PolicyGroup {
                        group_name: name,
                        group_id: id,
                    });
            } else if mark.starts_with("role/") {
                answer
                    .policy_roles
                    .get_or_insert_default()
                    .push(model::PolicyRole {
                        role_name: name,
                        role_id: id,
                    });
            } else {
                answer
                    .policy_users
                    .get_or_insert_default()
                    .push(model::PolicyUser {
                        user_name: name,
                        user_id: id,
                    });
            }
        }
        Ok(answer)
    }
}

/// The kinds of use that the filters of a request ask for.
fn kinds(input: &model::ListEntitiesForPolicyRequest) -> Vec<&'static str> {
    let all = ["user", "group", "role", "user-boundary", "role-boundary"].into_iter();
    let who = match input.entity_filter {
        None => "",
        Some(model::EntityType::User) => "user",
        Some(model::EntityType::Group) => "group",
        Some(model::EntityType::Role) => "role",
        // A policy is used by identities, not by policies.
        Some(model::EntityType::LocalManagedPolicy | model::EntityType::AwsManagedPolicy) => "none",
    };
    all.filter(|kind| {
        let boundary = kind.ends_with("-boundary");
        kind.starts_with(who)
            && match input.policy_usage_filter {
                None => true,
                Some(model::PolicyUsageType::PermissionsPolicy) => !boundary,
                Some(model::PolicyUsageType::PermissionsBoundary) => boundary,
            }
    })
    .collect()
}

/// The uses of a policy in the caller's account, with their kinds.
fn uses(
    call: &mut Call<'_>,
    input: &model::ListEntitiesForPolicyRequest,
) -> Result<Vec<(String, Attachment)>> {
    let account = call.account().to_owned();
    let mut uses = Vec::new();
    for kind in kinds(input) {
        let mut after = None;
        loop {
            let prefix = (account.as_str(), input.policy_arn.as_str(), kind);
            let rows = call.range(&ATTACHMENTS, &prefix, after.as_ref(), STRIDE)?;
            after = rows.last().map(|(key, _)| key.clone());
            let full = rows.len() == STRIDE;
            uses.extend(
                rows.into_iter()
                    .map(|(_, attachment)| (kind.to_owned(), (*attachment).clone())),
            );
            if !full {
                break;
            }
        }
    }
    Ok(uses)
}

/// The path of an identity; empty for one that is gone.
fn path_of(call: &mut Call<'_>, who: &str, name: &str) -> Result<String> {
    Ok(match who {
        "user" => user::find(call, name)?.map(|user| user.path.clone()),
        "group" => group::find(call, name)?.map(|group| group.path.clone()),
        _ => role::find(call, name)?.map(|role| role.path.clone()),
    }
    .unwrap_or_default())
}
