//! The uploads of a bucket that are under way.

use std::sync::Arc;

use api::s3 as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use wire::Timestamp;

use super::{Summed, UPLOADS, Upload, initiator};
use crate::s3::bucket::BucketTarget;
use crate::s3::listing::Under;
use crate::s3::listing::page::{self, Names};
use crate::s3::listing::walk::{Line, Position, Rows, walk};
use crate::s3::locate;
use crate::s3::object::access_list::owner;
use crate::s3::object::refusal::invalid_argument;
use crate::s3::object::{class, version_id};
use crate::s3::payer;

/// Lists uploads.
pub struct ListMultipartUploads;

/// The uploads of a bucket, those of a key from the oldest on.
struct Uploads<'a, 'b> {
    look: &'a mut Look<'b>,
    under: Under<'a>,
}

impl Rows for Uploads<'_, '_> {
    type Item = (u64, Arc<Upload>);

    fn next(&mut self, behind: &Position, limit: usize) -> Result<Vec<(Vec<u8>, Self::Item)>> {
        let after = (self.under.bucket.to_owned(), behind.key.clone(), behind.row);
        let after = (!behind.key.is_empty()).then_some(&after);
        let rows = self.look.range(&UPLOADS, &self.under, after, limit)?;
        let rows = rows
            .into_iter()
            .map(|((_, key, row), upload)| (key, (row, upload)));
        Ok(rows.collect())
    }

    fn position(&self, key: &[u8], (row, _): &Self::Item) -> Position {
        Position {
            key: key.to_vec(),
            row: *row,
        }
    }
}

impl Operation for ListMultipartUploads {
    type Input = model::ListMultipartUploadsRequest;
    type Output = model::ListMultipartUploadsOutput;
    type Target = BucketTarget;
    const ACCESS: Access = Access::list("s3:ListBucketMultipartUploads");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<BucketTarget>> {
        locate::entrance(look, &input.bucket, input.expected_bucket_owner.as_deref())
    }

    fn handle(
        call: &mut Call<'_>,
        bucket: Authorized<BucketTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let charged = payer::charge(call, &bucket, input.request_payer)?;
        let (limit, max_uploads) = page::size(input.max_uploads, "max-uploads")?;
        let names = Names(input.encoding_type);
        let prefix = input.prefix.clone().unwrap_or_default();
        let delimiter = input.delimiter.as_deref();
        let from = begin(&input, &prefix)?;
        let under = Under {
            bucket: &bucket.name,
            prefix: &prefix,
        };
        let page = walk(
            &mut Uploads { look: call, under },
            &prefix,
            delimiter,
            from,
            limit,
        )?;
        let mut output = model::ListMultipartUploadsOutput {
            bucket: Some(bucket.name.clone()),
            request_charged: charged,
            prefix: Some(names.show(&prefix)),
            key_marker: Some(names.show(&input.key_marker.unwrap_or_default())),
            upload_id_marker: Some(input.upload_id_marker.unwrap_or_default()),
            max_uploads: Some(max_uploads),
            delimiter: names.show_given(input.delimiter.as_ref()),
            encoding_type: input.encoding_type,
            is_truncated: Some(page.next.is_some()),
            ..Default::default()
        };
        match page.lines.last() {
            Some(Line::Row(key, (_, upload))) => {
                output.next_key_marker = Some(names.show(key));
                output.next_upload_id_marker = Some(upload.id.clone());
            }
            Some(Line::Common(prefix)) => output.next_key_marker = Some(names.show(prefix)),
            None => {}
        }
        let (mut uploads, mut commons) = (Vec::new(), Vec::new());
        for line in page.lines {
            match line {
                Line::Row(key, (_, upload)) => uploads.push(entry(names.show(&key), &upload)),
                Line::Common(prefix) => commons.push(model::CommonPrefix {
                    prefix: Some(names.show(&prefix)),
                }),
            }
        }
        output.uploads = Some(uploads).filter(|list| !list.is_empty());
        output.common_prefixes = Some(commons).filter(|list| !list.is_empty());
        Ok(output)
    }
}

/// Where the page of the request's markers begins. An upload's marker counts only beside a key's.
fn begin(input: &model::ListMultipartUploadsRequest, prefix: &str) -> Result<Position> {
    let key = input.key_marker.as_deref().filter(|key| !key.is_empty());
    let id = input.upload_id_marker.as_deref().filter(|id| !id.is_empty());
    match (key, id) {
        (None, _) => Ok(Position::default()),
        (Some(key), None) => Ok(Position::behind_marker(key, prefix, input.delimiter.as_deref())),
        (Some(key), Some(id)) => {
            let row = version_id::sequence(id);
            let row =
                row.ok_or_else(|| invalid_argument("Invalid uploadId marker", "upload-id-marker", id))?;
            Ok(Position {
                key: key.as_bytes().to_vec(),
                row,
            })
        }
    }
}

fn entry(key: String, upload: &Upload) -> model::MultipartUpload {
    model::MultipartUpload {
        key: Some(key),
        upload_id: Some(upload.id.clone()),
        initiated: Some(Timestamp(upload.initiated)),
        initiator: Some(initiator(upload)),
        owner: Some(owner(&upload.owner)),
        storage_class: Some(class::stored(&upload.class)),
        checksum_algorithm: upload.summed.map(|summed| summed.algorithm.model()),
        checksum_type: upload.summed.map(Summed::kind),
        ..Default::default()
    }
}
