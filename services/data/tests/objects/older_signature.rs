//! Requests that are signed in the older of S3's versions, and headers that stand in a presigned query.

use base64::Engine as _;
use pipeline::testing::BEGINNING;
use serde_json::json;
use wire::protocol::Parts;
use wire::sigv2::{self, Claim, When};

use crate::client::{Here, Keys, Reply};

/// A region that is old enough.
const OLD: &str = "eu-west-1";
const NOW: i64 = BEGINNING / 1000;

/// A cloud with a bucket in an old region beside the one in a young region.
fn here() -> Here {
    let here = Here::new();
    here.cloud
        .call_in(
            OLD,
            &here.cloud.root(),
            "s3",
            "CreateBucket",
            json!({"Bucket": "older", "CreateBucketConfiguration": {"LocationConstraint": OLD}}),
        )
        .unwrap();
    here
}

/// Presigns and sends. `change` is put behind the query after it was signed.
fn presigned(
    here: &Here,
    keys: &Keys,
    (method, path, query): (&str, &str, &str),
    until: i64,
    change: &str,
    body: &[u8],
) -> Reply {
    let headers = http::HeaderMap::from_iter([(http::header::HOST, "127.0.0.1:4566".parse().unwrap())]);
    let text = until.to_string();
    let claim = Claim {
        access_key_id: keys.id.as_str().into(),
        signature: "".into(),
        session_token: None,
        when: When::Until {
            seconds: until,
            text: text.as_str().into(),
        },
    };
    let parts = Parts {
        method,
        path,
        query,
        headers: &headers,
        body,
    };
    let signed = sigv2::string_to_sign(&claim, &parts);
    let signature = crypto::digest::hmac_sha1(keys.secret.as_bytes(), signed.as_bytes());
    let signature = base64::engine::general_purpose::STANDARD.encode(signature);
    let signature = wire::sigv4::percent_encode(&signature);
    let joint = if query.is_empty() { "" } else { "&" };
    let query = format!(
        "{query}{joint}AWSAccessKeyId={}&Expires={until}&Signature={signature}{change}",
        keys.id
    );
    here.serve(method, path, &query, headers, body)
}

#[test]
fn presigned_requests_of_the_older_version_are_served_where_the_region_knows_it() {
    let here = here();
    let root = &here.root;
    let at =
        |method, path, query, body: &[u8]| presigned(&here, root, (method, path, query), NOW + 60, "", body);
    at("PUT", "/older/a%20key", "", b"hello").expect(200);
    let got = at("GET", "/older/a%20key", "response-content-type=text%2Fx", b"").expect(200);
    assert_eq!(
        (got.text(), got.header("content-type")),
        ("hello".to_owned(), Some("text/x"))
    );
    // The bucket's region decides; the signature names none.
    let message = at("GET", "/bucket/a", "", b"")
        .refused(400, "InvalidRequest")
        .one("Message");
    assert!(message.contains("Please use AWS4-HMAC-SHA256."), "{message}");
}

#[test]
fn what_the_older_signature_does_not_cover_is_refused() {
    let here = here();
    let root = here.root.clone();
    presigned(&here, &root, ("PUT", "/older/a", ""), NOW + 60, "", b"x").expect(200);
    let get = |keys: &Keys, until: i64, change: &str| {
        presigned(&here, keys, ("GET", "/older/a", ""), until, change, b"")
    };
    get(&root, NOW + 60, "").expect(200);
    let late = get(&root, NOW - 1, "").refused(403, "AccessDenied");
    assert_eq!(late.one("Message"), "Request has expired");
    assert_eq!(late.one("Expires"), "2026-11-21T23:59:59Z");
    for change in [
        "&acl",
        "&versionId=1",
        "&response-content-type=x",
        "&x-amz-acl=private",
        "&tagging",
        // Names are read decoded.
        "&%61cl",
        "&%76ersionId=1",
        "&ta%67ging=",
    ] {
        let refused = get(&root, NOW + 60, change).refused(403, "SignatureDoesNotMatch");
        assert!(refused.one("StringToSign").starts_with("GET"), "{change}");
    }
    let wrong = Keys {
        secret: "wrong".to_owned(),
        ..root.clone()
    };
    get(&wrong, NOW + 60, "").refused(403, "SignatureDoesNotMatch");
    let unknown = Keys {
        id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        ..root
    };
    get(&unknown, NOW + 60, "").refused(403, "InvalidAccessKeyId");
    let stranger = here.user("stranger", &["s3:ListAllMyBuckets"], &["*"]);
    get(&stranger, NOW + 60, "").refused(403, "AccessDenied");
}

/// Of values the decoded text is signed, so a value could look like a further sub-resource, or like the line of a further header.
#[test]
fn a_value_that_signs_as_something_else_is_refused() {
    let here = here();
    let root = &here.root;
    let put = |query| presigned(&here, root, ("PUT", "/older/a", query), NOW + 60, "", b"x");
    for query in [
        // Signs as `partNumber=1&uploadId=x`, and would be a put of the whole object.
        "partNumber=1%26uploadId%3Dx",
        "response-expires=1%26tagging",
        "x-amz-date=1%0Ax-amz-meta-a%3A1",
    ] {
        put(query).refused(400, "InvalidArgument");
    }
    put("x-amz-meta-a=b%26acl").expect(200);
    let query = "response-content-disposition=a%26b%3Dc";
    let got = presigned(&here, root, ("GET", "/older/a", query), NOW + 60, "", b"").expect(200);
    assert_eq!(got.header("content-disposition"), Some("a&b=c"));
}

#[test]
fn headers_in_a_presigned_query_count_as_headers() {
    let here = here();
    let query = "x-amz-meta-color=dark%20red&x-amz-tagging=a%3Db&Content-Type=text%2Fx";
    presigned(&here, &here.root, ("PUT", "/older/a", query), NOW + 60, "", b"x").expect(200);
    let got = presigned(&here, &here.root, ("GET", "/older/a", ""), NOW + 60, "", b"").expect(200);
    assert_eq!(got.header("content-type"), Some("text/x"));
    assert_eq!(got.header("x-amz-tagging-count"), Some("1"));
    assert_eq!(got.header("x-amz-meta-color"), Some("dark red"));
}

#[test]
fn headers_may_carry_the_older_signature_too() {
    let here = here();
    let date = "Sun, 22 Nov 2026 00:00:00 GMT";
    let with = |(path, slash): (&str, &str), date: &str, signature: Option<&str>| {
        let text = format!("GET\n\n\n{date}\n{path}{slash}");
        let mac = crypto::digest::hmac_sha1(here.root.secret.as_bytes(), text.as_bytes());
        let signed = base64::engine::general_purpose::STANDARD.encode(mac);
        let authorization = format!("AWS {}:{}", here.root.id, signature.unwrap_or(&signed));
        let headers = http::HeaderMap::from_iter([
            (http::header::HOST, "127.0.0.1:4566".parse().unwrap()),
            (http::header::DATE, date.parse().unwrap()),
            (http::header::AUTHORIZATION, authorization.parse().unwrap()),
        ]);
        here.serve("GET", path, "", headers, b"")
    };
    let send = |path, date, signature| with((path, ""), date, signature);
    send("/older", date, None).expect(200);
    with(("/older", "/"), date, None).expect(200);
    with(("/older/a", "/"), date, None).refused(403, "SignatureDoesNotMatch");
    send("/", date, None).expect(200);
    send("/older", date, Some("c2ln")).refused(403, "SignatureDoesNotMatch");
    send("/older", "Sun, 22 Nov 2026 00:16:00 GMT", None).refused(403, "RequestTimeTooSkewed");
    send("/bucket", date, None).refused(400, "InvalidRequest");
}

/// Whatever the model calls part of a resource is covered, so that no presigned address serves for another operation.
#[test]
fn every_sub_resource_is_covered() {
    let model = api::models::service("s3").unwrap();
    for operation in &model.operations {
        for (name, _) in &operation.uri.query {
            let covered = sigv2::is_subresource(name) || matches!(*name, "x-id" | "list-type");
            assert!(covered, "{name} of {}", operation.name);
        }
    }
}
