//! Uploads in parts: what was begun, the parts that came, and the object that is made of them without moving a byte.
//!
//! Invariant: a part belongs to one upload, and its bytes to one row: the part's until the upload ends, the object's afterwards.
//!
//! Source: S3 User Guide, "Uploading and copying objects using multipart upload in Amazon S3".

use api::s3 as model;
use pipeline::{Call, Content, Look, Result};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use store::Table;

use crate::s3::acl::Acl;
use crate::s3::encryption::{Applied, Wrapped};
use crate::s3::object::checksum::{Algorithm, Kept};
use crate::s3::object::lock::Lock;
use crate::s3::object::metadata::Metadata;
use crate::s3::object::tag_set::TagSet;
use crate::s3::object::{refusal, version_id};

mod abort;
mod complete;
mod create;
mod parts;
mod upload_part;
mod uploads;

pub use abort::AbortMultipartUpload;
pub use complete::CompleteMultipartUpload;
pub use create::CreateMultipartUpload;
pub use parts::ListParts;
pub use upload_part::{UploadPart, UploadPartCopy};
pub use uploads::ListMultipartUploads;

/// The greatest number of a part.
const PART_MAX: i32 = 10_000;

/// How the checksum of an upload's object is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Summed {
    #[serde(rename = "a")]
    pub(crate) algorithm: Algorithm,
    /// Of the parts' checksums, not of all bytes.
    #[serde(rename = "c")]
    pub(crate) composite: bool,
}

impl Summed {
    const fn kind(self) -> model::ChecksumType {
        if self.composite {
            model::ChecksumType::Composite
        } else {
            model::ChecksumType::FullObject
        }
    }
}

/// An upload that was begun and has not ended.
#[derive(Clone, Serialize, Deserialize)]
pub struct Upload {
    pub(crate) id: String,
    /// Milliseconds since the epoch.
    pub(crate) initiated: i64,
    /// The ARN of who began it, and the account.
    pub(crate) initiator: String,
    pub(crate) account: String,
    pub(crate) owner: String,
    pub(crate) acl: Option<Acl>,
    pub(crate) metadata: Metadata,
    pub(crate) tags: TagSet,
    /// AWS's name of the storage class.
    pub(crate) class: String,
    /// The lock that the request asked for; `None` leaves it to the bucket's default at the end.
    pub(crate) lock: Option<Lock>,
    pub(crate) encryption: Applied,
    /// What the client named; without it CRC-64/NVME is computed over the object.
    pub(crate) summed: Option<Summed>,
    /// The object of the key was deleted since.
    #[serde(default)]
    pub(crate) deleted: bool,
}

store::record!(Upload, 1);

/// By bucket, key and the number of the upload, which grows with time.
pub(crate) type UploadKey = (String, Vec<u8>, u64);

/// Uploads under way.
pub(crate) static UPLOADS: Table<UploadKey, Upload> = Table::new(0x0350, "s3.uploads");

/// A part that came.
#[derive(Clone, Serialize, Deserialize)]
pub struct Part {
    #[serde(rename = "d")]
    pub(crate) modified: i64,
    /// Without quotes.
    #[serde(rename = "e")]
    pub(crate) etag: String,
    #[serde(rename = "s")]
    pub(crate) checksum: Kept,
    #[serde(rename = "c")]
    pub(crate) content: Content,
    #[serde(rename = "k")]
    pub(crate) keys: Wrapped,
}

store::record!(Part, 1);

/// By the upload's id and the part's number.
pub(crate) static UPLOADED: Table<(String, u16), Part> = Table::new(0x0351, "s3.uploaded-parts");

/// The row of an upload.
fn row(bucket: &str, key: &str, sequence: u64) -> UploadKey {
    (bucket.to_owned(), key.as_bytes().to_vec(), sequence)
}

/// The upload of an id.
///
/// # Errors
/// `NoSuchUpload`.
fn find(look: &mut Look<'_>, bucket: &str, key: &str, id: &str) -> Result<(UploadKey, Arc<Upload>)> {
    let absent = || refusal::no_such_upload(id);
    let sequence = version_id::sequence(id).ok_or_else(absent)?;
    let row = row(bucket, key, sequence);
    let found = look.get(&UPLOADS, &row)?;
    let found = found.filter(|upload| upload.id == id).ok_or_else(absent)?;
    Ok((row, found))
}

/// A part's number.
///
/// # Errors
/// `InvalidArgument`.
fn number(asked: i32) -> Result<u16> {
    let number = u16::try_from(asked)
        .ok()
        .filter(|_| (1..=PART_MAX).contains(&asked));
    number.ok_or_else(|| {
        refusal::invalid_argument(
            "Part number must be an integer between 1 and 10000, inclusive",
            "partNumber",
            asked.to_string(),
        )
    })
}

/// Every part of an upload, in the order of their numbers.
fn all_parts(look: &mut Look<'_>, id: &str) -> Result<Vec<(u16, Arc<Part>)>> {
    const STRETCH: usize = 1000;
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let rows = look.range(&UPLOADED, &(id,), after.as_ref(), STRETCH)?;
        let more = rows.len() == STRETCH;
        after = rows.last().map(|(row, _)| row.clone());
        all.extend(rows.into_iter().map(|((_, number), part)| (number, part)));
        if !more {
            return Ok(all);
        }
    }
}

/// Ends an upload without an object: its parts go.
pub(crate) fn discard(call: &mut Call<'_>, row: &UploadKey, id: &str) -> Result<()> {
    for (number, part) in all_parts(call, id)? {
        call.release(&part.content)?;
        call.delete(&UPLOADED, &(id, number))?;
    }
    call.delete(&UPLOADS, row)
}

/// Notes that the object of a key was deleted, on every upload of the key that is under way: on condition that nothing is there, none of
/// them is completed any more (S3 User Guide, "Conditional write scenarios").
pub(crate) fn note_deletion(call: &mut Call<'_>, bucket: &str, key: &str) -> Result<()> {
    const STRETCH: usize = 100;
    let mut after = None;
    loop {
        let rows = call.range(&UPLOADS, &(bucket, key.as_bytes()), after.as_ref(), STRETCH)?;
        let more = rows.len() == STRETCH;
        after = rows.last().map(|(row, _)| row.clone());
        for (row, upload) in rows.iter().filter(|(_, upload)| !upload.deleted) {
            let upload = Upload {
                deleted: true,
                ..(**upload).clone()
            };
            call.put(&UPLOADS, row, upload)?;
        }
        if !more {
            return Ok(());
        }
    }
}

/// Ends every upload of a bucket that goes.
pub(crate) fn discard_all(call: &mut Call<'_>, bucket: &str) -> Result<()> {
    const STRETCH: usize = 100;
    loop {
        let rows = call.range(&UPLOADS, &(bucket,), None, STRETCH)?;
        for (row, upload) in &rows {
            discard(call, row, &upload.id)?;
        }
        if rows.len() < STRETCH {
            return Ok(());
        }
    }
}

/// Who began an upload, as lists name them.
fn initiator(upload: &Upload) -> model::Initiator {
    model::Initiator {
        id: Some(upload.initiator.clone()),
        display_name: None,
    }
}
