//! Request metrics: what requests to a bucket come to, published in CloudWatch's namespace `AWS/S3` for each of its metrics
//! configurations.
//!
//! Invariant: a bucket without a metrics configuration reads and publishes nothing here. A refused request counts as well.
//!
//! Source: S3 User Guide, "Amazon S3 metrics and dimensions", "Creating a metrics configuration that filters by prefix, object tag, or
//! access point".

use api::s3 as model;
use pipeline::telemetry::{Measured, Subject, number};
use pipeline::{Call, Ended, EndedPart, Result};
use wire::Timestamp;

use super::bucket::{Bucket, Configured};
use super::configuration;
use super::ended::{self, Reached};
use super::object::target::ObjectTarget;

mod filter;
pub(crate) mod storage;

use filter::Asked;
pub(crate) use filter::check;

/// The most configurations of a bucket.
const CONFIGURATIONS_MAX: usize = 1000;
const NAMESPACE: &str = "AWS/S3";
const COUNT: &str = "Count";
const BYTES: &str = "Bytes";
const MILLISECONDS: &str = "Milliseconds";
const TOOK: (&str, &str) = ("TotalRequestLatency", MILLISECONDS);
const DOWNLOADED: (&str, &str) = ("BytesDownloaded", BYTES);

/// Measures a request for every configuration that it fits.
pub(super) fn note(
    call: &mut Call<'_>,
    bucket: &Bucket,
    (ended, reached): (&Ended<'_>, &Reached),
) -> Result<()> {
    if !bucket.configured.contains(&Configured::Metrics) {
        return Ok(());
    }
    let at = Timestamp(call.now.0.saturating_sub(ended.took.max(0)));
    let key = reached.key.as_deref().map(ended::decoded);
    let mut asked = Asked::new(bucket, key.as_deref(), reached.point.as_deref());
    if ended.operation == "DeleteObject" {
        asked.tagged = ended.parts.first().map(|gone| &gone.tags);
    }
    let values = values(ended, key.is_some());
    for configuration in configurations(call, bucket)? {
        if !asked.fits(call, configuration.filter.as_ref())? {
            continue;
        }
        let subject = subject(bucket, &configuration.id);
        if ended.streams {
            call.measure_at_end(subject.clone(), at, TOOK, DOWNLOADED);
        }
        call.measure(subject, at, values.clone());
    }
    Ok(())
}

/// Has the end of a deletion told of the tags that its object had, or that it had none: behind it there is nothing that shows them, but
/// perhaps another version.
pub(crate) fn note_tags(call: &mut Call<'_>, object: &ObjectTarget, version: Option<&str>) -> Result<()> {
    let bucket = object.bucket();
    if !bucket.configured.contains(&Configured::Metrics) {
        return Ok(());
    }
    let found = match version {
        Some(id) => object.slot().version(call, id)?,
        None => object.slot().newest(call)?,
    };
    if let Some(found) = found {
        call.follow_part(EndedPart {
            name: object.key().to_owned(),
            version: None,
            status: 204,
            code: None,
            size: None,
            tags: found.tags.clone(),
        });
    }
    Ok(())
}

/// Counts the read of an object that another request copies from.
pub(crate) fn note_source(call: &mut Call<'_>, bucket: &Bucket, key: &str) -> Result<()> {
    if !bucket.configured.contains(&Configured::Metrics) {
        return Ok(());
    }
    let at = call.now;
    let mut asked = Asked::new(bucket, Some(key), None);
    for configuration in configurations(call, bucket)? {
        if asked.fits(call, configuration.filter.as_ref())? {
            let subject = subject(bucket, &configuration.id);
            let read = vec![("AllRequests", COUNT, 1.0), ("GetRequests", COUNT, 1.0)];
            call.measure(subject, at, read);
        }
    }
    Ok(())
}

fn configurations(call: &mut Call<'_>, bucket: &Bucket) -> Result<Vec<model::MetricsConfiguration>> {
    let page = configuration::page(call, bucket, Configured::Metrics, None, CONFIGURATIONS_MAX)?;
    Ok(page.0)
}

fn subject(bucket: &Bucket, id: &str) -> Subject {
    Subject {
        account: bucket.account.clone(),
        region: bucket.region.clone(),
        namespace: NAMESPACE,
        dimensions: vec![("BucketName", bucket.name.clone()), ("FilterId", id.to_owned())],
    }
}

/// What a request comes to.
fn values(ended: &Ended<'_>, keyed: bool) -> Vec<Measured> {
    let took = number(u64::try_from(ended.took).unwrap_or(0));
    let one = |holds: bool| if holds { 1.0 } else { 0.0 };
    let mut values = vec![("AllRequests", COUNT, 1.0)];
    values.extend(kind(ended, keyed).map(|name| (name, COUNT, 1.0)));
    values.push(("4xxErrors", COUNT, one((400..500).contains(&ended.status))));
    values.push(("5xxErrors", COUNT, one(ended.status >= 500)));
    values.push(("FirstByteLatency", MILLISECONDS, took));
    if !ended.streams {
        values.push((TOOK.0, TOOK.1, took));
        if ended.sent > 0 && ended.method != "HEAD" {
            values.push((DOWNLOADED.0, DOWNLOADED.1, number(ended.sent)));
        }
    }
    let header = |name: &str| ended.headers.get(name)?.to_str().ok()?.parse().ok();
    // Of what is refused nothing need have come, and without a body the header of its decoded length is anybody's word.
    let (whole, decoded): (Option<u64>, Option<u64>) =
        (header("content-length"), header("x-amz-decoded-content-length"));
    let uploaded = match (whole, decoded) {
        (Some(whole), Some(decoded)) => Some(whole.min(decoded)),
        (None, decoded) if ended.method == "PUT" => decoded,
        (whole, _) => whole,
    };
    values.extend(
        uploaded
            .filter(|bytes| *bytes > 0 && ended.status < 400)
            .map(|bytes| ("BytesUploaded", BYTES, number(bytes))),
    );
    values
}

/// The metric that counts requests of its sort, beside `AllRequests`.
fn kind(ended: &Ended<'_>, keyed: bool) -> Option<&'static str> {
    match (ended.operation, ended.method) {
        (
            "ListObjects" | "ListObjectsV2" | "ListObjectVersions" | "ListMultipartUploads" | "ListParts",
            _,
        ) => Some("ListRequests"),
        ("DeleteObjects", _) => Some("DeleteRequests"),
        (_, "HEAD") => Some("HeadRequests"),
        (_, "POST") => Some("PostRequests"),
        (_, "GET") if keyed => Some("GetRequests"),
        (_, "PUT") if keyed => Some("PutRequests"),
        (_, "DELETE") if keyed => Some("DeleteRequests"),
        _ => None,
    }
}
