//! Browsers that ask before they send, and the headers that they must read.

use pipeline::testing::{ACCOUNT, REGION};
use serde_json::json;

use crate::cloud::Here;

fn header<'a>(answer: &'a pipeline::Answer, name: &str) -> &'a str {
    answer
        .headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

#[test]
fn pages_are_let_in_by_the_buckets_rules() {
    let here = Here::with_bucket();
    let ask = |origin: &str, method: &str| {
        let headers = [
            ("origin", origin),
            ("access-control-request-method", method),
            ("access-control-request-headers", "x-amz-date"),
        ];
        here.plain("OPTIONS", "/bucket/key", &headers)
    };
    assert_eq!(ask("https://a.example.com", "PUT").status, 403);
    let rule = json!({"AllowedMethod": ["PUT", "GET"], "AllowedOrigin": ["https://*.example.com"], "AllowedHeader": ["x-amz-*"],
        "ExposeHeader": ["ETag"], "MaxAgeSeconds": 60});
    here.on_bucket("PutBucketCors", "CORSConfiguration", json!({"CORSRule": [rule]}))
        .unwrap();
    let granted = ask("https://a.example.com", "PUT");
    assert_eq!(granted.status, 200);
    assert_eq!(
        header(&granted, "access-control-allow-origin"),
        "https://a.example.com"
    );
    assert_eq!(header(&granted, "access-control-allow-methods"), "PUT, GET");
    assert_eq!(header(&granted, "access-control-max-age"), "60");
    assert_eq!(ask("https://a.example.com", "DELETE").status, 403);
    assert_eq!(ask("https://example.org", "PUT").status, 403);
    // A page must be able to read why it was refused.
    let refused = here.plain("GET", "/bucket", &[("origin", "https://a.example.com")]);
    assert_eq!(refused.status, 403);
    assert_eq!(header(&refused, "access-control-expose-headers"), "ETag");
    let stranger = here.plain("GET", "/bucket", &[("origin", "https://example.org")]);
    assert_eq!(header(&stranger, "access-control-allow-origin"), "");
}

#[test]
fn what_a_browser_asks_in_advance_is_in_the_owners_trail() {
    let here = Here::with_bucket();
    let headers = [
        ("origin", "https://a.example.com"),
        ("access-control-request-method", "GET"),
    ];
    let rule = json!({"AllowedMethod": ["GET"], "AllowedOrigin": ["https://a.example.com"]});
    assert_eq!(here.plain("OPTIONS", "/bucket/key", &headers).status, 403);
    here.on_bucket("PutBucketCors", "CORSConfiguration", json!({"CORSRule": [rule]}))
        .unwrap();
    assert_eq!(here.plain("OPTIONS", "/bucket/key", &headers).status, 200);
    let told: Vec<_> = here
        .cloud
        .records(ACCOUNT, REGION)
        .into_iter()
        .filter(|record| record.operation == "PreflightRequest")
        .map(|record| (record.data, record.error.map(|error| error.code)))
        .collect();
    assert_eq!(told, [(true, Some("AccessForbidden".to_owned())), (true, None)]);
}
