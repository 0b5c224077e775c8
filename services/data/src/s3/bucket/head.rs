//! What anybody with leave learns of a bucket: that it is there, and where.

use api::s3 as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};

use super::{BucketTarget, arn};
use crate::s3::locate;

/// Says whether a bucket is there and whether the caller may list it.
pub struct HeadBucket;

impl Operation for HeadBucket {
    type Input = model::HeadBucketRequest;
    type Output = model::HeadBucketOutput;
    type Target = BucketTarget;
    const ACCESS: Access = Access::list("s3:ListBucket");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<BucketTarget>> {
        locate::entrance(look, &input.bucket, input.expected_bucket_owner.as_deref())
    }

    fn handle(
        _call: &mut Call<'_>,
        bucket: Authorized<BucketTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        Ok(model::HeadBucketOutput {
            access_point_alias: Some(bucket.point().is_some_and(|point| point.alias == input.bucket)),
            bucket_arn: Some(arn(&bucket.name)),
            bucket_region: Some(bucket.region.clone()),
            ..Default::default()
        })
    }
}

/// Says where a bucket is; of the oldest region in its own way, which is nothing.
pub struct GetBucketLocation;

impl Operation for GetBucketLocation {
    type Input = model::GetBucketLocationRequest;
    type Output = model::GetBucketLocationOutput;
    type Target = BucketTarget;
    const ACCESS: Access = Access::read("s3:GetBucketLocation");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<BucketTarget>> {
        locate::entrance_anywhere(look, &input.bucket, input.expected_bucket_owner.as_deref())
    }

    fn handle(
        _call: &mut Call<'_>,
        bucket: Authorized<BucketTarget>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        Ok(model::GetBucketLocationOutput {
            location_constraint: (bucket.region != "us-east-1").then(|| bucket.region.clone()),
        })
    }
}
