//! The condition keys that tell how a request came: its signature, and what it came over.

use pipeline::TlsFacts;
use serde_json::json;

use crate::client::{Here, Reply};

const MINUTE: i64 = 60_000;

fn deny(here: &Here, condition: &serde_json::Value) {
    here.policy(&json!([{
        "Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/*", "Condition": condition,
    }]));
}

/// Whether a read with a signed header, and a presigned one, are refused.
fn refused(here: &Here) -> (bool, bool) {
    let is = |reply: Reply| match reply.status {
        200 => false,
        403 => true,
        other => panic!("{other}: {}", reply.text()),
    };
    let presigned = here.presigned(&here.root, "/bucket/k", 5 * MINUTE);
    (is(here.get("/bucket/k", "")), is(presigned))
}

/// S3 API Reference, "Amazon S3 Signature Version 4 Authentication Specific Policy Keys".
#[test]
fn policies_see_how_a_request_was_signed() {
    let here = Here::new();
    here.put("/bucket/k", "", b"x").expect(200);
    for (condition, expected) in [
        (
            json!({"StringEquals": {"s3:authType": "REST-HEADER"}}),
            (true, false),
        ),
        (
            json!({"StringEquals": {"s3:authType": "REST-QUERY-STRING"}}),
            (false, true),
        ),
        (json!({"StringNotEquals": {"s3:authType": "POST"}}), (true, true)),
        (
            json!({"StringEquals": {"s3:signatureversion": "AWS4-HMAC-SHA256"}}),
            (true, true),
        ),
        (
            json!({"StringEquals": {"s3:signatureversion": "AWS"}}),
            (false, false),
        ),
        (
            json!({"NumericGreaterThan": {"s3:signatureAge": "240000"}}),
            (false, true),
        ),
        (
            json!({"NumericGreaterThan": {"s3:signatureAge": "360000"}}),
            (false, false),
        ),
        (
            json!({"StringNotEquals": {"s3:x-amz-content-sha256": "UNSIGNED-PAYLOAD"}, "Null": {"s3:x-amz-content-sha256": "false"}}),
            (true, false),
        ),
    ] {
        deny(&here, &condition);
        assert_eq!(refused(&here), expected, "{condition}");
    }
}

#[test]
fn policies_see_what_a_request_came_over() {
    let here = Here::new();
    here.put("/bucket/k", "", b"x").expect(200);
    let over = |version| {
        here.tls.set(Some(TlsFacts {
            version,
            cipher_suite: "TLS_AES_128_GCM_SHA256",
        }));
        refused(&here).0
    };
    deny(&here, &json!({"NumericLessThan": {"s3:TlsVersion": "1.3"}}));
    assert!(over("TLSv1.2"));
    assert!(!over("TLSv1.3"));
    deny(&here, &json!({"Bool": {"aws:SecureTransport": "false"}}));
    assert!(!over("TLSv1.3"));
    here.tls.set(None);
    assert!(refused(&here).0);
}

#[test]
fn strangers_sign_in_no_way() {
    let here = Here::new();
    here.put("/bucket/k", "", b"x").expect(200);
    here.delete("/bucket", "publicAccessBlock").expect(204);
    here.policy(&json!([{
        "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/*",
        "Condition": {"Null": {"s3:authType": "true", "s3:signatureversion": "true"}},
    }]));
    here.anonymous("GET", "/bucket/k").expect(200);
}
