//! The tags of roles, which conditions see as `aws:PrincipalTag/…` and `aws:ResourceTag/…`.

use api::iam as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use wire::typed::Empty;

use super::{ROLES, Role, named};
use crate::iam::page::Page;
use crate::iam::tag;

/// Sets tags of a role.
pub struct TagRole;

impl Operation for TagRole {
    type Input = model::TagRoleRequest;
    type Output = Empty;
    type Target = Role;
    const ACCESS: Access = Access::tagging("iam:TagRole");
    const CONDITIONS: &'static [&'static str] = &["aws:RequestTag/${TagKey}", "aws:TagKeys"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Role>> {
        named(look, &input.role_name)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        tag::tag_conditions(Some(&input.tags), context);
    }

    fn handle(call: &mut Call<'_>, role: Authorized<Role>, input: Self::Input) -> Result<Empty> {
        let mut role = role.into_inner();
        tag::merge(&mut role.tags, tag::read(Some(input.tags))?, "TagsPerRole")?;
        call.put(&ROLES, &role.key(), role)?;
        Ok(Empty)
    }
}

/// Removes tags of a role.
pub struct UntagRole;

impl Operation for UntagRole {
    type Input = model::UntagRoleRequest;
    type Output = Empty;
    type Target = Role;
    const ACCESS: Access = Access::tagging("iam:UntagRole");
    const CONDITIONS: &'static [&'static str] = &["aws:TagKeys"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Role>> {
        named(look, &input.role_name)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        context.insert_many("aws:TagKeys", input.tag_keys.clone());
    }

    fn handle(call: &mut Call<'_>, role: Authorized<Role>, input: Self::Input) -> Result<Empty> {
        let mut role = role.into_inner();
        tag::remove(&mut role.tags, &input.tag_keys);
        call.put(&ROLES, &role.key(), role)?;
        Ok(Empty)
    }
}

/// Lists the tags of a role, sorted by key.
pub struct ListRoleTags;

impl Operation for ListRoleTags {
    type Input = model::ListRoleTagsRequest;
    type Output = model::ListRoleTagsResponse;
    type Target = Role;
    const ACCESS: Access = Access::list("iam:ListRoleTags");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Role>> {
        named(look, &input.role_name)
    }

    fn handle(call: &mut Call<'_>, role: Authorized<Role>, input: Self::Input) -> Result<Self::Output> {
        let list = format!("ListRoleTags/{}", role.id);
        let page = Page::read(call, &list, input.marker.as_deref(), input.max_items)?;
        let mut tags = role.into_inner().tags;
        tags.sort();
        let paged = page.of_sorted(call, tags.into_iter().map(|tag| (tag.0.clone(), tag)))?;
        Ok(model::ListRoleTagsResponse {
            is_truncated: paged.truncated(),
            tags: tag::list(&paged.items),
            marker: paged.marker,
        })
    }
}
