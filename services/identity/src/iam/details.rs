//! The whole of an account's identities and policies at once, for those who audit it.
//!
//! Users come first, then groups, roles, the account's policies, and those of AWS's that are in use; a page may end in any of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::iam as model;
use model::EntityType;
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Resource, Result};
use store::{Record, Table};
use wire::Timestamp;

use crate::iam::binding::{self, USAGE};
use crate::iam::boundary;
use crate::iam::document::{StoredPolicy, encoded};
use crate::iam::group::{self, GROUPS, Group};
use crate::iam::instance_profile;
use crate::iam::managed::catalogue;
use crate::iam::page::Page;
use crate::iam::policy::{ManagedPolicy, POLICIES};
use crate::iam::role::{ROLES, Role};
use crate::iam::tag;
use crate::iam::user::{USERS, User};

/// One entry of a page.
enum Entity {
    User(Arc<User>),
    Group(Arc<Group>),
    Role(Arc<Role>),
    Local(Arc<ManagedPolicy>),
    /// The ARN of one of AWS's policies.
    Aws(String),
}

/// Shows users, groups, roles and policies with all that they contain.
pub struct GetAccountAuthorizationDetails;

impl Operation for GetAccountAuthorizationDetails {
    type Input = model::GetAccountAuthorizationDetailsRequest;
    type Output = model::GetAccountAuthorizationDetailsResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::read("iam:GetAccountAuthorizationDetails");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let filter = input.filter.unwrap_or_default();
        let wanted = |kind| filter.is_empty() || filter.contains(&kind);
        let list = format!("GetAccountAuthorizationDetails/{filter:?}");
        let page = Page::read(call, &list, input.marker.as_deref(), input.max_items)?;
        let mut entities = Vec::new();
        if wanted(EntityType::User) {
            rows(call, &USERS, "1", Entity::User, &mut entities)?;
        }
        if wanted(EntityType::Group) {
            rows(call, &GROUPS, "2", Entity::Group, &mut entities)?;
        }
        if wanted(EntityType::Role) {
            rows(call, &ROLES, "3", Entity::Role, &mut entities)?;
        }
        if wanted(EntityType::LocalManagedPolicy) {
            rows(call, &POLICIES, "4", Entity::Local, &mut entities)?;
        }
        if wanted(EntityType::AwsManagedPolicy) {
            let mut used = Vec::new();
            rows(call, &USAGE, "5", |_| (), &mut used)?;
            let used = used
                .into_iter()
                .filter(|(key, ())| key.get(1..).is_some_and(|arn| arn.starts_with(catalogue::PREFIX)));
            entities.extend(used.map(|(key, ())| {
                (
                    key.clone(),
                    Entity::Aws(key.get(1..).unwrap_or_default().to_owned()),
                )
            }));
        }
        let paged = page.of_sorted(call, entities)?;
        let mut answer = model::GetAccountAuthorizationDetailsResponse {
            is_truncated: paged.truncated(),
            ..model::GetAccountAuthorizationDetailsResponse::default()
        };
        let (mut users, mut groups, mut roles, mut policies) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for entity in &paged.items {
            match entity {
                Entity::User(user) => users.push(shown_user(call, user)?),
                Entity::Group(group) => groups.push(shown_group(group)),
                Entity::Role(role) => roles.push(shown_role(call, role)?),
                Entity::Local(policy) => policies.push(shown_policy(call, policy)?),
                Entity::Aws(arn) => policies.extend(shown_entry(call, arn)?),
            }
        }
        answer.marker = paged.marker;
        answer.user_detail_list = Some(users);
        answer.group_detail_list = Some(groups);
        answer.role_detail_list = Some(roles);
        answer.policies = Some(policies);
        Ok(answer)
    }
}

/// Every row of a table of the caller's account, by `kind` and its name.
fn rows<V: Record, T>(
    look: &mut Look<'_>,
    table: &Table<(String, String), V>,
    kind: &str,
    entity: impl Fn(Arc<V>) -> T,
    entities: &mut Vec<(String, T)>,
) -> Result<()> {
    let account = look.account().to_owned();
    let rows = look.every(table, &(account.as_str(),))?.into_iter();
    entities.extend(rows.map(|((_, name), row)| (format!("{kind}{name}"), entity(row))));
    Ok(())
}

fn inline(policies: &BTreeMap<String, StoredPolicy>) -> Option<Vec<model::PolicyDetail>> {
    let shown = |(name, policy): (&String, &StoredPolicy)| model::PolicyDetail {
        policy_document: Some(encoded(policy.text())),
        policy_name: Some(name.clone()),
    };
    Some(policies.iter().map(shown).collect())
}

fn attached(arns: &[String]) -> Option<Vec<model::AttachedPolicy>> {
    let shown = |arn: &String| model::AttachedPolicy {
        policy_arn: Some(arn.clone()),
        policy_name: arn.rsplit('/').next().map(str::to_owned),
    };
    Some(arns.iter().map(shown).collect())
}

fn shown_user(look: &mut Look<'_>, user: &User) -> Result<model::UserDetail> {
    let mut groups = Vec::with_capacity(user.groups.len());
    for lower in &user.groups {
        groups.extend(group::find(look, lower)?.map(|group| group.name.clone()));
    }
    Ok(model::UserDetail {
        arn: Some(user.arn()),
        attached_managed_policies: attached(&user.attached),
        create_date: Some(Timestamp(user.created)),
        group_list: Some(groups),
        path: Some(user.path.clone()),
        permissions_boundary: boundary::shown(user.boundary.as_ref()),
        tags: tag::shown(&user.tags),
        user_id: Some(user.id.clone()),
        user_name: Some(user.name.clone()),
        user_policy_list: inline(&user.inline),
    })
}

fn shown_group(group: &Group) -> model::GroupDetail {
    model::GroupDetail {
        arn: Some(group.arn()),
        attached_managed_policies: attached(&group.attached),
        create_date: Some(Timestamp(group.created)),
        group_id: Some(group.id.clone()),
        group_name: Some(group.name.clone()),
        group_policy_list: inline(&group.inline),
        path: Some(group.path.clone()),
    }
}

fn shown_role(look: &mut Look<'_>, role: &Role) -> Result<model::RoleDetail> {
    let shown = role.shown(look)?;
    let mut profiles = Vec::with_capacity(role.profiles.len());
    for name in &role.profiles {
        if let Some(profile) = instance_profile::find(look, name)? {
            profiles.push(profile.shown(look)?);
        }
    }
    let last_used = role.last_used.as_ref();
    Ok(model::RoleDetail {
        arn: Some(shown.arn),
        assume_role_policy_document: shown.assume_role_policy_document,
        attached_managed_policies: attached(&role.attached),
        create_date: Some(shown.create_date),
        instance_profile_list: Some(profiles),
        path: Some(shown.path),
        permissions_boundary: boundary::shown(role.boundary.as_ref()),
        role_id: Some(shown.role_id),
        role_last_used: Some(model::RoleLastUsed {
            last_used_date: last_used.map(|last| Timestamp(last.at)),
            region: last_used.map(|last| last.region.clone()),
        }),
        role_name: Some(shown.role_name),
        role_policy_list: inline(&role.inline),
        tags: tag::shown(&role.tags),
    })
}

fn shown_policy(look: &mut Look<'_>, policy: &ManagedPolicy) -> Result<model::ManagedPolicyDetail> {
    let usage = binding::usage(look, &policy.arn)?;
    let versions = policy.versions.iter().map(|version| model::PolicyVersion {
        create_date: Some(Timestamp(version.created)),
        document: Some(encoded(version.document.text())),
        is_default_version: Some(version.number == policy.default_version),
        version_id: Some(format!("v{}", version.number)),
    });
    Ok(detail(
        policy.shown(usage),
        policy.description.clone(),
        versions.collect(),
    ))
}

fn shown_entry(look: &mut Look<'_>, arn: &str) -> Result<Option<model::ManagedPolicyDetail>> {
    let Some(entry) = catalogue::by_arn(arn) else {
        return Ok(None);
    };
    let usage = binding::usage(look, arn)?;
    let version = model::PolicyVersion {
        create_date: Some(Timestamp::from_seconds(entry.updated)),
        document: Some(encoded(&entry.text()?)),
        is_default_version: Some(true),
        version_id: Some(entry.version.to_owned()),
    };
    Ok(Some(detail(
        crate::iam::policy::shown_entry(&entry, usage),
        None,
        vec![version],
    )))
}

fn detail(
    shown: model::Policy,
    description: Option<String>,
    versions: Vec<model::PolicyVersion>,
) -> model::ManagedPolicyDetail {
    model::ManagedPolicyDetail {
        arn: shown.arn,
        attachment_count: shown.attachment_count,
        create_date: shown.create_date,
        default_version_id: shown.default_version_id,
        description,
        is_attachable: shown.is_attachable,
        path: shown.path,
        permissions_boundary_usage_count: shown.permissions_boundary_usage_count,
        policy_id: shown.policy_id,
        policy_name: shown.policy_name,
        policy_version_list: Some(versions),
        update_date: shown.update_date,
    }
}
