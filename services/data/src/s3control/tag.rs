//! Tags of buckets by ARN.
//!
//! Source: S3 Control API Reference, "TagResource".

use api::s3 as objects;
use api::s3control as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::{Arn, Context};
use wire::Fault;

use crate::s3::bucket::{BucketTarget, tagging, to_change};
use crate::s3::locate;

/// Tags of one bucket.
const TAGS_MAX: usize = 50;

/// The bucket of an ARN; nothing else that the service tags is there.
fn named(look: &mut Look<'_>, arn: &str) -> Result<Found<BucketTarget>> {
    let parsed = Arn::parse(arn);
    let bucket = parsed
        .as_ref()
        .filter(|arn| arn.service() == "s3" && arn.account().is_empty() && !arn.resource().contains('/'));
    match bucket {
        Some(arn) => {
            let name = arn.resource().to_owned();
            locate::bucket(look, &name, None)
        }
        None => Ok(Found::Absent {
            arn: arn.to_owned(),
            fault: Fault::plain("NoSuchResource", 404, "The specified resource doesn't exist."),
        }),
    }
}

fn expect_own(call: &Call<'_>, account: &str) -> Result<()> {
    super::account::own(call, account).map(|_| ())
}

/// Shows a bucket's tags.
pub struct ListTagsForResource;

impl Operation for ListTagsForResource {
    type Input = model::ListTagsForResourceRequest;
    type Output = model::ListTagsForResourceResult;
    type Target = BucketTarget;
    const ACCESS: Access = Access::list("s3:ListTagsForResource");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<BucketTarget>> {
        named(look, &input.resource_arn)
    }

    fn handle(
        call: &mut Call<'_>,
        bucket: Authorized<BucketTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        expect_own(call, &input.account_id)?;
        let tags = bucket.tags.iter().map(|(key, value)| model::Tag {
            key: key.clone(),
            value: value.clone(),
        });
        Ok(model::ListTagsForResourceResult {
            tags: Some(tags.collect()),
        })
    }
}

/// Gives a bucket further tags, or other values to those that it has.
pub struct TagResource;

impl Operation for TagResource {
    type Input = model::TagResourceRequest;
    type Output = model::TagResourceResult;
    type Target = BucketTarget;
    const ACCESS: Access = Access::tagging("s3:TagResource");
    const CONDITIONS: &'static [&'static str] = &["aws:RequestTag/${TagKey}", "aws:TagKeys"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<BucketTarget>> {
        named(look, &input.resource_arn)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        for tag in &input.tags {
            context.insert(format!("aws:RequestTag/{}", tag.key), tag.value.clone());
        }
        context.insert_many("aws:TagKeys", input.tags.iter().map(|tag| tag.key.clone()));
    }

    fn handle(
        call: &mut Call<'_>,
        bucket: Authorized<BucketTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        expect_own(call, &input.account_id)?;
        let given: Vec<_> = input
            .tags
            .into_iter()
            .map(|tag| objects::Tag {
                key: tag.key,
                value: tag.value,
            })
            .collect();
        let given = tagging::collect(&given, TAGS_MAX)?;
        let mut bucket = to_change(&bucket);
        bucket.tags.extend(given);
        if bucket.tags.len() > TAGS_MAX {
            return Err(Fault::plain("TooManyTags", 400, "A bucket has at most 50 tags."));
        }
        bucket.keep(call)?;
        Ok(model::TagResourceResult::default())
    }
}

/// Takes tags away by their keys.
pub struct UntagResource;

impl Operation for UntagResource {
    type Input = model::UntagResourceRequest;
    type Output = model::UntagResourceResult;
    type Target = BucketTarget;
    const ACCESS: Access = Access::tagging("s3:UntagResource");
    const CONDITIONS: &'static [&'static str] = &["aws:TagKeys"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<BucketTarget>> {
        named(look, &input.resource_arn)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        context.insert_many("aws:TagKeys", input.tag_keys.iter().cloned());
    }

    fn handle(
        call: &mut Call<'_>,
        bucket: Authorized<BucketTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        expect_own(call, &input.account_id)?;
        let mut bucket = to_change(&bucket);
        for key in &input.tag_keys {
            bucket.tags.remove(key);
        }
        bucket.keep(call)?;
        Ok(model::UntagResourceResult::default())
    }
}
