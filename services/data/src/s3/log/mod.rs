//! Server access logs: a line of every request to a bucket that is logged, and their delivery as objects (S20.1, S20.2).
//!
//! `line` writes a line, `deliver` brings them into the target bucket.
//!
//! Invariant: a request to a bucket that is not logged writes and reads nothing here; a bucket that has lines has a delivery planned.
//!
//! Source: S3 User Guide, "Logging requests with server access logging".

use std::collections::BTreeMap;

use pipeline::{Call, Ended, EndedPart, Result};
use serde::{Deserialize, Serialize};
use store::Table;
use wire::{Fault, Timestamp};

use super::bucket::{BUCKETS, Bucket, Logging};
use super::ended::Reached;
use super::object::refusal;

mod deliver;
mod line;

pub use deliver::JOB as DELIVERED;

/// A line that was not delivered yet.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Line(pub(crate) String);

store::record!(Line, 1);

/// By bucket, the request's time in milliseconds, and the request's id.
pub(crate) static LINES: Table<(String, i64, String), Line> = Table::new(0x0380, "s3.access-log-lines");

/// The delivery that is planned for a bucket's lines.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Planned {
    pub(crate) account: String,
    /// How the bucket was logged when the delivery was planned: where lines go that are left when logging ends.
    pub(crate) logging: Logging,
}

store::record!(Planned, 1);

/// By bucket.
pub(crate) static PLANNED: Table<String, Planned> = Table::new(0x0381, "s3.access-log-deliveries");

/// Milliseconds from a bucket's first undelivered line to the delivery, and from one that failed to the next.
const DELAY: i64 = 60 * 60 * 1000;

/// Keeps the line of a request to a bucket that is logged, and plans its delivery.
pub(super) fn note(
    call: &mut Call<'_>,
    bucket: &Bucket,
    (ended, reached): (&Ended<'_>, &Reached),
) -> Result<()> {
    let Some(logging) = &bucket.logging else {
        return Ok(());
    };
    let at = at(call, ended);
    let text = line::of(bucket, call.identity, call.request, at, (ended, reached));
    let id = call.request.id.clone();
    keep(call, bucket, (at, &id), text)?;
    let deleted = if ended.operation == "DeleteObjects" {
        ended.parts
    } else {
        &[]
    };
    for (number, part) in deleted.iter().enumerate() {
        let text = line::of_part(bucket, call.identity, call.request, at, (ended, part));
        keep(call, bucket, (at, &format!("{id}.{number:04}")), text)?;
    }
    plan(call, bucket, logging)
}

/// When a request arrived.
fn at(call: &Call<'_>, ended: &Ended<'_>) -> Timestamp {
    Timestamp(call.now.0.saturating_sub(ended.took.max(0)))
}

/// Keeps the lines of what a copy read, whether or not the bucket that it wrote to is logged.
pub(super) fn note_sources(call: &mut Call<'_>, ended: &Ended<'_>) -> Result<()> {
    let Some(operation) = reading(ended.operation) else {
        return Ok(());
    };
    let at = at(call, ended);
    for source in ended.parts {
        note_source(call, at, (ended, source), operation)?;
    }
    Ok(())
}

/// The name of a copy's reading part.
fn reading(operation: &str) -> Option<&'static str> {
    match operation {
        "CopyObject" => Some("REST.COPY.OBJECT_GET"),
        "UploadPartCopy" => Some("REST.COPY.PART_GET"),
        _ => None,
    }
}

/// Has the end of a copy told of the object that it reads, whether or not the bucket that it writes to is logged.
pub(crate) fn read_by_copy(
    call: &mut Call<'_>,
    bucket: &Bucket,
    key: &str,
    (version, read): (Option<String>, std::result::Result<u64, &Fault>),
) {
    // No bucket has this name; one that was named before it stays.
    call.follow("");
    call.follow_part(EndedPart {
        name: format!("{}/{key}", bucket.name),
        version,
        status: read.err().map_or(200, refusal::status),
        code: read.err().map(refusal::code),
        size: read.ok(),
        tags: BTreeMap::new(),
    });
}

/// Has the end of a form told of the object that it made: its path and headers name neither the key nor the size.
pub(crate) fn stored_by_form(call: &mut Call<'_>, key: &str, size: u64) {
    call.follow_part(EndedPart {
        name: key.to_owned(),
        version: None,
        status: 204,
        code: None,
        size: Some(size),
        tags: BTreeMap::new(),
    });
}

/// Keeps the line of what a copy read, in the log of the bucket that it read from.
fn note_source(
    call: &mut Call<'_>,
    at: Timestamp,
    (ended, source): (&Ended<'_>, &EndedPart),
    operation: &'static str,
) -> Result<()> {
    let (name, key) = source.name.split_once('/').unwrap_or((&source.name, ""));
    let Some(bucket) = call.get(&BUCKETS, name)? else {
        return Ok(());
    };
    let Some(logging) = &bucket.logging else {
        return Ok(());
    };
    let read = (ended, source, key, operation);
    let text = line::of_source(&bucket, call.identity, call.request, at, read);
    let id = format!("{}.get", call.request.id);
    keep(call, &bucket, (at, &id), text)?;
    plan(call, &bucket, logging)
}

/// What S3 itself does to an object, or to an upload.
pub(crate) struct Done<'a> {
    /// `S3.EXPIRE.OBJECT`
    pub(crate) operation: &'static str,
    pub(crate) key: &'a str,
    pub(crate) version: Option<&'a str>,
    /// In bytes.
    pub(crate) size: Option<u64>,
}

/// Keeps the line of what a bucket's rules had done, if the bucket is logged.
pub(crate) fn done(call: &mut Call<'_>, bucket: &Bucket, done: &Done<'_>) -> Result<()> {
    let Some(logging) = &bucket.logging else {
        return Ok(());
    };
    let id = crypto::random::hex(call.random(), 8).map_err(Fault::internal)?;
    let (id, at) = (id.to_ascii_uppercase(), call.now);
    let text = line::of_rule(bucket, at, &id, done);
    keep(call, bucket, (at, &id), text)?;
    plan(call, bucket, logging)
}

fn keep(call: &mut Call<'_>, bucket: &Bucket, (at, id): (Timestamp, &str), text: String) -> Result<()> {
    let row = (bucket.name.clone(), at.0, id.to_owned());
    call.put(&LINES, &row, Line(text))
}

/// Plans the delivery of a bucket's lines, unless one is planned.
fn plan(call: &mut Call<'_>, bucket: &Bucket, logging: &Logging) -> Result<()> {
    let name = bucket.name.as_str();
    if call.get(&PLANNED, name)?.is_some() {
        return Ok(());
    }
    let planned = Planned {
        account: bucket.account.clone(),
        logging: logging.clone(),
    };
    call.put(&PLANNED, name, planned)?;
    let due = Timestamp(call.now.0 + DELAY);
    call.within(&bucket.account, |call| {
        deliver::plan(call, &bucket.region, name, due)
    })
}
