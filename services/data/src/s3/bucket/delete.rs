//! The end of a bucket, which must be empty.
//!
//! Invariant: with the bucket goes everything that is kept under its name.

use api::s3 as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use wire::typed::Empty;

use super::{BUCKETS, BucketTarget, OWNED};
use crate::s3::{access_point, configuration, emptiness, fault, lifecycle, locate, report};

/// Deletes an empty bucket.
pub struct DeleteBucket;

impl Operation for DeleteBucket {
    type Input = model::DeleteBucketRequest;
    type Output = Empty;
    type Target = BucketTarget;
    const ACCESS: Access = Access::write("s3:DeleteBucket");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<BucketTarget>> {
        locate::bucket(look, &input.bucket, input.expected_bucket_owner.as_deref())
    }

    fn handle(call: &mut Call<'_>, bucket: Authorized<BucketTarget>, _input: Self::Input) -> Result<Empty> {
        if access_point::has_any(call, &bucket)? {
            return Err(fault::bucket_has_access_points_attached(&bucket.name));
        }
        if !emptiness::is_empty(call, &bucket.name)? {
            return Err(fault::bucket_not_empty(&bucket.name));
        }
        lifecycle::end(call, &bucket.name)?;
        report::end_all(call, &bucket.name)?;
        configuration::delete_all(call, &bucket.name)?;
        emptiness::discard_rest(call, &bucket.name)?;
        call.delete(&OWNED, &(bucket.account.as_str(), bucket.name.as_str()))?;
        call.delete(&BUCKETS, &bucket.name)?;
        Ok(Empty)
    }
}
