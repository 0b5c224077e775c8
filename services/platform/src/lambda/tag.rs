//! Tags of functions.
//!
//! Invariant: a function has fifty tags at most, and none that AWS keeps for itself.

use std::collections::BTreeMap;

use api::lambda as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use wire::Fault;
use wire::typed::Empty;

use super::fault::invalid;
use super::function::{FunctionTarget, to_change};
use super::naming::{meant, resolve_whole};

/// What it takes to tag a function.
pub(crate) const TAG: Access = Access::tagging("lambda:TagResource");
/// What it takes to see a function's tags.
pub(crate) const LIST: Access = Access::read("lambda:ListTags");
/// Tags of a function, and characters of keys and values (Lambda Developer Guide, "Using tags on Lambda functions").
const TAGS_MAX: usize = 50;
const KEY_MAX: usize = 128;
const VALUE_MAX: usize = 256;

/// Sets the condition keys of tags that a request gives.
pub(crate) fn requested(tags: Option<&BTreeMap<String, String>>, context: &mut Context) {
    let Some(tags) = tags.filter(|tags| !tags.is_empty()) else {
        return;
    };
    for (key, value) in tags {
        context.insert(format!("aws:RequestTag/{key}"), value.clone());
    }
    context.insert_many("aws:TagKeys", tags.keys().cloned().collect::<Vec<_>>());
}

/// AWS keeps names that begin with `aws:` for itself, and for services such as CloudFormation.
fn expect_own(call: &Call<'_>, key: &str) -> Result<()> {
    if key.to_ascii_lowercase().starts_with("aws:") && call.made_by().is_none() {
        return Err(invalid("Tag keys that begin with aws: are reserved for AWS."));
    }
    Ok(())
}

/// Checks the tags of a request.
pub(crate) fn read(call: &Call<'_>, tags: BTreeMap<String, String>) -> Result<BTreeMap<String, String>> {
    for (key, value) in &tags {
        expect_own(call, key)?;
        if key.is_empty() || key.chars().count() > KEY_MAX || value.chars().count() > VALUE_MAX {
            return Err(Fault::validation(format!(
                "1 validation error detected: Value at 'tags' failed to satisfy constraint: Map keys must have length between 1 and \
                 {KEY_MAX}, map values at most {VALUE_MAX}"
            )));
        }
    }
    expect_few(&tags)?;
    Ok(tags)
}

fn expect_few(tags: &BTreeMap<String, String>) -> Result<()> {
    if tags.len() > TAGS_MAX {
        return Err(invalid("Number of tags exceeds resource tag limit."));
    }
    Ok(())
}

fn target(look: &mut Look<'_>, resource: &str) -> Result<Found<FunctionTarget>> {
    if !resource.contains(":function:") {
        return Err(invalid("The resource is not a function of Lambda."));
    }
    resolve_whole(look, resource)
}

/// Adds tags, or changes their values.
pub struct TagResource;

impl Operation for TagResource {
    type Input = model::TagResourceRequest;
    type Output = Empty;
    type Target = FunctionTarget;
    const ACCESS: Access = TAG;
    const CONDITIONS: &'static [&'static str] = &["aws:RequestTag/${TagKey}", "aws:TagKeys"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<FunctionTarget>> {
        target(look, &input.resource)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        requested(Some(&input.tags), context);
    }

    fn handle(call: &mut Call<'_>, target: Authorized<FunctionTarget>, input: Self::Input) -> Result<Empty> {
        call.share_with(&target.account);
        meant(call, &target)?;
        let mut function = to_change(&target);
        let mut tags = std::mem::take(&mut function.tags);
        tags.extend(read(call, input.tags)?);
        expect_few(&tags)?;
        function.tags = tags;
        function.keep(call)?;
        Ok(Empty)
    }
}

/// Removes tags.
pub struct UntagResource;

impl Operation for UntagResource {
    type Input = model::UntagResourceRequest;
    type Output = Empty;
    type Target = FunctionTarget;
    const ACCESS: Access = Access::tagging("lambda:UntagResource");
    const CONDITIONS: &'static [&'static str] = &["aws:TagKeys"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<FunctionTarget>> {
        target(look, &input.resource)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        context.insert_many("aws:TagKeys", input.tag_keys.clone());
    }

    fn handle(call: &mut Call<'_>, target: Authorized<FunctionTarget>, input: Self::Input) -> Result<Empty> {
        call.share_with(&target.account);
        meant(call, &target)?;
        for key in &input.tag_keys {
            expect_own(call, key)?;
        }
        let mut function = to_change(&target);
        function.tags.retain(|key, _| !input.tag_keys.contains(key));
        function.keep(call)?;
        Ok(Empty)
    }
}

/// Lists tags.
pub struct ListTags;

impl Operation for ListTags {
    type Input = model::ListTagsRequest;
    type Output = model::ListTagsResponse;
    type Target = FunctionTarget;
    const ACCESS: Access = LIST;

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<FunctionTarget>> {
        target(look, &input.resource)
    }

    fn handle(
        call: &mut Call<'_>,
        target: Authorized<FunctionTarget>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        call.share_with(&target.account);
        meant(call, &target)?;
        Ok(model::ListTagsResponse {
            tags: Some(target.tags.clone()),
        })
    }
}
