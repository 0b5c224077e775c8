//! The copy of an object on the server.

use api::s3 as model;
use pipeline::{Access, Authorized, Call, ChecksumSet, Found, Intake, Look, Operation, Result};
use policy::Context;

use super::change::{self, Made};
use super::checksum::{self, Algorithm, Kept};
use super::copy_source::{self, CopySource};
use super::get::GET_VERSION;
use super::metadata::{self, Metadata, expect_key};
use super::tag_set::{self, TagSet};
use super::tagging::{GET_TAGS, GET_VERSION_TAGS};
use super::target::{self, ObjectTarget};
use super::write::{self, Draft, OnCondition, PUT_BYTES_MAX, PUT_TAGS, Stored};
use super::{Body, Piece, access_list, class, lock, refusal, source};
use crate::s3::encryption::{self, Place, Plan};
use crate::s3::lifecycle;
use crate::s3::payer;

/// Copies an object.
pub struct CopyObject;

impl Operation for CopyObject {
    type Input = model::CopyObjectRequest;
    type Output = model::CopyObjectOutput;
    type Target = ObjectTarget;
    const ACCESS: Access = write::PUT;
    const CONDITIONS: &'static [&'static str] = write::CONDITIONS;
    const ALSO: &'static [Access] = &[
        write::GET,
        GET_VERSION,
        GET_TAGS,
        GET_VERSION_TAGS,
        write::PUT_ACL,
        PUT_TAGS,
        write::PUT_RETENTION,
        write::PUT_HOLD,
    ];

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
        if !replaces_tags(input) {
            // They are not given to the copy, so they are not asked for.
            tag_set::forget(context);
        }
        context.insert("s3:ObjectCreationOperation", "CopyObject");
        context.insert("s3:x-amz-copy-source", input.copy_source.clone());
        if let Some(directive) = input.metadata_directive {
            context.insert("s3:x-amz-metadata-directive", directive.as_str());
        }
        // No object has annotations here, so both directives come to the same.
        if let Some(directive) = input.annotation_directive {
            context.insert("s3:x-amz-object-annotation-directive", directive.as_str());
        }
        on_condition(input).keys(context);
    }

    fn handle(
        call: &mut Call<'_>,
        object: Authorized<ObjectTarget>,
        mut input: Self::Input,
    ) -> Result<Self::Output> {
        let keys = write::keys::<Self>(&input);
        expect_key(&input.key)?;
        if crate::s3::object::lock::holds_for_event!(input) {
            return Err(crate::s3::object::refusal::not_implemented(
                "x-amz-object-lock-event-hold",
            ));
        }
        let asked_source = copy_source::asked!(input);
        let charged = payer::charge(call, object.bucket(), input.request_payer)?;
        let source = copy_source::admit(call, &input.copy_source, &asked_source)?;
        source.expect_size()?;
        expect_change(&object, &source, &input)?;
        let metadata = chosen_metadata(&source, &mut input);
        metadata.expect_fitting()?;
        let class = class::read(input.storage_class)?;
        let tags = chosen_tags(call, &object, &source, (&input, &keys))?;
        let bucket = object.bucket();
        let asked_lock = lock::asked!(input);
        let lock = asked_lock.resolve(call, bucket)?;
        let asked_acl = access_list::asked!(input);
        write::authorize_parts(call, &object, &keys, asked_acl.is_given(), false, &asked_lock)?;
        let (owner, acl) = asked_acl.resolve(call, bucket)?;
        on_condition(&input).expect(call, &object)?;
        let asked = encryption::asked!(input);
        let plan = Plan::of(call, bucket, &input.key, &asked)?;
        let draft = Draft {
            metadata,
            tags,
            class,
            lock,
            owner,
            acl,
            encryption: plan.applied().clone(),
        };
        let algorithm = match input.checksum_algorithm {
            Some(named) => Algorithm::of_model(named)?,
            None => source
                .version
                .checksum
                .as_ref()
                .map_or(Algorithm::DEFAULT, |kept| kept.algorithm),
        };
        let copied = copied(call, &object, &source, (&plan, draft), algorithm)?;
        Ok(model::CopyObjectOutput {
            request_charged: charged.or(source.charged),
            ..copied
        })
    }
}

/// Takes the source's bytes in under the new object's own keys.
fn copied(
    call: &mut Call<'_>,
    object: &ObjectTarget,
    from: &CopySource,
    (plan, draft): (&Plan, Draft),
    algorithm: Algorithm,
) -> Result<model::CopyObjectOutput> {
    let slot = from.object.slot();
    let bytes = source::of(call, slot, &from.version, &from.opener, 0..from.version.size)?;
    let received = call.transfer(
        bytes,
        Intake {
            layers: plan.applied().layers(),
            bytes_max: PUT_BYTES_MAX,
            digests: ChecksumSet::of(pipeline::Checksum::Md5).with(algorithm.checksum()),
        },
    )?;
    let digest = received.digests.get(algorithm.checksum()).unwrap_or_default();
    let (sequence, id) = object.slot().next(call)?;
    let place = Place {
        bucket: &object.bucket().name,
        key: object.key(),
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
        checksum: Some(Kept::full(algorithm, digest)),
        body: Body::One(piece),
    };
    let version = draft.version(call, (sequence, id), stored);
    let mut result = model::CopyObjectResult {
        e_tag: Some(version.quoted_etag()),
        last_modified: Some(version.modified()),
        checksum_type: version.checksum.as_ref().map(Kept::kind),
        ..Default::default()
    };
    checksum::show!(result, &version.checksum);
    let mut output = model::CopyObjectOutput {
        copy_object_result: Some(result),
        copy_source_version_id: from.object.shown_id(&from.version),
        version_id: version.id.clone(),
        expiration: lifecycle::expiration(call, object.bucket(), object.key(), &version)?,
        ..Default::default()
    };
    encryption::show!(output, version.encryption);
    output.sse_kms_encryption_context = version.encryption.shown_context();
    change::make(call, object.slot(), Made::Copy, version)?;
    Ok(output)
}

fn on_condition(input: &model::CopyObjectRequest) -> OnCondition {
    OnCondition {
        matches: input.if_match.clone(),
        none_match: input.if_none_match.clone(),
    }
}

/// A copy of an object onto itself must change something.
fn expect_change(object: &ObjectTarget, source: &CopySource, input: &model::CopyObjectRequest) -> Result<()> {
    let same = object.bucket().name == source.object.bucket().name && object.key() == source.object.key();
    let changes = input.metadata_directive == Some(model::MetadataDirective::Replace)
        || input.storage_class.is_some()
        || input.website_redirect_location.is_some()
        || input.server_side_encryption.is_some()
        || input.sse_customer_algorithm.is_some()
        || input.checksum_algorithm.is_some()
        || source.object.asked().is_some();
    if same && !changes {
        return Err(refusal::invalid_request(
            "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, \
             storage class, website redirect location or encryption attributes.",
        ));
    }
    Ok(())
}

/// The metadata of the copy: the source's, or the request's if it says so. A redirect is never copied.
fn chosen_metadata(source: &CopySource, input: &mut model::CopyObjectRequest) -> Metadata {
    if input.metadata_directive == Some(model::MetadataDirective::Replace) {
        return metadata::of_request!(input);
    }
    Metadata {
        website_redirect: input.website_redirect_location.take(),
        ..source.version.metadata.clone()
    }
}

fn replaces_tags(input: &model::CopyObjectRequest) -> bool {
    input.tagging_directive == Some(model::TaggingDirective::Replace)
}

/// The tags of the copy, with the permissions that they need: those of the source are asked for like those of a request.
fn chosen_tags(
    call: &mut Call<'_>,
    object: &ObjectTarget,
    source: &CopySource,
    (input, keys): (&model::CopyObjectRequest, &Context),
) -> Result<TagSet> {
    let tags = if replaces_tags(input) {
        tag_set::read_header(input.tagging.as_deref())?
    } else {
        if !source.version.tags.is_empty() {
            source.also(call, GET_TAGS, GET_VERSION_TAGS)?;
        }
        source.version.tags.clone()
    };
    if !tags.is_empty() {
        let mut keys = keys.clone();
        tag_set::requested(&tags, &mut keys);
        object.also(call, PUT_TAGS, keys)?;
    }
    Ok(tags)
}
