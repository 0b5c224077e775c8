//! The read of an object.

use api::s3 as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use wire::typed::Stream;
use wire::{Document, Fault};

use super::facts;
use super::precondition::Conditions;
use super::source;
use super::target::{self, ObjectTarget};
use super::write::GET;
use super::{Version, class};
use crate::s3::encryption;
use crate::s3::lifecycle;
use crate::s3::payer;

/// What it takes to read a version that is named.
pub(crate) const GET_VERSION: Access = Access::read("s3:GetObjectVersion");

/// Reads an object, or a range of it.
pub struct GetObject;

impl Operation for GetObject {
    type Input = model::GetObjectRequest;
    type Output = model::GetObjectOutput;
    type Target = ObjectTarget;
    const ACCESS: Access = GET;
    const CONDITIONS: &'static [&'static str] = &["s3:ExistingObjectTag/<key>", "s3:versionid"];
    const ALSO: &'static [Access] = &[GET_VERSION, target::LIST];

    fn access(input: &Self::Input) -> Access {
        target::of_version(input.version_id.as_ref(), GET, GET_VERSION)
    }

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<ObjectTarget>> {
        let version = input.version_id.as_deref();
        let owner = input.expected_bucket_owner.as_deref();
        target::found(look, (&input.bucket, &input.key), version, owner)
    }

    fn handle(
        call: &mut Call<'_>,
        object: Authorized<ObjectTarget>,
        mut input: Self::Input,
    ) -> Result<Self::Output> {
        let overrides = input.response_cache_control.is_some()
            || input.response_content_disposition.is_some()
            || input.response_content_encoding.is_some()
            || input.response_content_language.is_some()
            || input.response_content_type.is_some()
            || input.response_expires.is_some();
        facts::expect_signed(call, overrides)?;
        let charged = payer::charge(call, object.bucket(), input.request_payer)?;
        let version = object.object(call, "GET")?;
        facts::expect(conditions(&input), &version)?;
        expect_readable(call, &version)?;
        let customer = encryption::customer!(input);
        let opener = encryption::Opener::of(
            call,
            &version.encryption,
            object.bucket(),
            object.key(),
            &customer,
        )?;
        let range = facts::ranged(call, &version, input.range.as_deref());
        let extent = facts::extent(call, object.slot(), &version, range, input.part_number)?;
        let mut output = model::GetObjectOutput {
            body: Some(Stream),
            request_charged: charged,
            ..Default::default()
        };
        let now = call.now;
        facts::tell!(output, object, version, extent, input, now);
        if object.asked().is_none() {
            output.expiration = lifecycle::expiration(call, object.bucket(), object.key(), &version)?;
        }
        let source = source::of(call, object.slot(), &version, &opener, extent.range)?;
        call.deliver(source)?;
        Ok(output)
    }
}

fn conditions(input: &model::GetObjectRequest) -> Conditions<'_> {
    Conditions {
        matches: input.if_match.as_deref(),
        none_match: input.if_none_match.as_deref(),
        modified_since: input.if_modified_since,
        unmodified_since: input.if_unmodified_since,
    }
}

/// Refuses to read what lies in an archive.
pub(crate) fn expect_readable(call: &Call<'_>, version: &Version) -> Result<()> {
    if version.is_readable(call.now) {
        return Ok(());
    }
    Err(archived(version))
}

fn archived(version: &Version) -> Fault {
    api::s3::fault::invalid_object_state("The operation is not valid for the object's storage class").with(
        "StorageClass",
        Document::String(class::stored(&version.class).as_str().to_owned()),
    )
}
