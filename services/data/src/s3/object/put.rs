//! The put of an object.

use api::s3 as model;
use pipeline::{Access, Authorized, Call, Found, Intake, Look, Operation, Result};
use policy::Context;

use super::access_list;
use super::change::{self, Made};
use super::checksum::{self, Declared};
use super::class;
use super::lock;
use super::metadata::{self, expect_key};
use super::refusal::{invalid_request, not_implemented};
use super::tag_set;
use super::target::{self, ObjectTarget};
use super::write::{self, Draft, OnCondition, PUT_BYTES_MAX, Stored};
use super::{Body, Piece, Version};
use crate::s3::encryption::{self, Place, Plan};
use crate::s3::lifecycle;
use crate::s3::log;
use crate::s3::payer;

/// Stores an object.
pub struct PutObject;

impl Operation for PutObject {
    type Input = model::PutObjectRequest;
    type Output = model::PutObjectOutput;
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
        context.insert("s3:ObjectCreationOperation", "PutObject");
        on_condition(input).keys(context);
    }

    fn handle(
        call: &mut Call<'_>,
        object: Authorized<ObjectTarget>,
        mut input: Self::Input,
    ) -> Result<Self::Output> {
        let keys = write::keys::<Self>(&input);
        let charged = payer::charge(call, object.bucket(), input.request_payer)?;
        expect_key(&input.key)?;
        if input.write_offset_bytes.is_some() {
            return Err(not_implemented("x-amz-write-offset-bytes"));
        }
        if crate::s3::object::lock::holds_for_event!(input) {
            return Err(not_implemented("x-amz-object-lock-event-hold"));
        }
        let bucket = object.bucket();
        let metadata = metadata::of_request!(input);
        metadata.expect_fitting()?;
        let class = class::read(input.storage_class)?;
        let tags = tag_set::read_header(input.tagging.as_deref())?;
        let values = checksum::values!(input)?;
        let declared = Declared::read(values, input.checksum_algorithm, input.content_md5.take())?;
        let asked_lock = lock::asked!(input);
        let lock = asked_lock.resolve(call, bucket)?;
        if asked_lock.is_given() && !declared.protects() {
            return Err(invalid_request(
                "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters",
            ));
        }
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
        on_condition(&input).expect(call, &object)?;
        let plan = Plan::of(call, bucket, &input.key, &encryption::asked!(input))?;
        let received = call.receive(Intake {
            layers: plan.applied().layers(),
            bytes_max: PUT_BYTES_MAX,
            digests: declared.set(),
        })?;
        let kept = declared.verify(&received)?;
        let (sequence, id) = object.slot().next(call)?;
        let place = Place {
            bucket: &bucket.name,
            key: &input.key,
            label: sequence.to_string(),
        };
        let keys = plan.wrap(call, &place, &received.keys)?;
        call.keep(&received.content)?;
        let piece = Piece {
            content: received.content.clone(),
            keys,
            part: 0,
            checksum: None,
        };
        let stored = Stored {
            size: received.size,
            etag: write::etag(call, plan.applied(), &received.digests)?,
            checksum: Some(kept),
            body: Body::One(piece),
        };
        let draft = Draft {
            metadata,
            tags,
            class,
            lock,
            owner,
            acl,
            encryption: plan.applied().clone(),
        };
        let version = draft.version(call, (sequence, id), stored);
        let output = model::PutObjectOutput {
            request_charged: charged,
            ..answer(call, &object, &version)?
        };
        make(call, &object, version)?;
        Ok(output)
    }
}

/// Makes the version the newest; that of a form is told as such.
fn make(call: &mut Call<'_>, object: &ObjectTarget, version: Version) -> Result<()> {
    let made = if call.request.posted {
        Made::Post
    } else {
        Made::Put
    };
    if made == Made::Post && object.bucket().logging.is_some() {
        log::stored_by_form(call, object.key(), version.size);
    }
    change::make(call, object.slot(), made, version)
}

fn answer(call: &mut Call<'_>, object: &ObjectTarget, version: &Version) -> Result<model::PutObjectOutput> {
    let mut output = model::PutObjectOutput {
        e_tag: Some(version.quoted_etag()),
        version_id: version.id.clone(),
        checksum_type: version.checksum.as_ref().map(checksum::Kept::kind),
        expiration: lifecycle::expiration(call, object.bucket(), object.key(), version)?,
        sse_kms_encryption_context: version.encryption.shown_context(),
        ..Default::default()
    };
    checksum::show!(output, &version.checksum);
    encryption::show!(output, version.encryption);
    Ok(output)
}

fn on_condition(input: &model::PutObjectRequest) -> OnCondition {
    OnCondition {
        matches: input.if_match.clone(),
        none_match: input.if_none_match.clone(),
    }
}
