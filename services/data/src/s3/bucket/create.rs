//! The making of a bucket.
//!
//! Source: S3 API Reference, "CreateBucket".

use std::collections::BTreeMap;

use api::s3 as model;
use api::s3::fault::{bucket_already_exists, bucket_already_owned_by_you};
use pipeline::{Access, Authorized, Call, Denoted, Found, Look, Operation, Result};
use policy::Context;
use wire::Fault;

use super::{BUCKETS, Bucket, OWNED, ObjectLock, Owned, Versioning, arn, name};
use crate::s3::fault::text;

const LOCK: Access = Access::write("s3:PutBucketObjectLockConfiguration");
const VERSIONING: Access = Access::write("s3:PutBucketVersioning");
const OWNERSHIP: Access = Access::write("s3:PutBucketOwnershipControls");
const TAG: Access = Access::tagging("s3:TagResource");
/// Buckets of one account (S3 User Guide, "Quotas").
const BUCKETS_MAX: usize = 10_000;
const OLDEST_REGION: &str = "us-east-1";

/// Makes a bucket.
pub struct CreateBucket;

impl Operation for CreateBucket {
    type Input = model::CreateBucketRequest;
    type Output = model::CreateBucketOutput;
    type Target = Denoted;
    const ACCESS: Access = Access::write("s3:CreateBucket");
    const CONDITIONS: &'static [&'static str] = &[
        "aws:RequestTag/${TagKey}",
        "aws:TagKeys",
        "s3:locationconstraint",
        "s3:x-amz-acl",
        "s3:x-amz-object-ownership",
    ];
    const ALSO: &'static [Access] = &[LOCK, VERSIONING, OWNERSHIP, TAG];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Denoted>> {
        Ok(Denoted::new(look, arn(&input.bucket)))
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        if let Some(constraint) = constraint(input) {
            context.insert("s3:locationconstraint", constraint.to_owned());
        }
        if let Some(acl) = &input.acl {
            context.insert("s3:x-amz-acl", acl.as_str());
        }
        if let Some(ownership) = &input.object_ownership {
            context.insert("s3:x-amz-object-ownership", ownership.as_str());
        }
        let tags = tags(input);
        for tag in tags {
            context.insert(format!("aws:RequestTag/{}", tag.key), tag.value.clone());
        }
        if !tags.is_empty() {
            context.insert_many("aws:TagKeys", tags.iter().map(|tag| tag.key.clone()));
        }
    }

    fn handle(call: &mut Call<'_>, target: Authorized<Denoted>, input: Self::Input) -> Result<Self::Output> {
        if !name::fits(&input.bucket) {
            return Err(name::invalid(&input.bucket));
        }
        let region = region(call.region(), constraint(&input))?;
        drop(target);
        let mut bucket = Bucket::new(call, &input.bucket, &region);
        let (arn, account) = (bucket.arn(), bucket.account.clone());
        let also = |call: &mut Call<'_>, access| call.also(access, &arn, &account, Context::default());
        if input.object_lock_enabled_for_bucket == Some(true) {
            also(call, LOCK)?;
            also(call, VERSIONING)?;
            bucket.object_lock = Some(ObjectLock::default());
            bucket.versioning = Versioning::Enabled;
        }
        if let Some(ownership) = input.object_ownership {
            also(call, OWNERSHIP)?;
            bucket.ownership = ownership.into();
        }
        if !tags(&input).is_empty() {
            also(call, TAG)?;
            bucket.tags = collected(tags(&input));
        }
        if let Some(present) = call.get(&BUCKETS, &input.bucket)? {
            return taken(&present, &account, &region);
        }
        expect_room(call)?;
        let owned = Owned {
            region: region.clone(),
            created: bucket.created,
        };
        call.put(&OWNED, &(account.as_str(), input.bucket.as_str()), owned)?;
        bucket.keep(call)?;
        Ok(made(&input.bucket, &region))
    }
}

/// The answer to the making of a bucket that is there already. In the oldest region its owner may make it again.
fn taken(present: &Bucket, account: &str, region: &str) -> Result<model::CreateBucketOutput> {
    let fault = if present.account != account {
        bucket_already_exists(
            "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a \
             different name and try again.",
        )
    } else if present.region == OLDEST_REGION && region == OLDEST_REGION {
        return Ok(made(&present.name, region));
    } else {
        bucket_already_owned_by_you(
            "Your previous request to create the named bucket succeeded and you already own it.",
        )
    };
    Err(fault.with("BucketName", text(&present.name)))
}

fn made(name: &str, region: &str) -> model::CreateBucketOutput {
    let location = if region == OLDEST_REGION {
        format!("/{name}")
    } else {
        format!("http://{name}.s3.amazonaws.com/")
    };
    model::CreateBucketOutput {
        bucket_arn: Some(arn(name)),
        location: Some(location),
    }
}

fn constraint(input: &model::CreateBucketRequest) -> Option<&str> {
    let configuration = input.create_bucket_configuration.as_ref()?;
    configuration.location_constraint.as_deref()
}

fn tags(input: &model::CreateBucketRequest) -> &[model::Tag] {
    let configuration = input.create_bucket_configuration.as_ref();
    let tags = configuration.and_then(|configuration| configuration.tags.as_ref());
    tags.map_or(&[], Vec::as_slice)
}

fn collected(tags: &[model::Tag]) -> BTreeMap<String, String> {
    tags.iter()
        .map(|tag| (tag.key.clone(), tag.value.clone()))
        .collect()
}

/// The region of a new bucket, which is the endpoint's, but that the oldest endpoint makes buckets everywhere.
fn region(endpoint: &str, constraint: Option<&str>) -> Result<String> {
    let illegal = |which: &str| {
        Err(Fault::plain(
            "IllegalLocationConstraintException",
            400,
            format!(
                "The {which} location constraint is incompatible for the region specific endpoint this request was sent to."
            ),
        ))
    };
    match constraint {
        None | Some("") if endpoint == OLDEST_REGION => Ok(OLDEST_REGION.to_owned()),
        None | Some("") => illegal("unspecified"),
        Some("EU") if matches!(endpoint, OLDEST_REGION | "eu-west-1") => Ok("eu-west-1".to_owned()),
        Some(OLDEST_REGION) if endpoint == OLDEST_REGION => Err(Fault::plain(
            "InvalidLocationConstraint",
            400,
            "The specified location-constraint is not valid",
        )
        .with("LocationConstraint", text(OLDEST_REGION))),
        Some(named) if endpoint == OLDEST_REGION || named == endpoint => Ok(named.to_owned()),
        Some(named) => illegal(named),
    }
}

fn expect_room(call: &mut Call<'_>) -> Result<()> {
    let account = call.account().to_owned();
    let rows = call.range(&OWNED, &(account.as_str(),), None, BUCKETS_MAX)?;
    if rows.len() < BUCKETS_MAX {
        return Ok(());
    }
    Err(Fault::plain(
        "TooManyBuckets",
        400,
        "You have attempted to create more buckets than allowed",
    ))
}
