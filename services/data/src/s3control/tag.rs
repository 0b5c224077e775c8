//! Tags of buckets and access points by ARN.
//!
//! Source: S3 Control API Reference, "TagResource".

use std::collections::BTreeMap;

use api::s3 as objects;
use api::s3control as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource, ResourcePolicies, Result};
use policy::{Arn, Context};
use wire::Fault;

use super::access_point::{self as points, AccessPointTarget};
use crate::s3::access_point::{self, AccessPoint};
use crate::s3::bucket::{Bucket, BucketTarget, tagging};
use crate::s3::locate;

/// Tags of one resource.
const TAGS_MAX: usize = 50;

/// A bucket, or an access point.
pub enum Tagged {
    Bucket(BucketTarget),
    AccessPoint(Box<AccessPointTarget>),
}

impl Tagged {
    fn tags(&self) -> &BTreeMap<String, String> {
        match self {
            Self::Bucket(bucket) => &bucket.tags,
            Self::AccessPoint(point) => &point.0.tags,
        }
    }

    fn keep(&self, call: &mut Call<'_>, tags: BTreeMap<String, String>) -> Result<()> {
        match self {
            Self::Bucket(bucket) => {
                let mut bucket: Bucket = (*bucket.shared()).clone();
                bucket.tags = tags;
                bucket.keep(call)
            }
            Self::AccessPoint(point) => {
                let mut point: AccessPoint = (*point.0).clone();
                point.tags = tags;
                point.keep(call)
            }
        }
    }

    /// Names it in the record, by its own type.
    fn mention(&self, call: &mut Call<'_>) {
        let kind = match self {
            Self::Bucket(_) => BucketTarget::TYPE,
            Self::AccessPoint(_) => AccessPointTarget::TYPE,
        };
        call.mention(self.arn(), self.account(), kind);
    }
}

impl Resource for Tagged {
    /// Each is recorded by its own.
    const TYPE: &'static str = "";

    fn arn(&self) -> String {
        match self {
            Self::Bucket(bucket) => Resource::arn(bucket),
            Self::AccessPoint(point) => point.arn(),
        }
    }

    fn account(&self) -> &str {
        match self {
            Self::Bucket(bucket) => Resource::account(bucket),
            Self::AccessPoint(point) => point.account(),
        }
    }

    fn policies(&self, look: &mut Look<'_>) -> Result<ResourcePolicies> {
        match self {
            Self::Bucket(bucket) => bucket.policies(look),
            Self::AccessPoint(point) => point.policies(look),
        }
    }

    fn conditions(&self, context: &mut Context) {
        match self {
            Self::Bucket(bucket) => Resource::conditions(bucket, context),
            Self::AccessPoint(point) => point.conditions(context),
        }
    }
}

/// The bucket or access point of an ARN; nothing else that the service tags is there.
fn named(look: &mut Look<'_>, arn: &str) -> Result<Found<Tagged>> {
    let parsed = Arn::parse(arn);
    if let Some((account, region, name)) = access_point::of_arn(arn)
        && region == look.region()
    {
        return Ok(match points::find(look, &account, &name)? {
            Found::Here(point) => Found::Here(Tagged::AccessPoint(Box::new(point))),
            Found::Absent { arn, fault } => Found::Absent { arn, fault },
        });
    }
    let bucket = parsed
        .as_ref()
        .filter(|arn| arn.service() == "s3" && arn.account().is_empty() && !arn.resource().contains('/'));
    match bucket {
        Some(arn) => {
            let name = arn.resource().to_owned();
            Ok(match locate::bucket(look, &name, None)? {
                Found::Here(bucket) => Found::Here(Tagged::Bucket(bucket)),
                Found::Absent { arn, fault } => Found::Absent { arn, fault },
            })
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

/// Shows a resource's tags.
pub struct ListTagsForResource;

impl Operation for ListTagsForResource {
    type Input = model::ListTagsForResourceRequest;
    type Output = model::ListTagsForResourceResult;
    type Target = Tagged;
    const ACCESS: Access = Access::list("s3:ListTagsForResource");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Tagged>> {
        named(look, &input.resource_arn)
    }

    fn handle(call: &mut Call<'_>, tagged: Authorized<Tagged>, input: Self::Input) -> Result<Self::Output> {
        expect_own(call, &input.account_id)?;
        tagged.mention(call);
        let tags = tagged.tags().iter().map(|(key, value)| model::Tag {
            key: key.clone(),
            value: value.clone(),
        });
        Ok(model::ListTagsForResourceResult {
            tags: Some(tags.collect()),
        })
    }
}

/// Gives a resource further tags, or other values to those that it has.
pub struct TagResource;

impl Operation for TagResource {
    type Input = model::TagResourceRequest;
    type Output = model::TagResourceResult;
    type Target = Tagged;
    const ACCESS: Access = Access::tagging("s3:TagResource");
    const CONDITIONS: &'static [&'static str] = &["aws:RequestTag/${TagKey}", "aws:TagKeys"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Tagged>> {
        named(look, &input.resource_arn)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        for tag in &input.tags {
            context.insert(format!("aws:RequestTag/{}", tag.key), tag.value.clone());
        }
        context.insert_many("aws:TagKeys", input.tags.iter().map(|tag| tag.key.clone()));
    }

    fn handle(call: &mut Call<'_>, tagged: Authorized<Tagged>, input: Self::Input) -> Result<Self::Output> {
        expect_own(call, &input.account_id)?;
        tagged.mention(call);
        let given: Vec<_> = input
            .tags
            .into_iter()
            .map(|tag| objects::Tag {
                key: tag.key,
                value: tag.value,
            })
            .collect();
        let given = tagging::collect(&given, TAGS_MAX)?;
        let mut tags = tagged.tags().clone();
        tags.extend(given);
        if tags.len() > TAGS_MAX {
            return Err(Fault::plain(
                "TooManyTags",
                400,
                "A resource has at most 50 tags.",
            ));
        }
        tagged.keep(call, tags)?;
        Ok(model::TagResourceResult::default())
    }
}

/// Takes tags away by their keys.
pub struct UntagResource;

impl Operation for UntagResource {
    type Input = model::UntagResourceRequest;
    type Output = model::UntagResourceResult;
    type Target = Tagged;
    const ACCESS: Access = Access::tagging("s3:UntagResource");
    const CONDITIONS: &'static [&'static str] = &["aws:TagKeys"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Tagged>> {
        named(look, &input.resource_arn)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        context.insert_many("aws:TagKeys", input.tag_keys.iter().cloned());
    }

    fn handle(call: &mut Call<'_>, tagged: Authorized<Tagged>, input: Self::Input) -> Result<Self::Output> {
        expect_own(call, &input.account_id)?;
        tagged.mention(call);
        let gone = input.tag_keys.iter().map(String::as_str);
        tagging::expect_kept(call, tagged.tags(), gone)?;
        let mut tags = tagged.tags().clone();
        for key in &input.tag_keys {
            tags.remove(key);
        }
        tagged.keep(call, tags)?;
        Ok(model::UntagResourceResult::default())
    }
}
