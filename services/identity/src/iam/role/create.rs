//! The beginning and the end of a role.

use std::collections::BTreeMap;

use api::iam as model;
use api::iam::fault::{delete_conflict_exception, entity_already_exists_exception, invalid_input_exception};
use crypto::random::IdPrefix;
use pipeline::{Access, Authorized, Call, Denoted, Found, Look, Operation, Resource, Result};
use policy::Context;
use wire::Timestamp;
use wire::typed::Empty;

use super::{ROLES, Role, SERVICE_PATH, SESSION_SECONDS_DEFAULT, arn, find, named, trust};
use crate::iam::binding;
use crate::iam::count::{self, Counted};
use crate::iam::tag::{self, Tags};

/// Makes a role (S1.10) with the trust policy that says who may assume it.
pub struct CreateRole;

const TAG_ROLE: Access = Access::tagging("iam:TagRole");

impl Operation for CreateRole {
    type Input = model::CreateRoleRequest;
    type Output = model::CreateRoleResponse;
    type Target = Denoted;
    const ACCESS: Access = Access::write("iam:CreateRole");
    const CONDITIONS: &'static [&'static str] = &[
        "iam:PermissionsBoundary",
        "aws:RequestTag/${TagKey}",
        "aws:TagKeys",
    ];
    const ALSO: &'static [Access] = &[TAG_ROLE];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Denoted>> {
        let arn = arn(
            look.account(),
            input.path.as_deref().unwrap_or("/"),
            &input.role_name,
        );
        Ok(Denoted::new(look, arn))
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        tag::tag_conditions(input.tags.as_ref(), context);
        if let Some(boundary) = &input.permissions_boundary {
            context.insert("iam:PermissionsBoundary", boundary.clone());
        }
    }

    fn handle(call: &mut Call<'_>, target: Authorized<Denoted>, input: Self::Input) -> Result<Self::Output> {
        if input.tags.as_ref().is_some_and(|tags| !tags.is_empty()) {
            let mut context = Context::new();
            Self::conditions(&input, &mut context);
            call.also(TAG_ROLE, &target.arn(), target.account(), context)?;
        }
        let mut tags = Tags::new();
        tag::merge(&mut tags, tag::read(input.tags)?, "TagsPerRole")?;
        let draft = Draft {
            name: input.role_name,
            path: input.path.unwrap_or_else(|| "/".to_owned()),
            trust: input.assume_role_policy_document,
            description: input.description.filter(|text| !text.is_empty()),
            max_session_seconds: input.max_session_duration.unwrap_or(SESSION_SECONDS_DEFAULT),
            tags,
            boundary: input.permissions_boundary,
        };
        let role = make(call, draft)?;
        // The answer tells the longest session only if the request set it, as AWS's recorded events show.
        let asked_seconds = input.max_session_duration;
        let shown = model::Role {
            max_session_duration: asked_seconds,
            role_last_used: None,
            ..role.shown_whole(call)?
        };
        call.mention(role.arn(), &role.account, Role::TYPE);
        Ok(model::CreateRoleResponse { role: shown })
    }
}

/// What a role is made of.
pub(crate) struct Draft {
    pub(crate) name: String,
    /// `/` or `/…/`
    pub(crate) path: String,
    pub(crate) trust: String,
    pub(crate) description: Option<String>,
    pub(crate) max_session_seconds: i32,
    pub(crate) tags: Tags,
    pub(crate) boundary: Option<String>,
}

/// Makes a role in the account that the call runs in.
pub(crate) fn make(call: &mut Call<'_>, draft: Draft) -> Result<Role> {
    let Draft { name, path, .. } = draft;
    if path.starts_with(SERVICE_PATH) {
        let message = format!("Path {SERVICE_PATH} is reserved for service-linked roles.");
        return Err(invalid_input_exception(message));
    }
    if find(call, &name)?.is_some() {
        return Err(entity_already_exists_exception(format!(
            "Role with name {name} already exists."
        )));
    }
    let (trust, trusted) = trust::read(call, &draft.trust)?;
    count::add(call, Counted::Roles)?;
    let role = Role {
        account: call.account().to_owned(),
        path,
        id: call.unique_id(IdPrefix::Role)?,
        created: Timestamp::from_seconds(call.now.seconds()).0,
        trust,
        trusted,
        description: draft.description,
        max_session_seconds: draft.max_session_seconds,
        tags: draft.tags,
        boundary: draft.boundary,
        attached: Vec::new(),
        inline: BTreeMap::new(),
        profiles: Vec::new(),
        last_used: None,
        name,
    };
    if let Some(policy) = &role.boundary {
        binding::bind(call, policy, "role-boundary", &role.name, &role.id)?;
    }
    call.put(&ROLES, &role.key(), role.clone())?;
    Ok(role)
}

/// Deletes a role that bears no policies any more. Its sessions end with it.
pub struct DeleteRole;

impl Operation for DeleteRole {
    type Input = model::DeleteRoleRequest;
    type Output = Empty;
    type Target = Role;
    const ACCESS: Access = Access::write("iam:DeleteRole");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Role>> {
        named(look, &input.role_name)
    }

    fn handle(call: &mut Call<'_>, role: Authorized<Role>, _input: Self::Input) -> Result<Empty> {
        role.expect_unprotected()?;
        let conflicts = [
            (
                !role.profiles.is_empty(),
                "must remove roles from instance profile first.",
            ),
            (!role.attached.is_empty(), "must detach all policies first."),
            (!role.inline.is_empty(), "must delete policies first."),
        ];
        if let Some((_, reason)) = conflicts.into_iter().find(|(holds, _)| *holds) {
            return Err(delete_conflict_exception(format!(
                "Cannot delete entity, {reason}"
            )));
        }
        if let Some(policy) = &role.boundary {
            binding::unbind(call, policy, "role-boundary", &role.name)?;
        }
        count::remove(call, Counted::Roles)?;
        call.delete(&ROLES, &role.key())?;
        Ok(Empty)
    }
}
