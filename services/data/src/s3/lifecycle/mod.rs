//! The lifecycle of objects: what a bucket's rules have done to them, once a day at midnight UTC.
//!
//! `rule` says what a rule asks of a version, `pass` does it, page by page.
//!
//! Invariant: a bucket that has rules has one run planned, and no other bucket has any; a run does a bounded piece of work and plans
//! the next.
//!
//! Source: S3 User Guide, "Managing the lifecycle of objects", "Lifecycle configuration elements".

use api::s3 as model;
use pipeline::jobs::{JobId, JobKind};
use pipeline::{Call, Look, Result};
use serde::{Deserialize, Serialize};
use store::Table;
use wire::{Fault, Timestamp};

use super::bucket::{BUCKETS, Bucket, Configured};
use super::configuration;
use super::object::Version;

mod pass;
mod rule;

pub(crate) use rule::rank;

const NAME: &str = "s3.Lifecycle";
const DAY: i64 = 86_400_000;

/// What follows the rules.
pub const JOB: JobKind = JobKind {
    name: NAME,
    service: "s3",
    // CloudTrail tells nothing of what lifecycle rules do (S3 User Guide, "Lifecycle and other bucket configurations").
    event: "",
    run,
};

/// The run that is planned.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Planned(JobId);

store::record!(Planned, 1);

/// By bucket.
pub(crate) static PLANNED: Table<String, Planned> = Table::new(0x0390, "s3.lifecycle-runs");

/// Where a run goes on.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Due {
    bucket: String,
    place: pass::Place,
}

/// The midnight that comes next.
const fn midnight_after(at: Timestamp) -> Timestamp {
    Timestamp(at.0 - at.0.rem_euclid(DAY) + DAY)
}

/// Plans the first run of a bucket that got rules, unless one is planned.
pub(crate) fn begin(call: &mut Call<'_>, bucket: &Bucket) -> Result<()> {
    if call.get(&PLANNED, &bucket.name)?.is_some() {
        return Ok(());
    }
    let due = Due {
        bucket: bucket.name.clone(),
        place: pass::Place::default(),
    };
    let at = midnight_after(call.now);
    plan(call, bucket, &due, at)
}

/// Takes the run of a bucket back that has no rules any more, or goes.
pub(crate) fn end(call: &mut Call<'_>, bucket: &str) -> Result<()> {
    if let Some(planned) = call.get(&PLANNED, bucket)? {
        call.unschedule(&planned.0)?;
        call.delete(&PLANNED, bucket)?;
    }
    Ok(())
}

fn plan(call: &mut Call<'_>, bucket: &Bucket, due: &Due, at: Timestamp) -> Result<()> {
    let payload = serde_json::to_value(due).map_err(Fault::internal)?;
    let job = call.within(&bucket.account, |call| {
        call.schedule_in(&bucket.region, NAME, at, payload)
    })?;
    call.put(&PLANNED, &bucket.name, Planned(job))
}

/// One piece of a day's work.
fn run(call: &mut Call<'_>, payload: &serde_json::Value) -> Result<()> {
    let mut due = Due::deserialize(payload).map_err(Fault::internal)?;
    let Some(bucket) = call.get(&BUCKETS, &due.bucket)? else {
        return call.delete(&PLANNED, &due.bucket);
    };
    let Some(rules) = rules(call, &bucket)? else {
        return call.delete(&PLANNED, &due.bucket);
    };
    let at = match pass::step(call, &bucket, &rules, due.place)? {
        Some(place) => {
            due.place = place;
            call.now
        }
        None => {
            due.place = pass::Place::default();
            midnight_after(call.now)
        }
    };
    plan(call, &bucket, &due, at)
}

/// The rules of a bucket that are in force; `None` of a bucket without a configuration.
fn rules(look: &mut Look<'_>, bucket: &Bucket) -> Result<Option<Vec<model::LifecycleRule>>> {
    let found: Option<model::BucketLifecycleConfiguration> =
        configuration::read(look, bucket, Configured::Lifecycle, "")?;
    Ok(found.map(|found| {
        let mut rules = found.rules;
        rules.retain(|rule| rule.status == model::ExpirationStatus::Enabled);
        rules
    }))
}

/// When the newest version of a key goes by the rules that are in force, in milliseconds.
pub(crate) fn expires_at(rules: &[model::LifecycleRule], key: &[u8], version: &Version) -> Option<i64> {
    let meant = rules.iter().filter(|rule| rule::matches(rule, key, version));
    meant.filter_map(|rule| rule::expires(rule, version)).min()
}

/// `x-amz-abort-date` and `x-amz-abort-rule-id`: when an upload goes that began `at`, if it is not completed before, and by which rule.
pub(crate) fn abortion(
    look: &mut Look<'_>,
    bucket: &Bucket,
    key: &str,
    at: Timestamp,
) -> Result<(Option<Timestamp>, Option<String>)> {
    if !bucket.configured.contains(&Configured::Lifecycle) {
        return Ok((None, None));
    }
    let rules = rules(look, bucket)?.unwrap_or_default();
    let first = rules
        .iter()
        .filter_map(|rule| rule::aborts(rule, key.as_bytes(), at.0).map(|at| (at, rule)))
        .min_by_key(|(at, _)| *at);
    Ok(match first {
        Some((at, rule)) => (Some(Timestamp(at)), rule.id.clone()),
        None => (None, None),
    })
}

/// `x-amz-expiration`: when the newest version of a key goes by itself, and by which rule.
pub(crate) fn expiration(
    look: &mut Look<'_>,
    bucket: &Bucket,
    key: &str,
    version: &Version,
) -> Result<Option<String>> {
    if !bucket.configured.contains(&Configured::Lifecycle) {
        return Ok(None);
    }
    let rules = rules(look, bucket)?.unwrap_or_default();
    let first = rules
        .iter()
        .filter(|rule| rule::matches(rule, key.as_bytes(), version))
        .filter_map(|rule| rule::expires(rule, version).map(|at| (at, rule)))
        .min_by_key(|(at, _)| *at);
    Ok(first.map(|(at, rule)| {
        let date = super::object::http_date(Timestamp(at));
        let id = wire::sigv4::percent_encode(rule.id.as_deref().unwrap_or_default());
        format!("expiry-date=\"{date}\", rule-id=\"{id}\"")
    }))
}
