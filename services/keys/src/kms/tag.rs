//! A key's tags, which policies can ask for (`aws:ResourceTag/…`).

use std::collections::BTreeMap;

use api::kms as model;
use api::kms::fault::{limit_exceeded_exception, tag_exception};
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use wire::typed::Empty;

use crate::kms::key::{KeyTarget, to_change};
use crate::kms::naming::{Reach, resolve};
use crate::kms::page::Page;

/// What it takes to tag a key, at its making or later.
pub(crate) const TAG: Access = Access::tagging("kms:TagResource");
/// Tags of one key (KMS Developer Guide, "Tags in AWS KMS").
const TAGS_MAX: usize = 50;

/// Reads the tags of a request.
pub(crate) fn read(tags: Vec<model::Tag>) -> Result<BTreeMap<String, String>> {
    expect_few(&tags)?;
    let mut read = BTreeMap::new();
    for tag in tags {
        expect_own(&tag.tag_key)?;
        if read.insert(tag.tag_key, tag.tag_value).is_some() {
            return Err(tag_exception("Duplicate tag keys"));
        }
    }
    Ok(read)
}

/// Refuses more tags than a key can have before they become condition keys, which cost the more the more there are.
pub(crate) fn expect_few(tags: &[model::Tag]) -> Result<()> {
    if tags.len() > TAGS_MAX {
        return Err(tag_exception("Too many tags"));
    }
    Ok(())
}

/// AWS keeps names that begin with `aws:` for itself.
fn expect_own(name: &str) -> Result<()> {
    if name
        .get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case("aws:"))
    {
        return Err(tag_exception(
            "Tag keys that begin with aws: are reserved for AWS use",
        ));
    }
    Ok(())
}

/// Tags as answers show them.
pub(crate) fn listed(tags: &BTreeMap<String, String>) -> Vec<model::Tag> {
    let shown = |(name, value): (&String, &String)| model::Tag {
        tag_key: name.clone(),
        tag_value: value.clone(),
    };
    tags.iter().map(shown).collect()
}

/// Sets the condition keys of the tags in a request.
pub(crate) fn requested(tags: &[model::Tag], context: &mut Context) {
    for tag in tags {
        context.insert(format!("aws:RequestTag/{}", tag.tag_key), tag.tag_value.clone());
    }
    if !tags.is_empty() {
        context.insert_many("aws:TagKeys", tags.iter().map(|tag| tag.tag_key.clone()));
    }
}

/// The same for tags that were read.
pub(crate) fn in_request(tags: &BTreeMap<String, String>, context: &mut Context) {
    for (name, value) in tags {
        context.insert(format!("aws:RequestTag/{name}"), value.clone());
    }
    context.insert_many("aws:TagKeys", tags.keys().cloned());
}

/// Adds tags, or gives those that are there another value.
pub struct TagResource;

impl Operation for TagResource {
    type Input = model::TagResourceRequest;
    type Output = Empty;
    type Target = KeyTarget;
    const ACCESS: Access = TAG;
    const CONDITIONS: &'static [&'static str] = &["aws:RequestTag/${TagKey}", "aws:TagKeys"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<KeyTarget>> {
        expect_few(&input.tags)?;
        resolve(look, &input.key_id, Self::ACCESS, Reach::Own)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        requested(&input.tags, context);
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, input: Self::Input) -> Result<Empty> {
        key.expect_staying()?;
        let mut key = to_change(&key);
        key.tags.extend(read(input.tags)?);
        if key.tags.len() > TAGS_MAX {
            return Err(limit_exceeded_exception(format!(
                "{} would have more than {TAGS_MAX} tags.",
                key.arn()
            )));
        }
        key.keep(call)?;
        Ok(Empty)
    }
}

/// Removes tags; names that no tag bears are passed over.
pub struct UntagResource;

impl Operation for UntagResource {
    type Input = model::UntagResourceRequest;
    type Output = Empty;
    type Target = KeyTarget;
    const ACCESS: Access = Access::tagging("kms:UntagResource");
    const CONDITIONS: &'static [&'static str] = &["aws:TagKeys"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<KeyTarget>> {
        resolve(look, &input.key_id, Self::ACCESS, Reach::Own)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        context.insert_many("aws:TagKeys", input.tag_keys.iter().cloned());
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, input: Self::Input) -> Result<Empty> {
        key.expect_staying()?;
        let mut key = to_change(&key);
        for name in &input.tag_keys {
            expect_own(name)?;
            key.tags.remove(name);
        }
        key.keep(call)?;
        Ok(Empty)
    }
}

/// Lists a key's tags.
pub struct ListResourceTags;

impl Operation for ListResourceTags {
    type Input = model::ListResourceTagsRequest;
    type Output = model::ListResourceTagsResponse;
    type Target = KeyTarget;
    const ACCESS: Access = Access::list("kms:ListResourceTags");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<KeyTarget>> {
        resolve(look, &input.key_id, Self::ACCESS, Reach::Own)
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, input: Self::Input) -> Result<Self::Output> {
        let list = format!("ListResourceTags {}", key.id);
        let page = Page::read(call, &list, input.marker.as_deref(), input.limit, (50, 50))?;
        let tags = key.tags.iter().filter(|(name, _)| page.reaches(name));
        let tags: Vec<_> = tags
            .map(|(name, value)| {
                (
                    name.clone(),
                    model::Tag {
                        tag_key: name.clone(),
                        tag_value: value.clone(),
                    },
                )
            })
            .collect();
        let paged = page.close(call, tags.into_iter())?;
        Ok(model::ListResourceTagsResponse {
            truncated: Some(paged.next.is_some()),
            next_marker: paged.next,
            tags: Some(paged.items),
        })
    }
}
