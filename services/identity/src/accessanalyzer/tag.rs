//! Tags of analyzers.

use std::collections::BTreeMap;

use api::accessanalyzer as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;

use super::analyzer::{ANALYZERS, Analyzer, by_arn};
use super::fault::invalid;

/// Tags that one analyzer may have.
const TAGS_MAX: usize = 50;

/// Sets `aws:RequestTag/…` and `aws:TagKeys`.
pub(super) fn request_conditions(tags: &BTreeMap<String, String>, context: &mut Context) {
    for (key, value) in tags {
        context.insert(format!("aws:RequestTag/{key}"), value.clone());
    }
    context.insert_many("aws:TagKeys", tags.keys().cloned());
}

/// AWS keeps names that begin with `aws:` for itself, and for services such as CloudFormation.
fn expect_own(call: &Call<'_>, key: &str) -> Result<()> {
    let head = key.get(..4).filter(|_| call.made_by().is_none());
    if head.is_some_and(|head| head.eq_ignore_ascii_case("aws:")) {
        return Err(invalid(format!("The tag key {key} is not valid.")));
    }
    Ok(())
}

/// Lays `new` over `held`.
pub(super) fn merge(
    call: &Call<'_>,
    held: &mut BTreeMap<String, String>,
    new: BTreeMap<String, String>,
) -> Result<()> {
    for (key, value) in new {
        expect_own(call, &key)?;
        if key.is_empty() || key.chars().count() > 128 {
            return Err(invalid(format!("The tag key {key} is not valid.")));
        }
        if value.chars().count() > 256 {
            return Err(invalid(format!("The value of the tag {key} is too long.")));
        }
        held.insert(key, value);
    }
    if held.len() > TAGS_MAX {
        return Err(invalid(format!("A resource has at most {TAGS_MAX} tags.")));
    }
    Ok(())
}

/// Sets tags of an analyzer.
pub struct TagResource;

impl Operation for TagResource {
    type Input = model::TagResourceRequest;
    type Output = model::TagResourceResponse;
    type Target = Analyzer;
    const ACCESS: Access = Access::tagging("access-analyzer:TagResource");
    const CONDITIONS: &'static [&'static str] = &["aws:RequestTag/${TagKey}", "aws:TagKeys"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Analyzer>> {
        by_arn(look, &input.resource_arn)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        request_conditions(&input.tags, context);
    }

    fn handle(
        call: &mut Call<'_>,
        analyzer: Authorized<Analyzer>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let mut analyzer = analyzer.into_inner();
        merge(call, &mut analyzer.tags, input.tags)?;
        call.put(&ANALYZERS, &analyzer.key(), analyzer)?;
        Ok(model::TagResourceResponse {})
    }
}

/// Takes tags of an analyzer away; absent ones are no error.
pub struct UntagResource;

impl Operation for UntagResource {
    type Input = model::UntagResourceRequest;
    type Output = model::UntagResourceResponse;
    type Target = Analyzer;
    const ACCESS: Access = Access::tagging("access-analyzer:UntagResource");
    const CONDITIONS: &'static [&'static str] = &["aws:TagKeys"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Analyzer>> {
        by_arn(look, &input.resource_arn)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        context.insert_many("aws:TagKeys", input.tag_keys.iter().cloned());
    }

    fn handle(
        call: &mut Call<'_>,
        analyzer: Authorized<Analyzer>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let mut analyzer = analyzer.into_inner();
        for key in &input.tag_keys {
            expect_own(call, key)?;
        }
        analyzer.tags.retain(|key, _| !input.tag_keys.contains(key));
        call.put(&ANALYZERS, &analyzer.key(), analyzer)?;
        Ok(model::UntagResourceResponse {})
    }
}

/// Lists the tags of an analyzer.
pub struct ListTagsForResource;

impl Operation for ListTagsForResource {
    type Input = model::ListTagsForResourceRequest;
    type Output = model::ListTagsForResourceResponse;
    type Target = Analyzer;
    const ACCESS: Access = Access::read("access-analyzer:ListTagsForResource");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Analyzer>> {
        by_arn(look, &input.resource_arn)
    }

    fn handle(
        _call: &mut Call<'_>,
        analyzer: Authorized<Analyzer>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        Ok(model::ListTagsForResourceResponse {
            tags: Some(analyzer.into_inner().tags),
        })
    }
}
