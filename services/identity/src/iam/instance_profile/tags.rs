//! The tags of instance profiles.

use api::iam as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use wire::typed::Empty;

use super::{INSTANCE_PROFILES, InstanceProfile, named};
use crate::iam::page::Page;
use crate::iam::tag;

/// Sets tags of an instance profile.
pub struct TagInstanceProfile;

impl Operation for TagInstanceProfile {
    type Input = model::TagInstanceProfileRequest;
    type Output = Empty;
    type Target = InstanceProfile;
    const ACCESS: Access = Access::tagging("iam:TagInstanceProfile");
    const CONDITIONS: &'static [&'static str] = &["aws:RequestTag/${TagKey}", "aws:TagKeys"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<InstanceProfile>> {
        named(look, &input.instance_profile_name)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        tag::tag_conditions(Some(&input.tags), context);
    }

    fn handle(
        call: &mut Call<'_>,
        profile: Authorized<InstanceProfile>,
        input: Self::Input,
    ) -> Result<Empty> {
        let mut profile = profile.into_inner();
        tag::merge(
            &mut profile.tags,
            tag::read(Some(input.tags))?,
            "TagsPerInstanceProfile",
        )?;
        call.put(&INSTANCE_PROFILES, &profile.key(), profile)?;
        Ok(Empty)
    }
}

/// Removes tags of an instance profile.
pub struct UntagInstanceProfile;

impl Operation for UntagInstanceProfile {
    type Input = model::UntagInstanceProfileRequest;
    type Output = Empty;
    type Target = InstanceProfile;
    const ACCESS: Access = Access::tagging("iam:UntagInstanceProfile");
    const CONDITIONS: &'static [&'static str] = &["aws:TagKeys"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<InstanceProfile>> {
        named(look, &input.instance_profile_name)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        context.insert_many("aws:TagKeys", input.tag_keys.clone());
    }

    fn handle(
        call: &mut Call<'_>,
        profile: Authorized<InstanceProfile>,
        input: Self::Input,
    ) -> Result<Empty> {
        let mut profile = profile.into_inner();
        tag::remove(&mut profile.tags, &input.tag_keys);
        call.put(&INSTANCE_PROFILES, &profile.key(), profile)?;
        Ok(Empty)
    }
}

/// Lists the tags of an instance profile, sorted by key.
pub struct ListInstanceProfileTags;

impl Operation for ListInstanceProfileTags {
    type Input = model::ListInstanceProfileTagsRequest;
    type Output = model::ListInstanceProfileTagsResponse;
    type Target = InstanceProfile;
    const ACCESS: Access = Access::list("iam:ListInstanceProfileTags");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<InstanceProfile>> {
        named(look, &input.instance_profile_name)
    }

    fn handle(
        call: &mut Call<'_>,
        profile: Authorized<InstanceProfile>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let list = format!("ListInstanceProfileTags/{}", profile.id);
        let page = Page::read(call, &list, input.marker.as_deref(), input.max_items)?;
        let mut tags = profile.into_inner().tags;
        tags.sort();
        let paged = page.of_sorted(call, tags.into_iter().map(|tag| (tag.0.clone(), tag)))?;
        Ok(model::ListInstanceProfileTagsResponse {
            is_truncated: paged.truncated(),
            tags: tag::list(&paged.items),
            marker: paged.marker,
        })
    }
}
