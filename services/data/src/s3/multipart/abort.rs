//! The end of an upload that comes to nothing.

use api::s3 as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};

use super::{discard, find};
use crate::s3::object::refusal;
use crate::s3::object::target::{self, ObjectTarget};
use crate::s3::payer;

/// Ends an upload; its parts go.
pub struct AbortMultipartUpload;

impl Operation for AbortMultipartUpload {
    type Input = model::AbortMultipartUploadRequest;
    type Output = model::AbortMultipartUploadOutput;
    type Target = ObjectTarget;
    const ACCESS: Access = Access::write("s3:AbortMultipartUpload");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<ObjectTarget>> {
        let owner = input.expected_bucket_owner.as_deref();
        target::named(look, &input.bucket, &input.key, owner)
    }

    fn handle(
        call: &mut Call<'_>,
        object: Authorized<ObjectTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        if input.if_match_initiated_time.is_some() {
            return Err(refusal::not_implemented("x-amz-if-match-initiated-time"));
        }
        let charged = payer::charge(call, object.bucket(), input.request_payer)?;
        let (row, upload) = find(call, &object.bucket().name, &input.key, &input.upload_id)?;
        discard(call, &row, &upload.id)?;
        Ok(Self::Output {
            request_charged: charged,
            ..Default::default()
        })
    }
}
