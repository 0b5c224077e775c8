//! The making and the end of access points.
//!
//! Invariant: an access point is made for a bucket that is there, in the bucket's region, by somebody who knows its owner.

use std::sync::Arc;

use api::s3 as objects;
use api::s3control as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource, Result};
use policy::Context;
use wire::Fault;
use wire::typed::Empty;

use super::{AccessPointTarget, expect_own, find};
use crate::s3::access_point::{self, ACCESS_POINTS, AccessPoint, COUNTS, Count, TYPE};
use crate::s3::bucket::{BUCKETS, Bucket, PublicAccessBlock, tagging};
use crate::s3::fault::{invalid_request, text};

/// Access points of one account in one region.
const POINTS_MAX: u32 = 10_000;
const TAGS_MAX: usize = 50;
/// Random letters of an alias.
const ALIAS_RANDOM: usize = 34;
/// Letters of a name that an alias begins with, so that it fits into a bucket's name.
const ALIAS_NAME: usize = 20;
const TAG: Access = Access::tagging("s3:TagResource");

/// An access point that does not exist yet.
pub struct NewAccessPoint {
    arn: String,
    account: String,
    vpc: bool,
}

impl Resource for NewAccessPoint {
    const TYPE: &'static str = TYPE;

    fn arn(&self) -> String {
        self.arn.clone()
    }

    fn account(&self) -> &str {
        &self.account
    }

    fn conditions(&self, context: &mut Context) {
        access_point::conditions(&self.arn, &self.account, self.vpc, context);
    }
}

/// Makes an access point.
pub struct CreateAccessPoint;

impl Operation for CreateAccessPoint {
    type Input = model::CreateAccessPointRequest;
    type Output = model::CreateAccessPointResult;
    type Target = NewAccessPoint;
    const ACCESS: Access = Access::write("s3:CreateAccessPoint");
    const CONDITIONS: &'static [&'static str] = &["aws:RequestTag/${TagKey}", "aws:TagKeys"];
    const ALSO: &'static [Access] = &[TAG];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<NewAccessPoint>> {
        Ok(Found::Here(NewAccessPoint {
            arn: access_point::arn(look.region(), &input.account_id, &input.name),
            account: look.account().to_owned(),
            vpc: input.vpc_configuration.is_some(),
        }))
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        request_tags(input, context);
    }

    fn handle(
        call: &mut Call<'_>,
        made: Authorized<NewAccessPoint>,
        mut input: Self::Input,
    ) -> Result<Self::Output> {
        expect_own(call, &input.account_id)?;
        if !fits(&input.name) {
            return Err(invalid(
                "The specified access point name or account is not valid.",
                &input.name,
            ));
        }
        if input.scope.is_some() {
            return Err(invalid_request(
                "Scope is only supported for access points attached to directory buckets.",
            ));
        }
        let bucket = bucket(call, &input)?;
        let mut point = AccessPoint::new(call, &input.name, &bucket, alias(call, &input.name)?);
        if input.tags.as_ref().is_some_and(|tags| !tags.is_empty()) {
            let mut context = Context::default();
            made.conditions(&mut context);
            request_tags(&input, &mut context);
            call.also(TAG, &made.arn, &made.account, context)?;
            let tags = input.tags.take().unwrap_or_default().into_iter();
            let tags: Vec<_> = tags
                .map(|tag| objects::Tag {
                    key: tag.key,
                    value: tag.value,
                })
                .collect();
            point.tags = tagging::collect(&tags, TAGS_MAX)?;
        }
        point.vpc = input.vpc_configuration.map(|vpc| vpc.vpc_id);
        if let Some(asked) = input.public_access_block_configuration {
            point.block = PublicAccessBlock {
                block_public_acls: asked.block_public_acls == Some(true),
                ignore_public_acls: asked.ignore_public_acls == Some(true),
                block_public_policy: asked.block_public_policy == Some(true),
                restrict_public_buckets: asked.restrict_public_buckets == Some(true),
            };
        }
        if call.get(&ACCESS_POINTS, &point.place())?.is_some() {
            return Err(Fault::plain(
                "AccessPointAlreadyOwnedByYou",
                409,
                "Your previous request to create the named accesspoint succeeded and you already own it.",
            )
            .with("AccessPointName", text(&point.name)));
        }
        count(call, &point, true)?;
        let answer = model::CreateAccessPointResult {
            access_point_arn: Some(point.arn()),
            alias: Some(point.alias.clone()),
        };
        point.make(call)?;
        Ok(answer)
    }
}

fn request_tags(input: &model::CreateAccessPointRequest, context: &mut Context) {
    let tags = input.tags.as_deref().unwrap_or_default();
    for tag in tags {
        context.insert(format!("aws:RequestTag/{}", tag.key), tag.value.clone());
    }
    if !tags.is_empty() {
        context.insert_many("aws:TagKeys", tags.iter().map(|tag| tag.key.clone()));
    }
}

/// `InvalidAccessPoint`, 400.
fn invalid(message: &str, name: &str) -> Fault {
    Fault::plain("InvalidAccessPoint", 400, message).with("AccessPointName", text(name))
}

/// The bucket that the request means, and whose owner it knows. Of strangers' buckets nothing is told that is not known already.
fn bucket(call: &mut Call<'_>, input: &model::CreateAccessPointRequest) -> Result<Arc<Bucket>> {
    let owner = input.bucket_account_id.as_deref().unwrap_or(&input.account_id);
    let found = call.get(&BUCKETS, &input.bucket)?;
    let Some(found) = found.filter(|found| found.account == owner) else {
        if owner != input.account_id {
            return Err(Fault::access_denied("Access Denied"));
        }
        return Err(invalid_request(
            "Amazon S3 AccessPoint can only be created for existing bucket",
        ));
    };
    if found.region != call.region() {
        return Err(invalid_request(
            "Amazon S3 AccessPoint can only be created for bucket in the same region",
        ));
    }
    // Requests by the access point's ARN would come to that bucket.
    let host = format!("{}-{}", input.name, input.account_id);
    if let Some(other) = call.get(&BUCKETS, host.as_str())?
        && other.account != input.account_id
    {
        return Err(invalid(
            "The specified access point name is not available: another account's bucket has the name of its host.",
            &input.name,
        ));
    }
    Ok(found)
}

/// Counts an access point that comes or goes.
fn count(call: &mut Call<'_>, point: &AccessPoint, comes: bool) -> Result<()> {
    let row = (point.account.clone(), point.region.clone());
    let known = call.get(&COUNTS, &row)?.map_or(0, |count| count.0);
    if !comes {
        return call.put(&COUNTS, &row, Count(known.saturating_sub(1)));
    }
    if known >= POINTS_MAX {
        return Err(Fault::plain(
            "TooManyAccessPoints",
            400,
            "You have attempted to create more access points than are allowed for an account in a Region.",
        ));
    }
    call.put(&COUNTS, &row, Count(known + 1))
}

/// Whether an access point may have this name.
fn fits(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    (3..=50).contains(&bytes.len())
        && bytes.iter().all(|byte| plain(*byte) || *byte == b'-')
        && bytes.first().is_some_and(|byte| plain(*byte))
        && bytes.last().is_some_and(|byte| plain(*byte))
        && !name.ends_with("-s3alias")
}

/// A new alias: `NAME-RANDOM-s3alias`, which fits into a bucket's name.
fn alias(call: &Call<'_>, name: &str) -> Result<String> {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let drawn = crypto::random::array::<ALIAS_RANDOM>(call.random()).map_err(Fault::internal)?;
    let front: String = name.chars().take(ALIAS_NAME).collect();
    let mut alias = format!("{}-", front.trim_end_matches('-'));
    for byte in drawn {
        let letter = LETTERS.get(usize::from(byte % 32)).copied();
        alias.push(letter.unwrap_or(b'a').into());
    }
    alias.push_str("-s3alias");
    Ok(alias)
}

/// Ends an access point.
pub struct DeleteAccessPoint;

impl Operation for DeleteAccessPoint {
    type Input = model::DeleteAccessPointRequest;
    type Output = Empty;
    type Target = AccessPointTarget;
    const ACCESS: Access = Access::write("s3:DeleteAccessPoint");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<AccessPointTarget>> {
        find(look, &input.account_id, &input.name)
    }

    fn handle(call: &mut Call<'_>, point: Authorized<AccessPointTarget>, _: Self::Input) -> Result<Empty> {
        count(call, &point.0, false)?;
        point.0.end(call)?;
        Ok(Empty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules() {
        let longest = "a".repeat(50);
        for name in ["abc", "1-2", "my-ap", longest.as_str()] {
            assert!(fits(name), "{name}");
        }
        let long = "a".repeat(51);
        for name in [
            "",
            "ab",
            "Abc",
            "a_b",
            "a.b",
            "-ab",
            "ab-",
            "a b",
            "a-s3alias",
            "a-ext-s3alias",
            long.as_str(),
        ] {
            assert!(!fits(name), "{name}");
        }
    }
}
