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
    let Some(bucket) = call.get(&BUCKETS, ended.subject)? else {
        // The request that deleted it.
        return Ok(());
    };
    log::note(call, &bucket, ended)?;
    metrics::note(call, &bucket, ended)
}

impl Bucket {
    /// Whether somebody wants to know how requests to it end.
    pub(crate) fn is_followed(&self) -> bool {
        self.logging.is_some() || self.configured.contains(&Configured::Metrics)
    }
}

/// The key as the client wrote it: in the path behind the name of the bucket or of its access point, or behind a host that is the
/// bucket's or the access point's own.
pub(crate) fn key<'a>(
    bucket: &str,
    through: Option<&str>,
    host: Option<&str>,
    path: &'a str,
) -> Option<&'a str> {
    let label = host.and_then(|host| host.split_once('.')).map(|(label, _)| label);
    let of_bucket = host.is_some_and(|host| {
        host.strip_prefix(bucket)
            .is_some_and(|rest| rest.starts_with('.'))
    });
    let of_point = through
        .and_then(access_point::of_arn)
        .is_some_and(|(account, _, name)| {
            label.is_some_and(|label| label.ends_with("-s3alias") || label == format!("{name}-{account}"))
        });
    let path = path.strip_prefix('/').unwrap_or(path);
    let key = if of_bucket || of_point {
        path
    } else if let Some(rest) = path.strip_prefix(bucket) {
        rest.strip_prefix('/')?
    } else {
        through?;
        path.split_once('/')?.1
    };
    Some(key).filter(|key| !key.is_empty())
}

/// The key itself.
pub(crate) fn decoded(key: &str) -> Cow<'_, str> {
    wire::sigv4::percent_decode(key)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_key_is_found_in_path_and_host_style() {
        let key = |bucket, host, path| super::key(bucket, None, Some(host), path);
        assert_eq!(key("b", "127.0.0.1", "/b/a%20k/x"), Some("a%20k/x"));
        assert_eq!(key("b", "b.localhost:1", "/a"), Some("a"));
        assert_eq!(key("b", "127.0.0.1", "/b"), None);
        assert_eq!(key("b", "127.0.0.1", "/b/"), None);
        assert_eq!(key("b", "127.0.0.1", "/other/a"), None);
    }

    #[test]
    fn the_key_is_found_behind_an_access_point() {
        let arn = "arn:aws:s3:us-east-1:111122223333:accesspoint/point";
        let key = |host, path| super::key("b", Some(arn), Some(host), path);
        assert_eq!(key("127.0.0.1:1", "/point-abc-s3alias/a/k"), Some("a/k"));
        assert_eq!(
            key("point-111122223333.s3-accesspoint.localhost:1", "/a/k"),
            Some("a/k")
        );
        assert_eq!(key("point-abc-s3alias.s3.localhost:1", "/a/k"), Some("a/k"));
    }
}
