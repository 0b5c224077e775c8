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

#[test]
fn only_buckets_are_asked_in_advance() {
    let here = Here::with_bucket();
    let ask = |host: &str, path: &str, asked: &str| {
        let headers = [
            ("host", host),
            ("origin", "https://a.example.com"),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", asked),
        ];
        let answer = here.plain("OPTIONS", path, &headers);
        let body = String::from_utf8(here.cloud.take(answer.body).to_vec()).unwrap();
        (answer.status, body)
    };
    for (host, path) in [
        ("127.0.0.1", "/bucket/key"),
        ("bucket.s3.localhost", "/"),
        ("s3.localhost", "/"),
    ] {
        let (status, body) = ask(host, path, "x-amz-date");
        assert_eq!(status, 403, "{host}");
        assert!(body.contains("<Code>AccessForbidden</Code>"), "{host}: {body}");
    }
    // Other services know no such question: their callers sign.
    for (host, path, asked) in [
        ("kms.localhost", "/", "x-amz-date"),
        ("kms.eu-central-1.amazonaws.com", "/", "x-amz-date"),
        ("127.0.0.1", "/", "x-amz-date,x-amz-target"),
        ("127.0.0.1", "/", "x-amz-date"),
        ("iam.localhost", "/", "x-amz-date"),
        ("lambda.localhost", "/2015-03-31/functions", "x-amz-date"),
        (
            "s3-control.eu-central-1.amazonaws.com",
            "/v20180820/tags/x",
            "x-amz-date",
        ),
    ] {
        let (status, body) = ask(host, path, asked);
        assert!((400..=405).contains(&status), "{host}: {status}");
        assert!(!body.contains("AccessForbidden"), "{host}: {body}");
    }
    let told = here.cloud.records(ACCOUNT, "us-east-1");
    let asked = told
        .iter()
        .filter(|record| record.operation == "PreflightRequest");
    assert!(asked.clone().all(|record| record.service == "s3"), "of S3 alone");
}

#[test]
fn a_question_that_says_too_little_is_refused() {
    let here = Here::with_bucket();
    for headers in [&[][..], &[("origin", "https://a.example.com")]] {
        assert_eq!(here.plain("OPTIONS", "/bucket/key", headers).status, 400);
    }
}
