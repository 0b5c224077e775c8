//! `UpdateObjectEncryption`: another KMS key for an object that there is, without touching its bytes. KMS encrypts the object's data key
//! anew under the other key; an object that had none gets one.
//!
//! Invariant: the object's bytes, tag, date and metadata stay as they are.

use api::s3 as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource, Result};
use policy::{Arn, Context};
use wire::Fault;

use super::{Applied, Asked, Customer, Opener, Place, Plan, UnderKms, kms};
use crate::s3::fault::invalid_request;
use crate::s3::object::lock::Guard;
use crate::s3::object::target::{self, ObjectTarget};
use crate::s3::object::{Body, Piece, Version, source};
use crate::s3::payer;

/// Gives an object another key.
pub struct UpdateObjectEncryption;

impl Operation for UpdateObjectEncryption {
    type Input = model::UpdateObjectEncryptionRequest;
    type Output = model::UpdateObjectEncryptionResponse;
    type Target = ObjectTarget;
    const ACCESS: Access = Access::write("s3:UpdateObjectEncryption");
    const CONDITIONS: &'static [&'static str] = &[
        "s3:ExistingObjectTag/<key>",
        "s3:x-amz-server-side-encryption",
        "s3:x-amz-server-side-encryption-aws-kms-key-id",
    ];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<ObjectTarget>> {
        let version = input.version_id.as_deref();
        let owner = input.expected_bucket_owner.as_deref();
        target::found(look, (&input.bucket, &input.key), version, owner)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        if let Some(kms) = &input.object_encryption.sse_kms {
            context.insert("s3:x-amz-server-side-encryption", "aws:kms");
            context.insert(
                "s3:x-amz-server-side-encryption-aws-kms-key-id",
                kms.kms_key_arn.clone(),
            );
        }
    }

    fn handle(
        call: &mut Call<'_>,
        object: Authorized<ObjectTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let charged = payer::charge(call, object.bucket(), input.request_payer)?;
        let version = object.object(call, "PUT")?;
        let Some(wanted) = input.object_encryption.sse_kms else {
            return Err(invalid_request(
                "Requests that modify an object encryption configuration require a valid new encryption type. Valid values are SSEKMS. \
                 Modify the request to specify SSE-KMS for the updated encryption type, and then try again.",
            ));
        };
        if matches!(version.encryption, Applied::Dsse(_) | Applied::Customer(_)) {
            return Err(invalid_request(
                "The UpdateObjectEncryption operation doesn't support source objects with the encryption type DSSE-KMS or SSE-C. Only \
                 source objects encrypted with SSE-S3 or SSE-KMS are supported.",
            ));
        }
        if !matches!(version.lock.guard(call.now), Guard::None) {
            return Err(Fault::access_denied(
                "The encryption type for the specified object can't be updated because that object is protected by S3 Object Lock.",
            ));
        }
        let bucket = object.bucket();
        if Arn::parse(&wanted.kms_key_arn).is_none_or(|arn| arn.account() != bucket.account) {
            return Err(Fault::access_denied(
                "The AWS KMS key in the request must be owned by the same account as the bucket. Modify the request to specify a KMS key \
                 from the same account, and then try again.",
            ));
        }
        let opener = Opener::of(
            call,
            &version.encryption,
            bucket,
            object.key(),
            &Customer::default(),
        )?;
        let asked = Asked {
            mode: Some(model::ServerSideEncryption::AwsKms),
            kms_key: Some(wanted.kms_key_arn.clone()),
            bucket_key: Some(wanted.bucket_key_enabled.unwrap_or(false)),
            ..Asked::default()
        };
        let mut version = (*version).clone();
        let under = match &version.encryption {
            Applied::Kms(under) => (**under).clone(),
            _ => wrapped(call, &object, &mut version, (&opener, &asked))?,
        };
        let under = kms::renew(call, bucket, object.key(), &under, &wanted)?;
        version.encryption = Applied::Kms(Box::new(under));
        object.slot().amend(call, version)?;
        call.mention(object.arn(), &bucket.account, ObjectTarget::TYPE);
        Ok(model::UpdateObjectEncryptionResponse {
            request_charged: charged,
        })
    }
}

/// Brings an object that S3's own keys opened under a data key of KMS: the keys of its contents are wrapped anew.
fn wrapped(
    call: &mut Call<'_>,
    object: &ObjectTarget,
    version: &mut Version,
    (opener, asked): (&Opener, &Asked),
) -> Result<UnderKms> {
    let plan = Plan::of(call, object.bucket(), object.key(), asked)?;
    let Applied::Kms(under) = plan.applied().clone() else {
        return Err(Fault::internal("KMS was asked for, and another mode came of it"));
    };
    let mut pieces = Vec::new();
    for piece in object.slot().pieces(call, version)? {
        let place = Place {
            bucket: &object.bucket().name,
            key: object.key(),
            label: source::label(version, piece.part),
        };
        let keys = opener.unwrap(call, &place, &piece.keys)?;
        let keys = plan.wrap(call, &place, &keys)?;
        pieces.push(Piece { keys, ..piece });
    }
    match (&mut version.body, pieces.pop()) {
        (Body::One(piece), Some(wrapped)) => *piece = wrapped,
        (Body::Parts { .. }, Some(last)) => {
            pieces.push(last);
            object.slot().keep_pieces(call, version.sequence, pieces)?;
        }
        (_, None) | (Body::None, _) => {}
    }
    Ok(*under)
}
