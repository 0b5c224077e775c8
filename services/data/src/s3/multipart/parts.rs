//! The parts of an upload that came so far.

use api::s3 as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use wire::Timestamp;

use super::{Part, Summed, UPLOADED, find, initiator};
use crate::s3::encryption;
use crate::s3::lifecycle;
use crate::s3::listing::page;
use crate::s3::object::access_list::owner;
use crate::s3::object::target::{self, ObjectTarget};
use crate::s3::object::{checksum, class};
use crate::s3::payer;

/// Lists the parts of an upload.
pub struct ListParts;

impl Operation for ListParts {
    type Input = model::ListPartsRequest;
    type Output = model::ListPartsOutput;
    type Target = ObjectTarget;
    const ACCESS: Access = Access::list("s3:ListMultipartUploadParts");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<ObjectTarget>> {
        let owner = input.expected_bucket_owner.as_deref();
        target::named(look, &input.bucket, &input.key, owner)
    }

    fn handle(
        call: &mut Call<'_>,
        object: Authorized<ObjectTarget>,
        mut input: Self::Input,
    ) -> Result<Self::Output> {
        let charged = payer::charge(call, object.bucket(), input.request_payer)?;
        let (_, upload) = find(call, &object.bucket().name, &input.key, &input.upload_id)?;
        let customer = encryption::customer!(input);
        if customer.is_given() {
            upload.encryption.expect_customer(&customer)?;
        }
        let (limit, max_parts) = page::size(input.max_parts, "max-parts")?;
        let marker = input.part_number_marker.unwrap_or(0);
        let behind = (
            upload.id.clone(),
            u16::try_from(marker.max(0)).unwrap_or(u16::MAX),
        );
        let mut rows = call.range(&UPLOADED, &(upload.id.as_str(),), Some(&behind), limit + 1)?;
        let more = rows.len() > limit && limit > 0;
        rows.truncate(limit);
        let next = rows.last().map_or(marker, |((_, number), _)| i32::from(*number));
        let shows_sums = upload.summed.is_some();
        let parts: Vec<_> = rows
            .iter()
            .map(|((_, number), part)| entry(*number, part, shows_sums))
            .collect();
        let begun = Timestamp(upload.initiated);
        let (abort_date, abort_rule_id) = lifecycle::abortion(call, object.bucket(), &input.key, begun)?;
        Ok(model::ListPartsOutput {
            abort_date,
            abort_rule_id,
            bucket: Some(object.bucket().name.clone()),
            request_charged: charged,
            key: Some(input.key),
            upload_id: Some(upload.id.clone()),
            part_number_marker: Some(marker),
            next_part_number_marker: Some(next),
            max_parts: Some(max_parts),
            is_truncated: Some(more),
            parts: Some(parts).filter(|parts| !parts.is_empty()),
            initiator: Some(initiator(&upload)),
            owner: Some(owner(&upload.owner)),
            storage_class: Some(class::stored(&upload.class)),
            checksum_algorithm: upload.summed.map(|summed| summed.algorithm.model()),
            checksum_type: upload.summed.map(Summed::kind),
            ..Default::default()
        })
    }
}

fn entry(number: u16, part: &Part, shows_sum: bool) -> model::Part {
    let mut entry = model::Part {
        part_number: Some(i32::from(number)),
        size: i64::try_from(part.content.size()).ok(),
        e_tag: Some(format!("\"{}\"", part.etag)),
        last_modified: Some(Timestamp(part.modified)),
        ..Default::default()
    };
    checksum::show!(entry, Some(&part.checksum).filter(|_| shows_sum));
    entry
}
