//! The tags of users, which conditions see as `aws:PrincipalTag/…` and `aws:ResourceTag/…`.

use api::iam as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use wire::typed::Empty;

use super::{TAG_USER, USERS, User, named};
use crate::iam::page::Page;
use crate::iam::tag;

/// Sets tags of a user.
pub struct TagUser;

impl Operation for TagUser {
    type Input = model::TagUserRequest;
    type Output = Empty;
    type Target = User;
    const ACCESS: Access = TAG_USER;
    const CONDITIONS: &'static [&'static str] = &["aws:RequestTag/${TagKey}", "aws:TagKeys"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<User>> {
        named(look, &input.user_name)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        tag::tag_conditions(Some(&input.tags), context);
    }

    fn handle(call: &mut Call<'_>, user: Authorized<User>, input: Self::Input) -> Result<Empty> {
        let mut user = user.into_inner();
        tag::merge(&mut user.tags, tag::read(Some(input.tags))?, "TagsPerUser")?;
        call.put(&USERS, &user.key(), user)?;
        Ok(Empty)
    }
}

/// Removes tags of a user.
pub struct UntagUser;

impl Operation for UntagUser {
    type Input = model::UntagUserRequest;
    type Output = Empty;
    type Target = User;
    const ACCESS: Access = Access::tagging("iam:UntagUser");
    const CONDITIONS: &'static [&'static str] = &["aws:TagKeys"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<User>> {
        named(look, &input.user_name)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        context.insert_many("aws:TagKeys", input.tag_keys.clone());
    }

    fn handle(call: &mut Call<'_>, user: Authorized<User>, input: Self::Input) -> Result<Empty> {
        let mut user = user.into_inner();
        tag::remove(&mut user.tags, &input.tag_keys);
        call.put(&USERS, &user.key(), user)?;
        Ok(Empty)
    }
}

/// Lists the tags of a user, sorted by key.
pub struct ListUserTags;

impl Operation for ListUserTags {
    type Input = model::ListUserTagsRequest;
    type Output = model::ListUserTagsResponse;
    type Target = User;
    const ACCESS: Access = Access::list("iam:ListUserTags");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<User>> {
        named(look, &input.user_name)
    }

    fn handle(call: &mut Call<'_>, user: Authorized<User>, input: Self::Input) -> Result<Self::Output> {
        let list = format!("ListUserTags/{}", user.id);
        let page = Page::read(call, &list, input.marker.as_deref(), input.max_items)?;
        let mut tags = user.into_inner().tags;
        tags.sort();
        let paged = page.of_sorted(call, tags.into_iter().map(|tag| (tag.0.clone(), tag)))?;
        Ok(model::ListUserTagsResponse {
            is_truncated: paged.truncated(),
            tags: tag::list(&paged.items),
            marker: paged.marker,
        })
    }
}
