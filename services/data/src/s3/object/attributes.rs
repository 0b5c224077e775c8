//! Chosen facts of an object, and of its parts.

use api::s3 as model;
use model::ObjectAttributes as Attribute;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;

use super::get::GET_VERSION;
use super::target::{self, ObjectTarget};
use super::write::GET;
use super::{Body, Piece, Version, checksum};
use crate::s3::encryption;
use crate::s3::payer;

const VERSION_ATTRIBUTES: Access = Access::read("s3:GetObjectVersionAttributes");
/// Parts of one page.
const PARTS_MAX: i32 = 1000;

/// Tells the facts of an object that the request names.
pub struct GetObjectAttributes;

impl Operation for GetObjectAttributes {
    type Input = model::GetObjectAttributesRequest;
    type Output = model::GetObjectAttributesOutput;
    type Target = ObjectTarget;
    const ACCESS: Access = Access::read("s3:GetObjectAttributes");
    const CONDITIONS: &'static [&'static str] = &["s3:ExistingObjectTag/<key>", "s3:versionid"];
    const ALSO: &'static [Access] = &[VERSION_ATTRIBUTES, GET, GET_VERSION];

    fn access(input: &Self::Input) -> Access {
        target::of_version(input.version_id.as_ref(), Self::ACCESS, VERSION_ATTRIBUTES)
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
        let charged = payer::charge(call, object.bucket(), input.request_payer)?;
        let read = target::of_version(input.version_id.as_ref(), GET, GET_VERSION);
        object.also(call, read, Context::default())?;
        let version = object.object(call, "GET")?;
        let customer = encryption::customer!(input);
        let wants = |attribute| input.object_attributes.contains(&attribute);
        // Checksums are encrypted with the object; the rest is told to who has the customer's key, if there is one.
        if wants(Attribute::Checksum) {
            encryption::Opener::of(
                call,
                &version.encryption,
                object.bucket(),
                object.key(),
                &customer,
            )?;
        } else {
            version.encryption.expect_customer(&customer)?;
        }
        let mut output = model::GetObjectAttributesOutput {
            last_modified: Some(version.modified()),
            request_charged: charged,
            version_id: object.shown_id(&version),
            e_tag: wants(Attribute::ETag).then(|| version.etag.clone()),
            object_size: i64::try_from(version.size)
                .ok()
                .filter(|_| wants(Attribute::ObjectSize)),
            storage_class: wants(Attribute::StorageClass).then(|| version.class()),
            ..Default::default()
        };
        if wants(Attribute::Checksum)
            && let Some(kept) = &version.checksum
        {
            let mut shown = model::Checksum {
                checksum_type: Some(kept.kind()),
                ..Default::default()
            };
            checksum::show!(shown, Some(kept));
            output.checksum = Some(shown);
        }
        if wants(Attribute::ObjectParts) && matches!(version.body, Body::Parts { .. }) {
            let pieces = object.slot().pieces(call, &version)?;
            output.object_parts = Some(parts(
                &version,
                &pieces,
                input.max_parts,
                input.part_number_marker,
            ));
        }
        Ok(output)
    }
}

fn parts(
    version: &Version,
    pieces: &[Piece],
    max: Option<i32>,
    marker: Option<i32>,
) -> model::GetObjectAttributesParts {
    let max = max.unwrap_or(PARTS_MAX).clamp(0, PARTS_MAX);
    let marker = marker.unwrap_or(0);
    let limit = usize::try_from(max).unwrap_or_default();
    let behind: Vec<&Piece> = pieces
        .iter()
        .filter(|piece| i32::from(piece.part) > marker)
        .collect();
    let page = behind.get(..limit.min(behind.len())).unwrap_or_default();
    let shown = page.iter().map(|piece| {
        let mut part = model::ObjectPart {
            part_number: Some(i32::from(piece.part)),
            size: i64::try_from(piece.content.size()).ok(),
            ..Default::default()
        };
        let same = |kept: &&checksum::Kept| {
            version
                .checksum
                .as_ref()
                .is_some_and(|whole| whole.algorithm == kept.algorithm)
        };
        checksum::show!(part, piece.checksum.as_ref().filter(same));
        part
    });
    let shown: Vec<_> = shown.collect();
    model::GetObjectAttributesParts {
        total_parts_count: i32::try_from(pieces.len()).ok(),
        part_number_marker: Some(marker),
        max_parts: Some(max),
        is_truncated: Some(behind.len() > limit),
        next_part_number_marker: Some(page.last().map_or(marker, |piece| i32::from(piece.part))),
        parts: Some(shown).filter(|shown| !shown.is_empty()),
    }
}
