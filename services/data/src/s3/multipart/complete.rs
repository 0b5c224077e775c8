//! The end of an upload: its parts become an object.
//!
//! Invariant: no byte moves; parts that the request does not name go.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::s3 as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use wire::{Document, Fault};

use super::{Part, Summed, UPLOADED, UPLOADS, Upload, all_parts, find};
use crate::s3::encryption::{self, Applied, Plan};
use crate::s3::fault::malformed_xml;
use crate::s3::lifecycle;
use crate::s3::listing::page::Names;
use crate::s3::object::change::{self, Made};
use crate::s3::object::checksum::{self, Algorithm, Kept, Values};
use crate::s3::object::target::{self, ObjectTarget};
use crate::s3::object::write::{self, Draft, OnCondition, Stored};
use crate::s3::object::{Body, Piece, Version, class, lock, precondition, refusal};
use crate::s3::payer;

/// The least bytes of a part that is not the last.
const PART_BYTES_MIN: u64 = 5 << 20;

/// Makes an object of the parts of an upload.
pub struct CompleteMultipartUpload;

impl Operation for CompleteMultipartUpload {
    type Input = model::CompleteMultipartUploadRequest;
    type Output = model::CompleteMultipartUploadOutput;
    type Target = ObjectTarget;
    const ACCESS: Access = write::PUT;
    const CONDITIONS: &'static [&'static str] =
        &["s3:ObjectCreationOperation", "s3:if-match", "s3:if-none-match"];
    const ALSO: &'static [Access] = &[write::GET];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<ObjectTarget>> {
        let owner = input.expected_bucket_owner.as_deref();
        target::named(look, &input.bucket, &input.key, owner)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        context.insert("s3:ObjectCreationOperation", "CompleteMultipartUpload");
        on_condition(input).keys(context);
    }

    fn handle(
        call: &mut Call<'_>,
        object: Authorized<ObjectTarget>,
        mut input: Self::Input,
    ) -> Result<Self::Output> {
        let charged = payer::charge(call, object.bucket(), input.request_payer)?;
        let found = find(call, &object.bucket().name, &input.key, &input.upload_id);
        let (row, upload) = match found {
            Ok(found) => found,
            // A client that did not hear the answer asks again.
            Err(absent) => {
                let again = again(call, &object, &input.upload_id)?;
                return again.map(|answer| charging(answer, charged)).ok_or(absent);
            }
        };
        let named = input
            .multipart_upload
            .take()
            .and_then(|list| list.parts)
            .unwrap_or_default();
        if named.is_empty() {
            return Err(malformed_xml());
        }
        let values = checksum::values!(input)?;
        expect_kind(&upload, input.checksum_type)?;
        let conditions = on_condition(&input);
        conditions.expect(call, &object)?;
        if conditions.none_match.is_some() && upload.deleted {
            return Err(refusal::conflict("If-None-Match"));
        }
        let customer = encryption::customer!(input);
        // Without checksums of parts, a customer's key has nothing to open here.
        let needless = matches!(upload.encryption, Applied::Customer(_)) && upload.summed.is_none();
        if customer.is_given() || !needless {
            Plan::resume(call, &upload.encryption, object.bucket(), &input.key, &customer)?;
        }
        let mut there: BTreeMap<u16, Arc<Part>> = all_parts(call, &upload.id)?.into_iter().collect();
        let chosen = choose(&upload, named, &mut there)?;
        let size: u64 = chosen.iter().map(|(_, part)| part.content.size()).sum();
        if let Some(told) = input.mpu_object_size
            && u64::try_from(told) != Ok(size)
        {
            return Err(refusal::invalid_request(format!(
                "The provided 'x-amz-mp-object-size' header value {told} does not match what was computed: {size}"
            )));
        }
        let kept = sum(&upload, &chosen)?;
        expect_sum(&kept, values)?;
        for (number, part) in there {
            call.release(&part.content)?;
            call.delete(&UPLOADED, &(upload.id.as_str(), number))?;
        }
        for (number, _) in &chosen {
            call.delete(&UPLOADED, &(upload.id.as_str(), *number))?;
        }
        call.delete(&UPLOADS, &row)?;
        let version = make(call, &object, &upload, &chosen, (size, kept))?;
        Ok(charging(answer(call, &object, &version)?, charged))
    }
}

fn charging(
    answer: model::CompleteMultipartUploadOutput,
    charged: Option<model::RequestCharged>,
) -> model::CompleteMultipartUploadOutput {
    model::CompleteMultipartUploadOutput {
        request_charged: charged,
        ..answer
    }
}

fn on_condition(input: &model::CompleteMultipartUploadRequest) -> OnCondition {
    OnCondition {
        matches: input.if_match.clone(),
        none_match: input.if_none_match.clone(),
    }
}

/// The parts that the request names, in its order, taken out of those that there are.
fn choose(
    upload: &Upload,
    named: Vec<model::CompletedPart>,
    there: &mut BTreeMap<u16, Arc<Part>>,
) -> Result<Vec<(u16, Arc<Part>)>> {
    let count = named.len();
    let mut chosen = Vec::with_capacity(count);
    expect_order(upload, &named)?;
    for (at, mut asked) in named.into_iter().enumerate() {
        let number = asked.part_number.ok_or_else(malformed_xml)?;
        let etag = asked.e_tag.take().unwrap_or_default();
        let absent = || refusal::invalid_part(&upload.id, number, precondition::bare(&etag));
        let place = u16::try_from(number).map_err(|_| absent())?;
        let part = there
            .remove(&place)
            .filter(|part| part.etag == precondition::bare(&etag))
            .ok_or_else(absent)?;
        expect_part_sum(upload, &part, checksum::values!(asked)?, number)?;
        if at + 1 < count && part.content.size() < PART_BYTES_MIN {
            return Err(Fault::plain(
                "EntityTooSmall",
                400,
                "Your proposed upload is smaller than the minimum allowed size",
            )
            .with("ProposedSize", Document::String(part.content.size().to_string()))
            .with("MinSizeAllowed", Document::String(PART_BYTES_MIN.to_string()))
            .with("PartNumber", Document::String(number.to_string()))
            .with("ETag", Document::String(part.etag.clone())));
        }
        chosen.push((place, part));
    }
    Ok(chosen)
}

/// Parts are named by ascending numbers.
fn expect_order(upload: &Upload, named: &[model::CompletedPart]) -> Result<()> {
    let ascends = named.is_sorted_by(|one, next| one.part_number < next.part_number);
    if ascends {
        return Ok(());
    }
    Err(Fault::plain(
        "InvalidPartOrder",
        400,
        "The list of parts was not in ascending order. The parts list must be specified in order by part number.",
    )
    .with("UploadId", Document::String(upload.id.clone())))
}

/// The checksum that the request gives for a part must be the part's; of a composite checksum every part is given one.
fn expect_part_sum(upload: &Upload, part: &Part, values: Values, number: i32) -> Result<()> {
    let mut given = values
        .into_iter()
        .filter_map(|(algorithm, value)| Some((algorithm, value?)));
    match (given.next(), upload.summed) {
        (
            None,
            Some(Summed {
                algorithm,
                composite: true,
            }),
        ) => Err(refusal::invalid_request(format!(
            "The upload was created using a {} checksum. The complete request must include the checksum for each part. It was missing \
             for part {number} in the request.",
            algorithm.lower()
        ))),
        (Some((algorithm, value)), _)
            if algorithm == part.checksum.algorithm && value != part.checksum.value =>
        {
            Err(refusal::invalid_part(&upload.id, number, &part.etag))
        }
        (Some((algorithm, _)), Some(summed)) if algorithm != summed.algorithm => Err(bad_kind(summed)),
        _ => Ok(()),
    }
}

fn bad_kind(summed: Summed) -> Fault {
    refusal::invalid_request(format!(
        "The upload was created using a {} checksum. The complete request must use the same checksum.",
        summed.algorithm.lower()
    ))
}

/// The kind of checksum that the request names must be the upload's.
fn expect_kind(upload: &Upload, named: Option<model::ChecksumType>) -> Result<()> {
    let kind = upload
        .summed
        .map_or(model::ChecksumType::FullObject, Summed::kind);
    match named {
        Some(named) if named != kind => Err(refusal::invalid_request(format!(
            "The upload was created using the {kind} checksum mode. The complete request must use the same checksum mode."
        ))),
        _ => Ok(()),
    }
}

/// The checksum of the whole.
fn sum(upload: &Upload, chosen: &[(u16, Arc<Part>)]) -> Result<Kept> {
    let summed = upload.summed.unwrap_or(Summed {
        algorithm: Algorithm::DEFAULT,
        composite: false,
    });
    let raw = |part: &Part| {
        part.checksum
            .raw()
            .ok_or_else(|| Fault::internal("a part's checksum does not read back"))
    };
    if summed.composite {
        let parts: Result<Vec<_>> = chosen.iter().map(|(_, part)| raw(part)).collect();
        return checksum::composite(summed.algorithm, &parts?);
    }
    let parts: Result<Vec<_>> = chosen
        .iter()
        .map(|(_, part)| Ok((raw(part)?, part.content.size())))
        .collect();
    checksum::joined(summed.algorithm, &parts?)
}

/// The checksum of the whole that the request gives, if any, must be what was computed.
fn expect_sum(kept: &Kept, values: Values) -> Result<()> {
    for (algorithm, value) in values {
        let Some(value) = value else { continue };
        // Of a composite checksum the number of parts may be left out.
        let bare = |text: &str| text.split_once('-').map_or(text, |(head, _)| head).to_owned();
        if algorithm != kept.algorithm || bare(&value) != bare(&kept.value) {
            return Err(refusal::bad_digest(format!(
                "The {} you specified did not match the calculated checksum.",
                algorithm.lower()
            )));
        }
    }
    Ok(())
}

/// Writes the object.
fn make(
    call: &mut Call<'_>,
    object: &ObjectTarget,
    upload: &Upload,
    chosen: &[(u16, Arc<Part>)],
    (size, kept): (u64, Kept),
) -> Result<Version> {
    let lock = match upload.lock {
        Some(lock) => lock,
        None => lock::Asked::default().resolve(call, object.bucket())?,
    };
    let digests: Option<Vec<_>> = chosen
        .iter()
        .map(|(_, part)| crypto::digest::unhex(&part.etag))
        .collect();
    let digests = digests.ok_or_else(|| Fault::internal("a part's entity tag does not read back"))?;
    let pieces: Vec<Piece> = chosen
        .iter()
        .map(|(number, part)| Piece {
            content: part.content.clone(),
            keys: part.keys.clone(),
            part: *number,
            checksum: Some(part.checksum.clone()),
        })
        .collect();
    let (sequence, id) = object.slot().next(call)?;
    let stored = Stored {
        size,
        etag: checksum::multipart_etag(&digests),
        checksum: Some(kept),
        body: Body::Parts {
            count: u32::try_from(pieces.len()).unwrap_or(u32::MAX),
            upload: upload.id.clone(),
        },
    };
    let draft = Draft {
        metadata: upload.metadata.clone(),
        tags: upload.tags.clone(),
        class: class::stored(&upload.class),
        lock,
        owner: upload.owner.clone(),
        acl: upload.acl.clone(),
        encryption: upload.encryption.clone(),
    };
    let version = draft.version(call, (sequence, id), stored);
    change::make(
        call,
        object.slot(),
        Made::CompleteMultipartUpload,
        version.clone(),
    )?;
    object.slot().keep_pieces(call, sequence, pieces)?;
    Ok(version)
}

fn answer(
    call: &mut Call<'_>,
    object: &ObjectTarget,
    version: &Version,
) -> Result<model::CompleteMultipartUploadOutput> {
    let bucket = object.bucket();
    let key = Names(Some(model::EncodingType::Url)).show(object.key());
    let shown = version.encryption.shown();
    let mut output = model::CompleteMultipartUploadOutput {
        location: Some(format!(
            "https://{}.s3.{}.amazonaws.com/{key}",
            bucket.name,
            call.region()
        )),
        bucket: Some(bucket.name.clone()),
        key: Some(object.key().to_owned()),
        e_tag: Some(version.quoted_etag()),
        version_id: version.id.clone(),
        expiration: lifecycle::expiration(call, bucket, object.key(), version)?,
        checksum_type: version.checksum.as_ref().map(Kept::kind),
        server_side_encryption: shown.mode,
        sse_kms_key_id: shown.kms_key,
        bucket_key_enabled: shown.bucket_key,
        ..Default::default()
    };
    checksum::show!(output, &version.checksum);
    Ok(output)
}

/// The answer once more, while the object that the upload made is the newest of its key.
fn again(
    call: &mut Call<'_>,
    object: &ObjectTarget,
    id: &str,
) -> Result<Option<model::CompleteMultipartUploadOutput>> {
    let newest = object.slot().newest(call)?;
    let made = newest.filter(|newest| match &newest.body {
        Body::Parts { upload, .. } => upload == id,
        Body::None | Body::One(_) => false,
    });
    made.map(|version| answer(call, object, &version)).transpose()
}
