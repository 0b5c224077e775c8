//! Server access logs: a line of every request to a bucket that is logged, and their delivery as objects (S20.1, S20.2).
//!
//! `line` writes a line, `deliver` brings them into the target bucket.
//!
//! Invariant: a request to a bucket that is not logged writes and reads nothing here; a bucket that has lines has a delivery planned.
//!
//! Source: S3 User Guide, "Logging requests with server access logging".

use pipeline::{Call, Ended, Result};
use serde::{Deserialize, Serialize};
use store::Table;
use wire::{Fault, Timestamp};

use super::bucket::{Bucket, Logging};

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
pub(super) fn note(call: &mut Call<'_>, bucket: &Bucket, ended: &Ended<'_>) -> Result<()> {
    let Some(logging) = &bucket.logging else {
        return Ok(());
    };
    let at = Timestamp(call.now.0.saturating_sub(ended.took.max(0)));
    let text = line::of(bucket, call.identity, call.request, at, ended);
    let id = call.request.id.clone();
    keep(call, bucket, (at, &id), text)?;
    for (number, part) in ended.parts.iter().enumerate() {
        let text = line::of_part(bucket, call.identity, call.request, at, (ended, part));
        keep(call, bucket, (at, &format!("{id}.{number:04}")), text)?;
    }
    plan(call, bucket, logging)
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
