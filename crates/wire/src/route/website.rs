//! Hosts of websites: buckets that are served to browsers as they are, at an endpoint of its own.
//!
//! Invariant: a host is of a website or of S3's calls, never of both.
//!
//! Source: S3 User Guide, "Website endpoints".

use http::HeaderMap;
use http::header::HOST;

/// Bytes of a host's name (RFC 1035, section 2.3.4).
const HOST_BYTES_MAX: usize = 253;
/// The domains under which hosts of buckets are known.
const DOMAINS: [&str; 3] = [".localhost", ".amazonaws.com", ".amazonaws.com.cn"];
const ENDPOINT: &str = "s3-website";

/// The bucket whose website a request is for: its host is `BUCKET.s3-website-REGION.DOMAIN`, `BUCKET.s3-website.REGION.DOMAIN`, or
/// `BUCKET.s3-website.DOMAIN`.
pub fn website(headers: &HeaderMap) -> Option<String> {
    headers
        .get(HOST)
        .and_then(|value| value.to_str().ok())
        .and_then(bucket)
}

/// The host as a domain of somebody's own, which a website's bucket may be named after: none of this machine, of AWS or of an address.
pub fn domain(headers: &HeaderMap) -> Option<String> {
    let host = headers.get(HOST)?.to_str().ok()?;
    let name = host.split_once(':').map_or(host, |(name, _)| name);
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let labels: Vec<&str> = name.split('.').collect();
    let plain = |label: &&str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    // No top-level domain is a number, so no address passes.
    let named = labels.len() > 1
        && labels.iter().all(plain)
        && labels
            .last()
            .is_some_and(|last| last.bytes().any(|byte| byte.is_ascii_lowercase()));
    let ours = DOMAINS.iter().any(|domain| name.ends_with(domain));
    (named && !ours && name.len() <= HOST_BYTES_MAX).then_some(name)
}

/// The same of a host, which may name a port.
pub(super) fn bucket(host: &str) -> Option<String> {
    // Every request comes by here, and few have such a host.
    let mut windows = host.as_bytes().windows(ENDPOINT.len());
    if !windows.any(|window| window.eq_ignore_ascii_case(ENDPOINT.as_bytes())) {
        return None;
    }
    let name = host.split_once(':').map_or(host, |(name, _)| name);
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    if name.len() > HOST_BYTES_MAX {
        return None;
    }
    let front = DOMAINS.iter().find_map(|domain| name.strip_suffix(domain))?;
    // The last label of the endpoint counts: a bucket's name may have dots, and look like one.
    let labels: Vec<&str> = front.split('.').collect();
    let bucket = match labels.as_slice() {
        [before @ .., endpoint] if is_endpoint(endpoint) => before,
        [before @ .., ENDPOINT, region] if is_region(region) => before,
        _ => return None,
    };
    (!bucket.is_empty() && bucket.iter().all(|label| !label.is_empty())).then(|| bucket.join("."))
}

fn is_endpoint(label: &str) -> bool {
    label
        .strip_prefix(ENDPOINT)
        .is_some_and(|rest| rest.is_empty() || rest.strip_prefix('-').is_some_and(is_region))
}

/// `eu-central-1`
fn is_region(label: &str) -> bool {
    label.matches('-').count() >= 2
        && label
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hosts_of_websites_name_their_bucket() {
        for (host, of) in [
            ("b.s3-website.localhost:4566", Some("b")),
            ("b.s3-website-us-east-1.localhost", Some("b")),
            ("b.s3-website.eu-central-1.localhost", Some("b")),
            ("www.example.com.s3-website.localhost", Some("www.example.com")),
            ("B.S3-Website-us-east-1.amazonaws.com", Some("b")),
            ("b.s3-website.eu-central-1.amazonaws.com.", Some("b")),
            ("b.s3-website.cn-north-1.amazonaws.com.cn", Some("b")),
            ("b.s3-website-us-gov-west-1.amazonaws.com", Some("b")),
            ("s3-website.s3.localhost", None),
            ("a.s3-website.s3.localhost", None),
            ("s3-website.localhost", None),
            (".s3-website.localhost", None),
            ("s3-website-us-east-1.amazonaws.com", None),
            ("b.s3-websites.localhost", None),
            ("b.s3-website-x.localhost", None),
            ("b.s3.localhost", None),
            ("b.localhost", None),
            ("b.s3-website.example.com", None),
        ] {
            assert_eq!(bucket(host).as_deref(), of, "{host}");
        }
    }

    #[test]
    fn domains_are_names_of_somebodys_own() {
        for (host, expected) in [
            ("www.example.com", Some("www.example.com")),
            ("WWW.Example.com.:8080", Some("www.example.com")),
            ("example", None),
            ("localhost:4566", None),
            ("b.localhost", None),
            ("b.s3.amazonaws.com", None),
            ("127.0.0.1:4566", None),
            ("[::1]:4566", None),
            ("a..com", None),
            ("a b.com", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, http::HeaderValue::from_static(host));
            assert_eq!(domain(&headers).as_deref(), expected, "{host}");
        }
        assert_eq!(domain(&HeaderMap::new()), None);
    }

    proptest! {
        #[test]
        fn any_host_is_read_without_a_panic(host in "[ -~]{0,60}") {
            let _ = bucket(&host);
        }
    }
}
