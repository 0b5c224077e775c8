//! The parts of an upload, from a body or from another object.
//!
//! Invariant: a part that comes again replaces the one before it, whose bytes go.

use api::s3 as model;
use pipeline::{Access, Authorized, Call, ChecksumSet, Found, Intake, Look, Operation, Received, Result};
use policy::Context;
use std::sync::Arc;

use super::{Part, Summed, UPLOADED, Upload, find, number};
use crate::s3::encryption::{self, Place, Plan};
use crate::s3::object::checksum::{self, Algorithm, Declared, Kept};
use crate::s3::object::copy_source;
use crate::s3::object::get::GET_VERSION;
use crate::s3::object::target::{self, ObjectTarget};
use crate::s3::object::write::{self, PUT_BYTES_MAX};
use crate::s3::object::{range, refusal, source, whole_second};
use crate::s3::payer;

/// Takes in one part.
pub struct UploadPart;

impl Operation for UploadPart {
    type Input = model::UploadPartRequest;
    type Output = model::UploadPartOutput;
    type Target = ObjectTarget;
    const ACCESS: Access = write::PUT;
    const CONDITIONS: &'static [&'static str] = &["s3:ObjectCreationOperation"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<ObjectTarget>> {
        let owner = input.expected_bucket_owner.as_deref();
        target::named(look, &input.bucket, &input.key, owner)
    }

    fn conditions(_input: &Self::Input, context: &mut Context) {
        context.insert("s3:ObjectCreationOperation", "UploadPart");
    }

    fn handle(
        call: &mut Call<'_>,
        object: Authorized<ObjectTarget>,
        mut input: Self::Input,
    ) -> Result<Self::Output> {
        let charged = payer::charge(call, object.bucket(), input.request_payer)?;
        let number = number(input.part_number)?;
        let (_, upload) = find(call, &object.bucket().name, &input.key, &input.upload_id)?;
        let values = checksum::values!(input)?;
        let declared = Declared::read(values, input.checksum_algorithm, input.content_md5.take())?;
        expect_agreed(&upload, declared.algorithm)?;
        let customer = encryption::customer!(input);
        let plan = Plan::resume(call, &upload.encryption, object.bucket(), &input.key, &customer)?;
        let received = call.receive(intake(&plan, &upload, declared.set()))?;
        let kept = declared.verify(&received)?;
        if received
            .trailers
            .iter()
            .any(|(name, _)| name.starts_with("x-amz-checksum-"))
        {
            expect_agreed(&upload, Some(kept.algorithm))?;
        }
        let part = keep(call, &object, &plan, &upload, number, &received)?;
        let mut output = model::UploadPartOutput {
            e_tag: Some(format!("\"{}\"", part.etag)),
            request_charged: charged,
            ..Default::default()
        };
        checksum::show!(output, Some(&kept));
        encryption::show!(output, upload.encryption);
        Ok(output)
    }
}

/// Takes a range of another object in as a part.
pub struct UploadPartCopy;

impl Operation for UploadPartCopy {
    type Input = model::UploadPartCopyRequest;
    type Output = model::UploadPartCopyOutput;
    type Target = ObjectTarget;
    const ACCESS: Access = write::PUT;
    const CONDITIONS: &'static [&'static str] = &["s3:ObjectCreationOperation", "s3:x-amz-copy-source"];
    const ALSO: &'static [Access] = &[write::GET, GET_VERSION];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<ObjectTarget>> {
        let owner = input.expected_bucket_owner.as_deref();
        target::named(look, &input.bucket, &input.key, owner)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        context.insert("s3:ObjectCreationOperation", "UploadPartCopy");
        context.insert("s3:x-amz-copy-source", input.copy_source.clone());
    }

    fn handle(
        call: &mut Call<'_>,
        object: Authorized<ObjectTarget>,
        mut input: Self::Input,
    ) -> Result<Self::Output> {
        let charged = payer::charge(call, object.bucket(), input.request_payer)?;
        let number = number(input.part_number)?;
        let (_, upload) = find(call, &object.bucket().name, &input.key, &input.upload_id)?;
        let asked_source = copy_source::asked!(input);
        let from = copy_source::admit(call, &input.copy_source, &asked_source)?;
        let range = match input.copy_source_range.as_deref() {
            None => {
                from.expect_size()?;
                0..from.version.size
            }
            Some(header) => {
                let range = range::read_of_copy(header).ok_or_else(|| {
                    refusal::invalid_argument(
                        "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the \
                         zero-based offsets of the first and last bytes to copy",
                        "x-amz-copy-source-range",
                        header,
                    )
                })?;
                if range.end > from.version.size {
                    return Err(refusal::invalid_argument(
                        format!(
                            "Range specified is not valid for source object of size: {}",
                            from.version.size
                        ),
                        "x-amz-copy-source-range",
                        header,
                    ));
                }
                range
            }
        };
        let customer = encryption::customer!(input);
        let plan = Plan::resume(call, &upload.encryption, object.bucket(), &input.key, &customer)?;
        let bytes = source::of(call, from.object.slot(), &from.version, &from.opener, range)?;
        let set = ChecksumSet::of(pipeline::Checksum::Md5);
        let received = call.transfer(bytes, intake(&plan, &upload, set))?;
        let part = keep(call, &object, &plan, &upload, number, &received)?;
        let mut result = model::CopyPartResult {
            e_tag: Some(format!("\"{}\"", part.etag)),
            last_modified: Some(call.now),
            ..Default::default()
        };
        checksum::show!(result, Some(&part.checksum));
        let mut output = model::UploadPartCopyOutput {
            copy_part_result: Some(result),
            request_charged: charged.or(from.charged),
            copy_source_version_id: from.object.shown_id(&from.version),
            ..Default::default()
        };
        encryption::show!(output, upload.encryption);
        Ok(output)
    }
}

fn algorithm(upload: &Upload) -> Algorithm {
    upload
        .summed
        .map_or(Algorithm::DEFAULT, |Summed { algorithm, .. }| algorithm)
}

/// How a part is taken in: with the checksum that the whole will be made of, whatever the client declares of the part.
fn intake(plan: &Plan, upload: &Upload, declared: ChecksumSet) -> Intake {
    Intake {
        layers: plan.applied().layers(),
        bytes_max: PUT_BYTES_MAX,
        digests: declared.with(algorithm(upload).checksum()),
    }
}

/// Where the upload names an algorithm, a part's checksum is of that one. Where it names none, parts are checked by whatever their
/// client declares, as clients do that know no better than to send one always.
fn expect_agreed(upload: &Upload, declared: Option<Algorithm>) -> Result<()> {
    match (upload.summed, declared) {
        (Some(summed), Some(declared)) if summed.algorithm != declared => {
            Err(refusal::invalid_request(format!(
                "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
                summed.algorithm.lower(),
                declared.lower()
            )))
        }
        _ => Ok(()),
    }
}

/// Keeps a part, over the one of the same number.
fn keep(
    call: &mut Call<'_>,
    object: &ObjectTarget,
    plan: &Plan,
    upload: &Upload,
    number: u16,
    received: &Arc<Received>,
) -> Result<Part> {
    let place = Place {
        bucket: &object.bucket().name,
        key: object.key(),
        label: source::part_label(&upload.id, number),
    };
    let keys = plan.wrap(call, &place, &received.keys)?;
    call.keep(&received.content)?;
    let row = (upload.id.as_str(), number);
    if let Some(before) = call.get(&UPLOADED, &row)? {
        call.release(&before.content)?;
    }
    let algorithm = algorithm(upload);
    let digest = received.digests.get(algorithm.checksum()).unwrap_or_default();
    let part = Part {
        modified: whole_second(call.now),
        etag: write::etag(call, plan.applied(), &received.digests)?,
        checksum: Kept::full(algorithm, digest),
        content: received.content.clone(),
        keys,
    };
    call.put(&UPLOADED, &row, part.clone())?;
    Ok(part)
}
