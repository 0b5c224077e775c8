//! The beginning of an upload.

use api::s3 as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use wire::{Fault, Timestamp};

use super::{Summed, UPLOADS, Upload, row};
use crate::s3::encryption::{self, Plan};
use crate::s3::lifecycle;
use crate::s3::object::checksum::Algorithm;
use crate::s3::object::metadata::{self, expect_key};
use crate::s3::object::target::{self, ObjectTarget};
use crate::s3::object::{access_list, class, lock, refusal, tag_set, version_id, whole_second, write};
use crate::s3::payer;

/// Begins an upload.
pub struct CreateMultipartUpload;

impl Operation for CreateMultipartUpload {
    type Input = model::CreateMultipartUploadRequest;
    type Output = model::CreateMultipartUploadOutput;
    type Target = ObjectTarget;
    const ACCESS: Access = write::PUT;
    const CONDITIONS: &'static [&'static str] = write::CONDITIONS;
    const ALSO: &'static [Access] = write::ALSO;

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<ObjectTarget>> {
        let owner = input.expected_bucket_owner.as_deref();
        let found = target::named(look, &input.bucket, &input.key, owner)?;
        Ok(target::retained(
            found,
            input.object_lock_retain_until_date,
            look.now,
        ))
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        write::conditions!(input, context);
        context.insert("s3:ObjectCreationOperation", "CreateMultipartUpload");
    }

    fn handle(
        call: &mut Call<'_>,
        object: Authorized<ObjectTarget>,
        mut input: Self::Input,
    ) -> Result<Self::Output> {
        let keys = write::keys::<Self>(&input);
        let charged = payer::charge(call, object.bucket(), input.request_payer)?;
        expect_key(&input.key)?;
        if crate::s3::object::lock::holds_for_event!(input) {
            return Err(crate::s3::object::refusal::not_implemented(
                "x-amz-object-lock-event-hold",
            ));
        }
        let bucket = object.bucket();
        let metadata = metadata::of_request!(input);
        metadata.expect_fitting()?;
        let class = class::read(input.storage_class)?;
        let tags = tag_set::read_header(input.tagging.as_deref())?;
        let summed = summed(input.checksum_algorithm, input.checksum_type)?;
        let asked_lock = lock::asked!(input);
        let lock = asked_lock.resolve(call, bucket)?;
        let asked_acl = access_list::asked!(input);
        write::authorize_parts(
            call,
            &object,
            &keys,
            asked_acl.is_given(),
            input.tagging.is_some(),
            &asked_lock,
        )?;
        let (owner, acl) = asked_acl.resolve(call, bucket)?;
        let asked = encryption::asked!(input);
        let plan = Plan::of(call, bucket, &input.key, &asked)?;
        let sequence = draw(call)?;
        let upload = Upload {
            id: version_id::issue(call.random(), sequence)?,
            initiated: whole_second(call.now),
            initiator: call.identity.arn.to_string(),
            account: call.account().to_owned(),
            owner,
            acl,
            metadata,
            tags,
            class: class.as_str().to_owned(),
            lock: asked_lock.is_given().then_some(lock),
            encryption: plan.applied().clone(),
            summed,
            deleted: false,
        };
        let begun = Timestamp(upload.initiated);
        let (abort_date, abort_rule_id) = lifecycle::abortion(call, bucket, &input.key, begun)?;
        let mut output = model::CreateMultipartUploadOutput {
            abort_date,
            abort_rule_id,
            bucket: Some(bucket.name.clone()),
            key: Some(input.key.clone()),
            upload_id: Some(upload.id.clone()),
            request_charged: charged,
            checksum_algorithm: summed.map(|summed| summed.algorithm.model()),
            checksum_type: summed.map(Summed::kind),
            ..Default::default()
        };
        encryption::show!(output, upload.encryption);
        output.sse_kms_encryption_context = upload.encryption.shown_context();
        call.put(&UPLOADS, &row(&bucket.name, &input.key, sequence), upload)?;
        Ok(output)
    }
}

/// The number of a new upload: the time, and enough behind it that uploads of one moment differ.
fn draw(call: &Call<'_>) -> Result<u64> {
    const BITS: u32 = 22;
    let behind = crypto::random::below(call.random(), 1 << BITS).map_err(Fault::internal)?;
    let now = u64::try_from(call.now.0).unwrap_or_default();
    Ok(now << BITS | behind)
}

/// The algorithm of an upload and the kind of its checksum (S3 User Guide, "Full object and composite checksum types").
fn summed(
    algorithm: Option<model::ChecksumAlgorithm>,
    kind: Option<model::ChecksumType>,
) -> Result<Option<Summed>> {
    let Some(algorithm) = algorithm else {
        return match kind {
            None => Ok(None),
            Some(_) => Err(refusal::invalid_request(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
            )),
        };
    };
    let algorithm = Algorithm::of_model(algorithm)?;
    let composite = match kind {
        Some(kind) => kind == model::ChecksumType::Composite,
        None => algorithm != Algorithm::Crc64Nvme,
    };
    let fits = if composite {
        algorithm != Algorithm::Crc64Nvme
    } else {
        algorithm.joins()
    };
    if !fits {
        return Err(refusal::invalid_request(format!(
            "The {} checksum type cannot be used with the {} checksum algorithm.",
            if composite { "COMPOSITE" } else { "FULL_OBJECT" },
            algorithm.lower()
        )));
    }
    Ok(Some(Summed { algorithm, composite }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{ChecksumAlgorithm as Named, ChecksumType as Kind};

    #[test]
    fn each_algorithm_has_its_kinds() {
        let read = |named, kind| {
            summed(Some(named), kind)
                .ok()
                .flatten()
                .map(|summed| summed.composite)
        };
        assert_eq!(read(Named::Crc32, None), Some(true));
        assert_eq!(read(Named::Crc32, Some(Kind::FullObject)), Some(false));
        assert_eq!(read(Named::Crc64Nvme, None), Some(false));
        assert_eq!(read(Named::Crc64Nvme, Some(Kind::Composite)), None);
        assert_eq!(read(Named::Sha256, None), Some(true));
        assert_eq!(read(Named::Sha256, Some(Kind::FullObject)), None);
        assert!(summed(None, None).is_ok_and(|summed| summed.is_none()));
        assert!(summed(None, Some(Kind::Composite)).is_err());
    }
}
