//! The making of a bucket.
//!
//! Source: S3 API Reference, "CreateBucket".

use std::sync::Arc;

use ::policy::Context;
use api::s3 as model;
use api::s3::fault::{bucket_already_exists, bucket_already_owned_by_you};
use pipeline::{Access, Authorized, Call, Denoted, Found, Look, Operation, Result};
use wire::Fault;

use super::{BUCKETS, Bucket, BucketTarget, OWNED, ObjectLock, Owned, Versioning, arn, name, tagging};
use crate::s3::access;
use crate::s3::access_point;
use crate::s3::acl::{Acl, Permission};
use crate::s3::acl_request::Asked;
use crate::s3::fault::text;
use crate::s3::metrics::storage;

const LOCK: Access = Access::write("s3:PutBucketObjectLockConfiguration");
const VERSIONING: Access = Access::write("s3:PutBucketVersioning");
const OWNERSHIP: Access = Access::permissions("s3:PutBucketOwnershipControls");
const ACL: Access = Access::permissions("s3:PutBucketAcl");
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
        "s3:x-amz-bucket-namespace",
        "s3:x-amz-grant-full-control",
        "s3:x-amz-grant-read",
        "s3:x-amz-grant-read-acp",
        "s3:x-amz-grant-write",
        "s3:x-amz-grant-write-acp",
        "s3:x-amz-object-ownership",
    ];
    const ALSO: &'static [Access] = &[ACL, LOCK, VERSIONING, OWNERSHIP, TAG];

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
        for (key, value) in [
            ("s3:x-amz-grant-full-control", &input.grant_full_control),
            ("s3:x-amz-grant-read", &input.grant_read),
            ("s3:x-amz-grant-read-acp", &input.grant_read_acp),
            ("s3:x-amz-grant-write", &input.grant_write),
            ("s3:x-amz-grant-write-acp", &input.grant_write_acp),
        ] {
            if let Some(value) = value {
                context.insert(key, value.clone());
            }
        }
        if let Some(namespace) = &input.bucket_namespace {
            context.insert("s3:x-amz-bucket-namespace", namespace.as_str());
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
        expect_namespace(call, &input, &region)?;
        let mut bucket = Bucket::new(call, &input.bucket, &region);
        let (arn, account) = (bucket.arn(), bucket.account.clone());
        let mut keys = Context::default();
        Self::conditions(&input, &mut keys);
        let also = |call: &mut Call<'_>, access| call.also(access, &arn, &account, keys.clone());
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
            bucket.tags = tagging::collect(tags(&input), 50)?;
        }
        let asked = asked_list(&input);
        let list = asked.read(call, &account, &account)?;
        // What a bucket has anyway needs no permission of its own.
        let grants = list.as_ref().filter(|_| asked.canned != Some("private"));
        if let Some(present) = call.get(&BUCKETS, &input.bucket)? {
            // A service that makes a bucket for its caller means to own it, and would remove it again.
            let again = call.made_by().is_none();
            let present = expect_same(present, &bucket, &input, again)?;
            if grants.is_some() {
                let target = Found::Here(BucketTarget::new(Arc::clone(&present)));
                let _granted: Authorized<BucketTarget> = call.authorize(ACL, target, keys)?;
            }
            return reset(call, &present, list.unwrap_or_else(|| Acl::private(&account)));
        }
        if grants.is_some() {
            also(call, ACL)?;
        }
        if let Some(list) = list {
            expect_list(&bucket, &list, true)?;
            bucket.acl = list;
        }
        if access_point::is_host_of_other(call, &input.bucket, &account)? {
            // Requests by the ARN of that access point come under this name.
            return Err(unavailable().with("BucketName", text(&input.bucket)));
        }
        expect_room(call)?;
        let owned = Owned {
            region: region.clone(),
            created: bucket.created,
        };
        call.put(&OWNED, &(account.as_str(), input.bucket.as_str()), owned)?;
        bucket.keep(call)?;
        storage::plan(call)?;
        Ok(made(&input.bucket, &region))
    }
}

/// The name of a bucket in the account's own namespace of a region says whose it is, and no other bucket's name looks so.
fn expect_namespace(call: &Call<'_>, input: &model::CreateBucketRequest, region: &str) -> Result<()> {
    let fits = match input.bucket_namespace {
        Some(model::BucketNamespace::AccountRegional) => {
            name::is_regional(&input.bucket, call.account(), region)
        }
        Some(model::BucketNamespace::Global) | None => !name::looks_regional(&input.bucket),
    };
    if fits {
        return Ok(());
    }
    Err(name::invalid(&input.bucket))
}

/// `BucketAlreadyExists`, 409.
fn unavailable() -> Fault {
    bucket_already_exists(
        "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a \
         different name and try again.",
    )
}

/// A bucket that is there already, if its owner may make it again: in the oldest region, and if it is what the request asks for.
fn expect_same(
    present: Arc<Bucket>,
    wanted: &Bucket,
    input: &model::CreateBucketRequest,
    again: bool,
) -> Result<Arc<Bucket>> {
    let is_same = again
        && present.region == OLDEST_REGION
        && wanted.region == OLDEST_REGION
        && (wanted.object_lock.is_none() || present.object_lock.is_some())
        && (input.object_ownership.is_none() || present.ownership == wanted.ownership)
        && (wanted.tags.is_empty() || present.tags == wanted.tags);
    let fault = if present.account != wanted.account {
        unavailable()
    } else if is_same {
        return Ok(present);
    } else {
        bucket_already_owned_by_you(
            "Your previous request to create the named bucket succeeded and you already own it.",
        )
    };
    Err(fault.with("BucketName", text(&present.name)))
}

/// Makes a bucket again, which gives it the list of the request, or none (S3 API Reference, "BucketAlreadyOwnedByYou").
fn reset(call: &mut Call<'_>, present: &Bucket, list: Acl) -> Result<model::CreateBucketOutput> {
    let blocks = access::block(call, present)?.block_public_acls;
    expect_list(present, &list, blocks)?;
    if present.acl != list {
        let mut bucket = present.clone();
        bucket.acl = list;
        bucket.keep(call)?;
    }
    Ok(made(&present.name, &present.region))
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

fn asked_list(input: &model::CreateBucketRequest) -> Asked<'_> {
    Asked::new(
        input.acl.map(model::BucketCannedACL::as_str),
        [
            (Permission::FullControl, input.grant_full_control.as_ref()),
            (Permission::Read, input.grant_read.as_ref()),
            (Permission::ReadAcp, input.grant_read_acp.as_ref()),
            (Permission::Write, input.grant_write.as_ref()),
            (Permission::WriteAcp, input.grant_write_acp.as_ref()),
        ],
    )
}

/// A bucket is made with a list that grants to others only where lists count, and to the public only where nothing blocks that, as in
/// every new bucket.
fn expect_list(bucket: &Bucket, list: &Acl, blocks_public: bool) -> Result<()> {
    if !bucket.has_acls() && !list.is_private_to(&bucket.account) {
        return Err(Fault::plain(
            "InvalidBucketAclWithObjectOwnership",
            400,
            "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
        )
        .with("BucketName", text(&bucket.name)));
    }
    if blocks_public && list.is_public() {
        return Err(Fault::plain(
            "InvalidBucketAclWithBlockPublicAccessError",
            400,
            "Bucket cannot have public ACLs set with BlockPublicAccess enabled",
        )
        .with("BucketName", text(&bucket.name)));
    }
    Ok(())
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
        Some(OLDEST_REGION) if endpoint == OLDEST_REGION => Err(unknown(OLDEST_REGION)),
        Some(named) if !is_region(named) => Err(unknown(named)),
        Some(named) if endpoint == OLDEST_REGION || named == endpoint => Ok(named.to_owned()),
        Some(named) => illegal(named),
    }
}

fn unknown(constraint: &str) -> Fault {
    Fault::plain(
        "InvalidLocationConstraint",
        400,
        "The specified location-constraint is not valid",
    )
    .with("LocationConstraint", text(constraint))
}

/// Whether a name is formed as a region's.
fn is_region(name: &str) -> bool {
    let parts: Vec<&str> = name.split('-').collect();
    let letters = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    match parts.split_last() {
        Some((number, words)) => {
            (2..=3).contains(&words.len())
                && words.iter().all(letters)
                && (1..=2).contains(&number.len())
                && number.bytes().all(|byte| byte.is_ascii_digit())
        }
        None => false,
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
