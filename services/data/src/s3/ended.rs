//! A request to a bucket that ended: what it was, for the access log and for the request metrics.
//!
//! Invariant: a request is told once, and both readers are told the same. A bucket that has neither is not followed.

use std::borrow::Cow;

use pipeline::gateway::Follower;
use pipeline::{Call, Ended, Result};

use super::access_point;
use super::bucket::{BUCKETS, Bucket, Configured};
use super::{log, metrics};

/// Who hears of requests that ended.
pub(crate) const FOLLOWER: Follower = told;

fn told(call: &mut Call<'_>, ended: &Ended<'_>) -> Result<()> {
    log::note_sources(call, ended)?;
    let Some(bucket) = call.get(&BUCKETS, ended.subject)? else {
        // The request that deleted it.
        return Ok(());
    };
    let reached = reached(call, &bucket, ended)?;
    log::note(call, &bucket, (ended, &reached))?;
    metrics::note(call, &bucket, (ended, &reached))
}

/// How a request reached its bucket.
#[derive(Default)]
pub(crate) struct Reached {
    /// The ARN of the access point that it came through.
    pub(crate) point: Option<String>,
    /// The object's key as the client wrote it.
    pub(crate) key: Option<String>,
}

fn reached(call: &mut Call<'_>, bucket: &Bucket, ended: &Ended<'_>) -> Result<Reached> {
    let path = wire::route::path_style(ended.path, ended.headers);
    let path = path.strip_prefix('/').unwrap_or(&path);
    let (name, behind) = path.split_once('/').unwrap_or((path, ""));
    let point = if name == bucket.name {
        None
    } else {
        access_point::denoted(call, &wire::sigv4::percent_decode(name))?
    };
    // A website's host may be its bucket's name and nothing else.
    let key = if name == bucket.name || point.is_some() {
        behind
    } else {
        path
    };
    let key = Some(key.to_owned()).filter(|key| !key.is_empty());
    Ok(Reached { point, key })
}

impl Bucket {
    /// Whether somebody wants to know how requests to it end.
    pub(crate) fn is_followed(&self) -> bool {
        self.logging.is_some() || self.configured.contains(&Configured::Metrics)
    }
}

/// The key itself.
pub(crate) fn decoded(key: &str) -> Cow<'_, str> {
    wire::sigv4::percent_decode(key)
}
