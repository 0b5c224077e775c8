//! The delivery of a bucket's lines: objects that `logging.s3.amazonaws.com` puts into the target bucket, if that bucket's policy lets it.
//!
//! Invariant: a line is gone from here in the commit that puts its object. What cannot be delivered is tried again every hour, shows in
//! the trail each time, and is let go after a day.
//!
//! Source: S3 User Guide, "Enabling Amazon S3 server access logging", "Amazon S3 server access log delivery".

use bytes::Bytes;
use pipeline::jobs::JobKind;
use pipeline::{Call, Result};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use wire::{Document, Fault, Timestamp};

use super::{DELAY, LINES, Line, PLANNED};
use crate::s3::acl::{Acl, Grant, Permission};
use crate::s3::bucket::{self, BUCKETS, LogKeys, Logging};
use crate::s3::object::OBJECTS;

const NAME: &str = "s3.DeliverAccessLogs";
const SERVICE: &str = "logging.s3.amazonaws.com";
/// Lines of one object, and of one run.
const LINES_MAX: usize = 1000;
const DAY: i64 = 86_400_000;

/// What delivers.
pub const JOB: JobKind = JobKind {
    name: NAME,
    service: "s3",
    event: "",
    run: deliver,
};

/// The bucket whose lines are delivered.
#[derive(Serialize, Deserialize)]
struct Due {
    bucket: String,
}

type Row = ((String, i64, String), Arc<Line>);

/// Plans a run.
pub(super) fn plan(call: &mut Call<'_>, region: &str, bucket: &str, due: Timestamp) -> Result<()> {
    let payload = Due {
        bucket: bucket.to_owned(),
    };
    let payload = serde_json::to_value(payload).map_err(Fault::internal)?;
    call.schedule_in(region, NAME, due, payload)?;
    Ok(())
}

fn deliver(call: &mut Call<'_>, payload: &serde_json::Value) -> Result<()> {
    let Due { bucket: name } = Due::deserialize(payload).map_err(Fault::internal)?;
    let (now, region) = (call.now, call.region().to_owned());
    let Some(planned) = call.get(&PLANNED, &name)? else {
        return Ok(());
    };
    let mut lines = call.range(&LINES, &(name.as_str(),), None, LINES_MAX)?;
    if lines.is_empty() {
        return call.delete(&PLANNED, &name);
    }
    let bucket = call.get(&BUCKETS, &name)?;
    let bucket = bucket.filter(|bucket| bucket.account == planned.account && bucket.region == region);
    let logging = bucket.and_then(|bucket| bucket.logging.clone());
    let logging = logging.unwrap_or_else(|| planned.logging.clone());
    if matches!(logging.format, LogKeys::Partitioned { by_event: true }) {
        // An object holds the requests of one day.
        let first = lines.first().map(|((_, at, _), _)| at.div_euclid(DAY));
        lines.retain(|((_, at, _), _)| Some(at.div_euclid(DAY)) == first);
    }
    let put = put(call, &name, &logging, &lines);
    let delivered = put.is_ok();
    for (row, _) in &lines {
        if delivered || row.1 + DAY <= now.0 {
            call.delete(&LINES, row)?;
        }
    }
    let left = !call.range(&LINES, &(name.as_str(),), None, 1)?.is_empty();
    if !left {
        return call.delete(&PLANNED, &name);
    }
    let due = if delivered { now } else { Timestamp(now.0 + DELAY) };
    plan(call, &region, &name, due)
}

/// Puts one object. A refusal is a record in the trail.
fn put(call: &mut Call<'_>, source: &str, logging: &Logging, lines: &[Row]) -> Result<()> {
    let mut body = String::new();
    for (_, line) in lines {
        body.push_str(&line.0);
        body.push('\n');
    }
    let first = lines.first().map_or(call.now.0, |((_, at, _), _)| *at);
    let key = key(call, source, logging, Timestamp(first))?;
    let account = call.account().to_owned();
    let text = |text: &str| Document::String(text.to_owned());
    let input = Document::Structure(vec![
        ("Bucket", text(&logging.target)),
        ("Key", text(&key)),
        ("Body", Document::Stream),
        ("ContentType", text("text/plain")),
        ("ExpectedBucketOwner", text(&account)),
    ]);
    call.deliver_as_service(
        SERVICE,
        (&bucket::arn(source), &account),
        "s3",
        "PutObject",
        (input, Bytes::from(body)),
    )?;
    grant(call, logging, &key)
}

/// Puts the grants of the configuration on the object, where lists count.
fn grant(call: &mut Call<'_>, logging: &Logging, key: &str) -> Result<()> {
    if logging.grants.is_empty() {
        return Ok(());
    }
    let target = call.get(&BUCKETS, &logging.target)?;
    let row = (logging.target.as_str(), key.as_bytes());
    let Some(version) = call.get(&OBJECTS, &row)? else {
        return Ok(());
    };
    if !target.is_some_and(|target| target.has_acls()) {
        return Ok(());
    }
    let mut acl = Acl::private(&version.owner);
    acl.grants.extend(logging.grants.iter().map(|grant| Grant {
        grantee: grant.grantee.clone(),
        permission: match grant.permission.as_str() {
            "READ" => Permission::Read,
            "WRITE" => Permission::Write,
            _ => Permission::FullControl,
        },
    }));
    let mut version = (*version).clone();
    version.acl = Some(acl);
    call.put(&OBJECTS, &row, version)
}

/// The key of a new object.
fn key(call: &Call<'_>, source: &str, logging: &Logging, event: Timestamp) -> Result<String> {
    let unique = crypto::random::hex(call.random(), 8).map_err(Fault::internal)?;
    let unique = unique.to_ascii_uppercase();
    let prefix = &logging.prefix;
    let LogKeys::Partitioned { by_event } = logging.format else {
        return Ok(format!("{prefix}{}-{unique}", stamp(call.now)));
    };
    // By the event's day, the hour says nothing.
    let at = if by_event {
        Timestamp(event.0 - event.0.rem_euclid(DAY))
    } else {
        call.now
    };
    let (account, region) = (call.account(), call.region());
    let date = at.iso8601().get(..10).unwrap_or_default().replace('-', "/");
    Ok(format!(
        "{prefix}{account}/{region}/{source}/{date}/{}-{unique}",
        stamp(at)
    ))
}

/// `2026-11-22-00-36-56`
fn stamp(at: Timestamp) -> String {
    let iso = at.iso8601();
    iso.get(..19).unwrap_or_default().replace(['T', ':'], "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_tell_the_time() {
        assert_eq!(stamp(Timestamp(1_795_305_600_000)), "2026-11-22-00-00-00");
    }
}
