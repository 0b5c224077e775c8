//! Objects that browsers put by forms.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::Secret;
use crypto::signature::SigningKey;
use http::{HeaderMap, HeaderValue};
use pipeline::testing::{ACCOUNT, REGION};
use serde_json::{Value, json};

use crate::client::{Here, Keys, Reply};
use crate::function::{FUNCTION, heard};

const SOON: &str = "2026-11-22T00:01:00Z";
const DATE: &str = "20261122T000000Z";

/// The body of a form.
fn body(fields: &[(String, String)], file: Option<(&str, &[u8])>) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        let head = format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(head.as_bytes());
    }
    if let Some((name, bytes)) = file {
        let head =
            format!("--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--edge--\r\n");
    body
}

fn owned(fields: &[(&str, &str)]) -> Vec<(String, String)> {
    let fields = fields.iter();
    fields
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn send(here: &Here, path: &str, body: &[u8]) -> Reply {
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("127.0.0.1:4566"));
    headers.insert(
        "content-type",
        HeaderValue::from_static("multipart/form-data; boundary=edge"),
    );
    here.serve("POST", path, "", headers, body)
}

/// The fields of a form whose policy has a condition for each of them, and some more.
fn signed(
    keys: &Keys,
    bucket: &str,
    fields: &[(&str, &str)],
    more: &[Value],
    until: &str,
) -> Vec<(String, String)> {
    let credential = format!("{}/20261122/{REGION}/s3/aws4_request", keys.id);
    let mut all = owned(fields);
    all.extend(owned(&[
        ("x-amz-algorithm", "AWS4-HMAC-SHA256"),
        ("x-amz-credential", &credential),
        ("x-amz-date", DATE),
    ]));
    let mut conditions = vec![json!({"bucket": bucket})];
    let own: Vec<Value> = all
        .iter()
        .map(|(name, value)| match value.split_once("${filename}") {
            Some((start, _)) => json!(["starts-with", format!("${name}"), start]),
            None => json!({name: value}),
        })
        .collect();
    conditions.extend(own);
    conditions.extend(more.iter().cloned());
    let policy = STANDARD.encode(json!({"expiration": until, "conditions": conditions}).to_string());
    let key = SigningKey::derive(&Secret::from(keys.secret.as_str()), "20261122", REGION, "s3");
    let signature = crypto::digest::hex(&key.sign(&policy));
    all.extend(owned(&[("policy", &policy), ("x-amz-signature", &signature)]));
    all
}

fn post(here: &Here, fields: &[(&str, &str)], more: &[Value], file: &[u8]) -> Reply {
    let fields = signed(&here.root, "bucket", fields, more, SOON);
    send(here, "/bucket", &body(&fields, Some(("a file.txt", file))))
}

#[test]
fn a_form_puts_its_file_with_all_that_its_fields_say() {
    let here = Here::versioned();
    let tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>b c</Value></Tag></TagSet></Tagging>";
    let fields = [
        ("key", "up/${filename}"),
        ("Content-Type", "text/x"),
        ("Cache-Control", "no-store"),
        ("x-amz-meta-color", "red"),
        ("x-amz-storage-class", "STANDARD_IA"),
        ("tagging", tags),
        ("success_action_status", "201"),
    ];
    let made = post(
        &here,
        &fields,
        &[json!(["content-length-range", 1, 100])],
        b"hello",
    )
    .expect(201);
    assert_eq!(
        (made.one("Bucket"), made.one("Key")),
        ("bucket".to_owned(), "up/a file.txt".to_owned())
    );
    let etag = "\"5d41402abc4b2a76b9719d911017c592\"";
    assert_eq!(
        (made.one("ETag").as_str(), made.header("etag")),
        (etag, Some(etag))
    );
    assert!(made.header("x-amz-version-id").is_some());
    let location = format!("https://bucket.s3.{REGION}.amazonaws.com/up/a%20file.txt");
    assert_eq!(
        (made.one("Location").as_str(), made.header("location")),
        (location.as_str(), Some(location.as_str()))
    );
    let got = here.get("/bucket/up/a%20file.txt", "").expect(200);
    assert_eq!(got.text(), "hello");
    for (name, value) in [
        ("content-type", "text/x"),
        ("cache-control", "no-store"),
        ("x-amz-meta-color", "red"),
        ("x-amz-storage-class", "STANDARD_IA"),
        ("x-amz-tagging-count", "1"),
        ("x-amz-server-side-encryption", "AES256"),
    ] {
        assert_eq!(got.header(name), Some(value), "{name}");
    }
    let records = here.cloud.records(ACCOUNT, REGION);
    let record = records
        .iter()
        .rfind(|record| record.operation == "PutObject")
        .unwrap();
    assert!(record.data && record.error.is_none());
    assert_eq!(record.resources[0].arn, "arn:aws:s3:::bucket/up/a file.txt");
    assert!(!record.request.as_ref().unwrap().to_string().contains("hello"));
}

#[test]
fn forms_are_answered_as_they_ask() {
    let here = Here::new();
    let with = |field: &str, value: &str| post(&here, &[("key", "a&b"), (field, value)], &[], b"x");
    assert_eq!(post(&here, &[("key", "a")], &[], b"x").expect(204).text(), "");
    assert_eq!(with("success_action_status", "200").expect(200).text(), "");
    with("success_action_status", "500").expect(204);
    let away = with("success_action_redirect", "https://example.com/done?x=1").expect(303);
    let to =
        "https://example.com/done?x=1&bucket=bucket&key=a%26b&etag=%229dd4e461268c8034f5c8564e155c67a6%22";
    assert_eq!(away.header("location"), Some(to));
    with("success_action_redirect", "not an address").expect(204);
}

#[test]
fn a_large_file_streams() {
    let here = Here::new();
    let file: Vec<u8> = (0..600_000_u32).map(|at| (at % 251) as u8).collect();
    let fields = signed(&here.root, "bucket", &[("key", "large")], &[], SOON);
    let whole = body(&fields, Some(("x", &file)));
    send(&here, "/bucket/", &whole).expect(204);
    assert!(here.get("/bucket/large", "").expect(200).bytes() == file);
}

#[test]
fn what_the_policy_does_not_let_is_refused() {
    let here = Here::new();
    let message = |reply: Reply| reply.refused(403, "AccessDenied").one("Message");
    let size = [json!(["content-length-range", 2, 4])];
    for (file, code) in [(&b"x"[..], "EntityTooSmall"), (b"12345", "EntityTooLarge")] {
        post(&here, &[("key", "a")], &size, file).refused(400, code);
    }
    post(&here, &[("key", "a")], &size, b"1234").expect(204);
    let other = message(post(&here, &[("key", "b")], &[json!({"key": "c"})], b"x"));
    assert_eq!(
        other,
        "Invalid according to Policy: Policy Condition failed: [\"eq\", \"$key\", \"c\"]"
    );
    let mut fields = signed(&here.root, "bucket", &[("key", "b")], &[], SOON);
    fields.insert(0, ("acl".to_owned(), "private".to_owned()));
    let extra = message(send(&here, "/bucket", &body(&fields, Some(("x", b"x")))));
    assert_eq!(extra, "Invalid according to Policy: Extra input fields: acl");
    let fields = signed(&here.root, "bucket", &[("key", "b")], &[], "2026-11-21T23:59:59Z");
    let late = message(send(&here, "/bucket", &body(&fields, Some(("x", b"x")))));
    assert_eq!(late, "Invalid according to Policy: Policy expired.");
    let fields = signed(&here.root, "other", &[("key", "b")], &[], SOON);
    message(send(&here, "/bucket", &body(&fields, Some(("x", b"x")))));
    here.get("/bucket/b", "").expect(404);
}

#[test]
fn a_forms_signature_is_held_to() {
    let here = Here::new();
    let send = |fields: &[(String, String)]| send(&here, "/bucket", &body(fields, Some(("x", b"x"))));
    let right = signed(&here.root, "bucket", &[("key", "a")], &[], SOON);
    let with = |name: &str, value: &str| {
        let mut fields = right.clone();
        fields.iter_mut().find(|(known, _)| known == name).unwrap().1 = value.to_owned();
        send(&fields)
    };
    let without = |name: &str| {
        let mut fields = right.clone();
        fields.retain(|(known, _)| known != name);
        send(&fields)
    };
    send(&right).expect(204);
    let policy = STANDARD.encode("{\"expiration\":\"2027-01-01T00:00:00Z\",\"conditions\":[]}");
    let refused = with("policy", &policy).refused(403, "SignatureDoesNotMatch");
    assert_eq!(refused.one("StringToSign"), policy);
    with("x-amz-signature", &"0".repeat(64)).refused(403, "SignatureDoesNotMatch");
    with("x-amz-date", "20261123T000000Z").refused(400, "InvalidArgument");
    let unknown = format!("AKIAIOSFODNN7EXAMPLE/20261122/{REGION}/s3/aws4_request");
    with("x-amz-credential", &unknown).refused(403, "InvalidAccessKeyId");
    for name in ["policy", "x-amz-date", "x-amz-credential", "x-amz-signature"] {
        let refused = without(name).refused(400, "InvalidArgument");
        assert!(
            refused.one("Message").contains("must contain a field named"),
            "{name}"
        );
    }
    let stranger = here.user("stranger", &["s3:PutObject"], &["arn:aws:s3:::bucket/own/*"]);
    send(&signed(&stranger, "bucket", &[("key", "a")], &[], SOON)).refused(403, "AccessDenied");
    send(&signed(&stranger, "bucket", &[("key", "own/a")], &[], SOON)).expect(204);
}

#[test]
fn strangers_send_forms_where_the_bucket_lets_them() {
    let here = Here::new();
    let fields = owned(&[("key", "open/${filename}")]);
    let form = body(&fields, Some(("C:\\me\\a.txt", b"x")));
    send(&here, "/bucket", &form).refused(403, "AccessDenied");
    here.delete("/bucket", "publicAccessBlock").fine();
    let policy = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*", "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::bucket/open/*"}});
    here.put("/bucket", "policy", policy.to_string().as_bytes())
        .fine();
    send(&here, "/bucket", &form).expect(204);
    assert_eq!(here.get("/bucket/open/a.txt", "").expect(200).text(), "x");
}

/// S3 User Guide, "Event notification types": a form's object has an event of its own; and so has its request in the log.
#[test]
fn events_and_the_log_tell_that_it_was_a_form() {
    let here = Here::new();
    here.make_bucket("logs");
    let logging = "<BucketLoggingStatus><LoggingEnabled><TargetBucket>logs</TargetBucket><TargetPrefix></TargetPrefix></LoggingEnabled>\
                   </BucketLoggingStatus>";
    let let_in = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"Service": "logging.s3.amazonaws.com"},
        "Action": "s3:PutObject", "Resource": "arn:aws:s3:::logs/*"}});
    here.put("/logs", "policy", let_in.to_string().as_bytes()).fine();
    here.put("/bucket", "logging", logging.as_bytes()).fine();
    let told = format!(
        "<NotificationConfiguration><CloudFunctionConfiguration><Id>f</Id><CloudFunction>{FUNCTION}</CloudFunction>\
         <Event>s3:ObjectCreated:*</Event></CloudFunctionConfiguration></NotificationConfiguration>"
    );
    here.put("/bucket", "notification", told.as_bytes()).fine();
    let fields = signed(&here.root, "bucket", &[("key", "a")], &[], SOON);
    send(&here, "/bucket", &body(&fields, Some(("x", b"hello")))).expect(204);
    here.put("/bucket/b", "", b"x").fine();
    here.advance(3_600_000);
    let heard = heard();
    let mut names: Vec<_> = heard
        .iter()
        .map(|event| event["eventName"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["ObjectCreated:Post", "ObjectCreated:Put"]);
    let keys = here.get("/logs", "list-type=2").fine().all("Key");
    let lines: Vec<_> = keys
        .iter()
        .map(|key| here.get(&format!("/logs/{key}"), "").fine().text())
        .collect();
    let lines = lines.concat();
    let line = lines
        .lines()
        .find(|line| line.contains(" REST.POST.OBJECT "))
        .unwrap();
    let fields: Vec<_> = line.split(' ').collect();
    assert_eq!(fields[8], "a", "the key: {line}");
    assert_eq!(fields[15], "5", "the object's size: {line}");
}

#[test]
fn the_older_version_signs_forms_where_the_region_knows_it() {
    let here = Here::new();
    let policy = STANDARD.encode(format!(
        "{{\"expiration\":\"{SOON}\",\"conditions\":[[\"starts-with\",\"$key\",\"\"]]}}"
    ));
    let signature = crypto::digest::hmac_sha1(here.root.secret.as_bytes(), policy.as_bytes());
    let fields = owned(&[
        ("key", "a"),
        ("AWSAccessKeyId", &here.root.id),
        ("policy", &policy),
        ("signature", &STANDARD.encode(signature)),
    ]);
    let form = body(&fields, Some(("x", b"x")));
    send(&here, "/bucket", &form).refused(400, "InvalidRequest");
    here.cloud
        .call_in(
            "eu-west-1",
            &here.cloud.root(),
            "s3",
            "CreateBucket",
            json!({"Bucket": "older", "CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}),
        )
        .unwrap();
    send(&here, "/older", &form).expect(204);
}

/// S3 API Reference, "POST Object": what a bucket itself takes by POST is a form.
#[test]
fn a_post_to_a_bucket_is_a_form() {
    let here = Here::new();
    let post = |kind: &'static str, path: &str, query: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("127.0.0.1:4566"));
        headers.insert("content-type", HeaderValue::from_static(kind));
        here.serve("POST", path, query, headers, b"key=a")
    };
    for kind in ["application/x-www-form-urlencoded", "text/plain"] {
        for path in ["/bucket", "/bucket/"] {
            let refused = post(kind, path, "").refused(412, "PreconditionFailed");
            assert_eq!(
                refused.one("Condition"),
                "Bucket POST must be of the enclosure-type multipart/form-data"
            );
        }
    }
    post("text/plain", "/bucket/key", "").refused(405, "MethodNotAllowed");
    post("text/plain", "/bucket", "policy").refused(405, "MethodNotAllowed");
}

#[test]
fn what_is_no_form_is_refused() {
    let here = Here::new();
    let key = owned(&[("key", "a")]);
    let twice = owned(&[("key", "a"), ("Key", "b")]);
    let long = owned(&[("x-ignore-a", &"x".repeat(21_000)), ("key", "a")]);
    let file = Some(("x", &b"x"[..]));
    for (form, code) in [
        (body(&key, None), "InvalidArgument"),
        (body(&[], file), "InvalidArgument"),
        (body(&owned(&[("key", "")]), file), "InvalidArgument"),
        (body(&twice, file), "InvalidArgument"),
        (body(&long, file), "MaxPostPreDataLengthExceeded"),
        (b"--edge\r\nnonsense\r\n\r\n".to_vec(), "MalformedPOSTRequest"),
        (Vec::new(), "InvalidArgument"),
    ] {
        send(&here, "/bucket", &form).refused(400, code);
    }
    let root = signed(&here.root, "bucket", &[("key", "a")], &[], SOON);
    let mut cut = body(&root, file);
    cut.truncate(cut.len() - 8);
    send(&here, "/bucket", &cut).refused(400, "MalformedPOSTRequest");
    here.get("/bucket/a", "").expect(404);
    let told = here.cloud.records(ACCOUNT, REGION);
    assert!(
        told.iter().filter(|record| record.error.is_some()).count() > 7,
        "refusals are recorded"
    );
    send(&here, "/none", &body(&key, file)).refused(404, "NoSuchBucket");
}
