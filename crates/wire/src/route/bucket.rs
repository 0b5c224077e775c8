//! Buckets in hosts: S3's virtual-host style as the path style that its model speaks.
//!
//! Invariant: nothing of a path is normalised or decoded; an object's key is every byte behind the bucket's slash.
//!
//! Source: S3 User Guide, "Virtual hosting of general purpose buckets", "Referencing access points".

use std::borrow::Cow;

use http::HeaderMap;
use http::header::HOST;

/// Where the calls of S3's control plane begin, whose hosts name accounts instead of buckets.
const CONTROL: &str = "/v20180820/";
/// What every call of the control plane says, and no call for a bucket.
const ACCOUNT: &str = "x-amz-account-id";

/// What a host names of S3's.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Named {
    /// Nothing, or another service.
    Nothing,
    /// The service's own endpoint: the bucket stands in the path.
    Endpoint,
    /// The control plane.
    Control,
    /// A bucket's name, or the ARN of an access point, percent-encoded.
    Bucket(String),
}

/// The path with the bucket that the host names put before it.
pub fn path_style<'p>(path: &'p str, headers: &HeaderMap) -> Cow<'p, str> {
    match of_headers(headers) {
        Named::Bucket(bucket) if !is_control(path, headers) => {
            let slash = if path.starts_with('/') { "" } else { "/" };
            Cow::Owned(format!("/{bucket}{slash}{path}"))
        }
        _ => Cow::Borrowed(path),
    }
}

/// Whether a request signed for S3 is for its control plane. On hosts that name neither the control plane nor a bucket its paths may be
/// a bucket's too; then it tells by the account that it says in a header. Some clients put that account before any host of ours.
pub(super) fn is_control(path: &str, headers: &HeaderMap) -> bool {
    let account = headers.get(ACCOUNT).and_then(|value| value.to_str().ok());
    match of_headers(headers) {
        Named::Control => true,
        Named::Endpoint => false,
        Named::Nothing => path.starts_with(CONTROL) && account.is_some(),
        Named::Bucket(name) => {
            let bare = host_name(headers)
                .is_some_and(|host| host.eq_ignore_ascii_case(&format!("{name}.localhost")));
            bare && path.starts_with(CONTROL) && account == Some(&name) && is_account(&name)
        }
    }
}

fn is_account(name: &str) -> bool {
    name.len() == 12 && name.bytes().all(|byte| byte.is_ascii_digit())
}

/// The host without its port.
fn host_name(headers: &HeaderMap) -> Option<&str> {
    let host = headers.get(HOST)?.to_str().ok()?;
    let name = host.split_once(':').map_or(host, |(name, _)| name);
    Some(name.strip_suffix('.').unwrap_or(name))
}

pub(super) fn of_headers(headers: &HeaderMap) -> Named {
    host_name(headers).map_or(Named::Nothing, named)
}

/// What a host names, without its port.
pub(super) fn named(host: &str) -> Named {
    if let Some(bucket) = super::website::bucket(host) {
        return Named::Bucket(bucket);
    }
    let name = host.to_ascii_lowercase();
    if name.len() > 253 {
        return Named::Nothing;
    }
    if let Some(front) = name
        .strip_suffix(".amazonaws.com.cn")
        .or_else(|| name.strip_suffix(".amazonaws.com"))
    {
        return of_endpoint(front).unwrap_or(Named::Nothing);
    }
    match name.strip_suffix(".localhost") {
        None | Some("") => Named::Nothing,
        // Here a bucket may stand alone before the name of the machine.
        Some(front) => of_endpoint(front).unwrap_or_else(|| Named::Bucket(front.to_owned())),
    }
}

/// What stands before the name of the cloud or the machine, if an endpoint of S3 is in it.
fn of_endpoint(front: &str) -> Option<Named> {
    let labels: Vec<&str> = front.split('.').collect();
    // The last label that is S3's; what follows is a region and `dualstack`, and what comes before is a bucket's name, dots and all.
    let at = labels.iter().rposition(|label| Endpoint::of(label).is_some())?;
    let (before, after) = labels.split_at_checked(at)?;
    let (endpoint, rest) = after.split_first()?;
    let endpoint = Endpoint::of(endpoint)?;
    let of_region = match rest {
        [] | ["dualstack"] => true,
        [region] | ["dualstack", region] => is_region(region),
        _ => false,
    };
    if !of_region {
        return None;
    }
    if endpoint == Endpoint::Control {
        return Some(Named::Control);
    }
    if before.is_empty() {
        return Some(Named::Endpoint);
    }
    let bucket = before.join(".");
    if endpoint != Endpoint::AccessPoint {
        return Some(Named::Bucket(bucket));
    }
    let point = bucket.rsplit_once('-').zip(rest.last());
    Some(point.map_or(Named::Endpoint, |((name, account), region)| {
        Named::Bucket(format!(
            "arn%3Aaws%3As3%3A{region}%3A{account}%3Aaccesspoint%2F{name}"
        ))
    }))
}

/// The label of a host by which an endpoint of S3 is known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Endpoint {
    Buckets,
    AccessPoint,
    Control,
}

impl Endpoint {
    fn of(label: &str) -> Option<Self> {
        let of_region = |prefix: &str| label.strip_prefix(prefix).is_some_and(is_region);
        match label {
            "s3-control" | "s3-control-fips" => Some(Self::Control),
            "s3-accesspoint" | "s3-accesspoint-fips" => Some(Self::AccessPoint),
            "s3" | "s3-website" | "s3-fips" => Some(Self::Buckets),
            _ if of_region("s3-") || of_region("s3-website-") => Some(Self::Buckets),
            _ => None,
        }
    }
}

/// Whether a label is formed like a region's name (`eu-central-1`, `us-gov-west-1`).
fn is_region(label: &str) -> bool {
    let mut words = label.split('-');
    let number = words.next_back().unwrap_or_default();
    let count = words.clone().count();
    (2..=3).contains(&count)
        && (1..=2).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && words
            .clone()
            .next()
            .is_some_and(|first| first.len() == 2 || first.len() == 4)
        && words.all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase()))
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
            ("b.s3-accesspoint.eu-central-1.amazonaws.com", None),
            (
                "my-ap-111122223333.s3-accesspoint.eu-central-1.amazonaws.com",
                Some("arn%3Aaws%3As3%3Aeu-central-1%3A111122223333%3Aaccesspoint%2Fmy-ap"),
            ),
            ("s3.eu-central-1.localhost:4566", None),
            ("s3-eu-central-1.localhost:4566", None),
            ("s3.dualstack.eu-central-1.localhost", None),
            ("b.s3.eu-central-1.localhost:4566", Some("b")),
            ("a.b.s3-us-gov-west-1.localhost", Some("a.b")),
            ("b.s3-website.eu-central-1.localhost", Some("b")),
            ("s3-control.eu-central-1.localhost", None),
            ("111122223333.s3-control.localhost", None),
            ("111122223333.localhost", Some("111122223333")),
            // A bucket's name may begin like an endpoint.
            ("s3.backups.localhost", Some("s3.backups")),
            ("s3-backups.localhost", Some("s3-backups")),
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
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host.parse().unwrap());
            let found = match of_headers(&headers) {
                Named::Bucket(name) => Some(name),
                _ => None,
            };
            assert_eq!(found.as_deref(), bucket, "{host}");
        }
    }

    #[test]
    fn a_path_never_takes_the_bucket_of_a_host_away() {
        let ask = |host: &str, account: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host.parse().unwrap());
            if !account.is_empty() {
                headers.insert(ACCOUNT, account.parse().unwrap());
            }
            let path = "/v20180820/key";
            (
                is_control(path, &headers),
                path_style(path, &headers).into_owned(),
            )
        };
        let account = "111122223333";
        for (host, account) in [
            ("b.s3.localhost", account),
            ("b.s3.eu-central-1.amazonaws.com", account),
            ("b.localhost", account),
            ("111122223333.s3.localhost", account),
            ("111122223333.localhost", ""),
            ("111122223333.localhost", "444455556666"),
        ] {
            let bucket = host.split('.').next().unwrap();
            assert_eq!(
                ask(host, account),
                (false, format!("/{bucket}/v20180820/key")),
                "{host}"
            );
        }
        let path = "/v20180820/key".to_owned();
        assert_eq!(ask("s3.localhost", account), (false, path.clone()));
        assert_eq!(ask("127.0.0.1:4566", ""), (false, path.clone()));
        for host in [
            "127.0.0.1:4566",
            "111122223333.localhost:4566",
            "s3-control.localhost",
        ] {
            assert_eq!(ask(host, account), (true, path.clone()), "{host}");
        }
        assert_eq!(
            ask("444455556666.s3-control.eu-central-1.localhost", ""),
            (true, path)
        );
    }

    proptest! {
        #[test]
        fn no_path_loses_a_byte(path in "/[ -~]{0,40}") {
            let mut headers = HeaderMap::new();
            prop_assert_eq!(&path_style(&path, &headers), &path);
            headers.insert(HOST, "b.s3.localhost".parse().unwrap());
            let whole = path_style(&path, &headers);
            prop_assert_eq!(whole.strip_prefix("/b"), Some(path.as_str()));
        }

        #[test]
        fn any_host_is_read_without_a_panic(host in "[ -~]{0,60}") {
            let _ = named(&host);
        }
    }
}
