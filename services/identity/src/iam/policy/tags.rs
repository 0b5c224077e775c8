//! Tags of customer managed policies.

use api::iam as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use wire::typed::Empty;

use super::{AnyPolicy, POLICIES, named};
use crate::iam::page::Page;
use crate::iam::tag::{self, Tags};

/// Sets tags, over those that are there.
pub struct TagPolicy;

impl Operation for TagPolicy {
    type Input = model::TagPolicyRequest;
    type Output = Empty;
    type Target = AnyPolicy;
    const ACCESS: Access = Access::tagging("iam:TagPolicy");
    const CONDITIONS: &'static [&'static str] = &["aws:RequestTag/${TagKey}", "aws:TagKeys"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<AnyPolicy>> {
        named(look, &input.policy_arn)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        tag::tag_conditions(Some(&input.tags), context);
    }

    fn handle(call: &mut Call<'_>, policy: Authorized<AnyPolicy>, input: Self::Input) -> Result<Empty> {
        let mut policy = policy.into_inner().changeable(call, Self::ACCESS)?;
        tag::merge(&mut policy.tags, tag::read(Some(input.tags))?, "TagsPerPolicy")?;
        call.put(&POLICIES, &policy.key(), policy)?;
        Ok(Empty)
    }
}

/// Takes tags away.
pub struct UntagPolicy;

impl Operation for UntagPolicy {
    type Input = model::UntagPolicyRequest;
    type Output = Empty;
    type Target = AnyPolicy;
    const ACCESS: Access = Access::tagging("iam:UntagPolicy");
    const CONDITIONS: &'static [&'static str] = &["aws:TagKeys"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<AnyPolicy>> {
        named(look, &input.policy_arn)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        context.insert_many("aws:TagKeys", input.tag_keys.clone());
    }

    fn handle(call: &mut Call<'_>, policy: Authorized<AnyPolicy>, input: Self::Input) -> Result<Empty> {
        let mut policy = policy.into_inner().changeable(call, Self::ACCESS)?;
        tag::remove(&mut policy.tags, &input.tag_keys);
        call.put(&POLICIES, &policy.key(), policy)?;
        Ok(Empty)
    }
}

/// Lists the tags, sorted by key; AWS's policies have none.
pub struct ListPolicyTags;

impl Operation for ListPolicyTags {
    type Input = model::ListPolicyTagsRequest;
    type Output = model::ListPolicyTagsResponse;
    type Target = AnyPolicy;
    const ACCESS: Access = Access::list("iam:ListPolicyTags");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<AnyPolicy>> {
        named(look, &input.policy_arn)
    }

    fn handle(
        call: &mut Call<'_>,
        policy: Authorized<AnyPolicy>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let list = format!("ListPolicyTags/{}", input.policy_arn);
        let page = Page::read(call, &list, input.marker.as_deref(), input.max_items)?;
        let mut tags = match &*policy {
            AnyPolicy::Customer(policy) => policy.tags.clone(),
            AnyPolicy::Aws { .. } => Tags::new(),
        };
        tags.sort();
        let paged = page.of_sorted(call, tags.into_iter().map(|tag| (tag.0.clone(), tag)))?;
        Ok(model::ListPolicyTagsResponse {
            is_truncated: paged.truncated(),
            tags: tag::list(&paged.items),
            marker: paged.marker,
        })
    }
}
