//! Buckets in hosts: S3's virtual-host style as the path style that its model speaks.
//!
//! Invariant: nothing of a path is normalised or decoded; an object's key is every byte behind the bucket's slash.
//!
//! Source: S3 User Guide, "Virtual hosting of general purpose buckets", "Referencing access points".

use std::borrow::Cow;

use http::HeaderMap;
use http::header::HOST;

/// Where the calls of S3's control plane begin, whose hosts name accounts instead of buckets.
pub(super) const CONTROL: &str = "/v20180820/";

/// The path with the bucket that the host names put before it.
pub fn path_style<'p>(path: &'p str, headers: &HeaderMap) -> Cow<'p, str> {
    let host = headers.get(HOST).and_then(|value| value.to_str().ok());
    match host.and_then(named) {
        Some(bucket) if !path.starts_with(CONTROL) => {
            let slash = if path.starts_with('/') { "" } else { "/" };
            Cow::Owned(format!("/{bucket}{slash}{path}"))
        }
        _ => Cow::Borrowed(path),
    }
}

/// What a host names: the bucket's name, or the ARN of an access point, percent-encoded.
pub(crate) fn named(host: &str) -> Option<String> {
    if let Some(bucket) = super::website::bucket(host) {
        return Some(bucket);
    }
    let name = host.split_once(':').map_or(host, |(name, _)| name);
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    if name.len() > 253 {
        return None;
    }
    if let Some(front) = name
        .strip_suffix(".amazonaws.com.cn")
        .or_else(|| name.strip_suffix(".amazonaws.com"))
    {
        return of_aws(front);
    }
    let front = name.strip_suffix(".localhost")?;
    match front {
        "s3" | "s3-control" => None,
        _ => {
            let front = front.strip_suffix(".s3").unwrap_or(front);
            (!front.is_empty() && !front.ends_with(".s3-control")).then(|| front.to_owned())
        }
    }
}

/// What stands before `.amazonaws.com`.
fn of_aws(front: &str) -> Option<String> {
    let labels: Vec<&str> = front.split('.').collect();
    // The last label that is S3's; what follows is a region and `dualstack`, and what comes before is a bucket's name, dots and all.
    let at = labels.iter().rposition(|label| is_endpoint(label))?;
    let (before, after) = labels.split_at_checked(at)?;
    let (endpoint, rest) = after.split_first()?;
    if before.is_empty() || rest.len() > 2 {
        return None;
    }
    let bucket = before.join(".");
    if *endpoint != "s3-accesspoint" {
        return Some(bucket);
    }
    let (name, account) = bucket.rsplit_once('-')?;
    let region = rest.last()?;
    Some(format!(
        "arn%3Aaws%3As3%3A{region}%3A{account}%3Aaccesspoint%2F{name}"
    ))
}

fn is_endpoint(label: &str) -> bool {
    let regional = |prefix: &str| {
        label
            .strip_prefix(prefix)
            .is_some_and(|region| region.matches('-').count() >= 2)
    };
    matches!(label, "s3" | "s3-accesspoint" | "s3-accelerate" | "s3-fips")
        || (regional("s3-") && !label.starts_with("s3-control") && !label.starts_with("s3-outposts"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hosts_name_buckets() {
        for (host, bucket) in [
            ("b.s3.eu-central-1.amazonaws.com", Some("b")),
            ("b.s3.amazonaws.com", Some("b")),
            ("a.b.s3.amazonaws.com:443", Some("a.b")),
            ("b.s3-eu-west-1.amazonaws.com", Some("b")),
            ("b.s3.dualstack.eu-west-1.amazonaws.com", Some("b")),
            ("b.s3-website-us-east-1.amazonaws.com", Some("b")),
            ("b.s3-website.eu-central-1.amazonaws.com", Some("b")),
            ("b.s3-accelerate.amazonaws.com", Some("b")),
            ("b.s3-accelerate.dualstack.amazonaws.com", Some("b")),
            ("b.s3-accesspoint.eu-central-1.amazonaws.com", None),
            (
                "my-ap-111122223333.s3-accesspoint.eu-central-1.amazonaws.com",
                Some("arn%3Aaws%3As3%3Aeu-central-1%3A111122223333%3Aaccesspoint%2Fmy-ap"),
            ),
            ("s3.amazonaws.com", None),
            ("s3.eu-central-1.amazonaws.com", None),
            ("s3-eu-west-1.amazonaws.com", None),
            ("111122223333.s3-control.eu-central-1.amazonaws.com", None),
            ("kms.eu-central-1.amazonaws.com", None),
            ("B.S3.localhost:4566", Some("b")),
            ("b.localhost:4566", Some("b")),
            ("a.b.localhost", Some("a.b")),
            ("b.s3-website.localhost", Some("b")),
            ("s3.localhost:4566", None),
            ("localhost:4566", None),
            ("127.0.0.1:4566", None),
            ("[::1]:4566", None),
            ("example.com", None),
        ] {
            assert_eq!(named(host).as_deref(), bucket, "{host}");
        }
    }

    proptest! {
        #[test]
        fn no_path_loses_a_byte(path in "/[ -~]{0,40}") {
            let mut headers = HeaderMap::new();
            prop_assert_eq!(&path_style(&path, &headers), &path);
            headers.insert(HOST, "b.s3.localhost".parse().unwrap());
            let whole = path_style(&path, &headers);
            if !path.starts_with(CONTROL) {
                prop_assert_eq!(whole.strip_prefix("/b"), Some(path.as_str()));
            }
        }

        #[test]
        fn any_host_is_read_without_a_panic(host in "[ -~]{0,60}") {
            let _ = named(&host);
        }
    }
}
