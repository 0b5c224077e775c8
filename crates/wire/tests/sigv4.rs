//! Signature Version 4 against AWS's own test suite, and what must be refused.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

use aws_lc_rs::{digest, hmac};
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use serde_json::Value;
use wire::fault::{Code, Common};
use wire::protocol::Parts;
use wire::sigv4::{
    Claim, PathStyle, PayloadRule, Signer, check_payload, check_scope, check_signed_headers, check_time, hex,
    mismatch_message, parse, parse_basic_time, sign_request, signing_key, string_to_sign,
};

fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest::digest(&digest::SHA256, bytes)
        .as_ref()
        .try_into()
        .unwrap()
}

fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message)
        .as_ref()
        .try_into()
        .unwrap()
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        let name = HeaderName::from_bytes(name.to_ascii_lowercase().as_bytes()).unwrap();
        map.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    map
}

fn parts<'a>(
    method: &'a str,
    path: &'a str,
    query: &'a str,
    headers: &'a HeaderMap,
    body: &'a [u8],
) -> Parts<'a> {
    Parts {
        method,
        path,
        query,
        headers,
        body,
    }
}

struct Suite(Value);

impl Suite {
    fn read() -> Self {
        Self(serde_json::from_str(include_str!("vectors/sigv4.json")).unwrap())
    }

    fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap()
    }

    fn signer(&self) -> Signer<'_> {
        Signer {
            access_key_id: self.text("access_key_id"),
            secret_access_key: self.text("secret_access_key"),
            session_token: None,
            region: self.text("region"),
            service: self.text("service"),
        }
    }

    fn cases(&self) -> &[Value] {
        self.0["cases"].as_array().unwrap()
    }
}

/// The suite's headers. HTTP parsers unfold lines before anybody sees them.
fn case_headers(case: &Value) -> HeaderMap {
    let pairs = case["headers"].as_array().unwrap().iter();
    let pairs: Vec<(String, String)> = pairs
        .map(|pair| {
            (
                pair[0].as_str().unwrap().to_owned(),
                pair[1].as_str().unwrap().replace('\n', " "),
            )
        })
        .collect();
    headers(
        &pairs
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect::<Vec<_>>(),
    )
}

/// The session token of a case whose request does not have it yet: signers are told it beside the request.
fn case_token<'a>(case: &'a Value, headers: &HeaderMap) -> Option<&'a str> {
    let mut lines = case["canonical"].as_str().unwrap().lines();
    let token = lines.find_map(|line| line.strip_prefix("x-amz-security-token:"));
    token.filter(|_| !headers.contains_key("x-amz-security-token"))
}

#[test]
fn every_request_of_the_suite_has_its_canonical_request_string_to_sign_and_signature() {
    let suite = Suite::read();
    assert_eq!(suite.cases().len(), 34);
    for case in suite.cases() {
        let field = |name: &str| case[name].as_str().unwrap();
        let name = field("name");
        let mut map = case_headers(case);
        if let Some(token) = case_token(case, &map) {
            map.insert("x-amz-security-token", HeaderValue::from_str(token).unwrap());
        }
        map.insert(
            "authorization",
            HeaderValue::from_str(field("authorization")).unwrap(),
        );
        let parts = parts(
            field("method"),
            field("path"),
            field("query"),
            &map,
            field("body").as_bytes(),
        );
        let claim = parse(&parts).map_err(|fault| fault.message).unwrap().unwrap();
        let signed = string_to_sign(&claim, &parts, PathStyle::Normalised, sha256);
        assert_eq!(signed.canonical_request, field("canonical"), "{name}");
        assert_eq!(signed.text, field("string_to_sign"), "{name}");
        let scope = &claim.scope;
        let key = signing_key(
            suite.text("secret_access_key"),
            &scope.date,
            &scope.region,
            &scope.service,
            hmac_sha256,
        );
        assert_eq!(
            Some(hmac_sha256(&key[..], signed.text.as_bytes())),
            claim.signature_bytes(),
            "{name}"
        );
    }
}

#[test]
fn our_client_signs_every_request_of_the_suite_as_aws_does() {
    let suite = Suite::read();
    for case in suite.cases() {
        let field = |name: &str| case[name].as_str().unwrap();
        let map = case_headers(case);
        let parts = parts(
            field("method"),
            field("path"),
            field("query"),
            &map,
            field("body").as_bytes(),
        );
        let now = parse_basic_time("20150830T123600Z").unwrap();
        let signer = Signer {
            session_token: case_token(case, &map),
            ..suite.signer()
        };
        let added = sign_request(&signer, &parts, PathStyle::Normalised, now, sha256, hmac_sha256).unwrap();
        let (name, value) = added.last().unwrap();
        assert_eq!(name, "authorization");
        assert_eq!(
            value.to_str().unwrap(),
            field("authorization"),
            "{}",
            field("name")
        );
    }
}

/// S3 API Reference, "Examples: Signature Calculations", GET Object: paths are encoded once, never normalised.
#[test]
fn s3_paths_are_neither_normalised_nor_encoded_twice() {
    let map = headers(&[
        ("host", "examplebucket.s3.amazonaws.com"),
        ("x-amz-date", "20130524T000000Z"),
        ("x-amz-content-sha256", &hex(&sha256(b""))),
    ]);
    for (path, canonical) in [
        ("", "/"),
        ("/a//b/../c", "/a//b/../c"),
        ("/a%20b", "/a%20b"),
        ("/a b$c", "/a%20b%24c"),
        ("/a%2Fb", "/a%2Fb"),
        ("/%e1%88%b4", "/%E1%88%B4"),
        ("/100%", "/100%25"),
    ] {
        let suite = Suite::read();
        let parts = parts("GET", path, "", &map, b"");
        let now = parse_basic_time("20130524T000000Z").unwrap();
        let added = sign_request(&suite.signer(), &parts, PathStyle::Raw, now, sha256, hmac_sha256).unwrap();
        let mut signed = map.clone();
        signed.extend(added.into_iter().map(|(name, value)| (Some(name), value)));
        let parts = self::parts("GET", path, "", &signed, b"");
        let claim = parse(&parts).map_err(|fault| fault.message).unwrap().unwrap();
        let text = string_to_sign(&claim, &parts, PathStyle::Raw, sha256).canonical_request;
        assert_eq!(text.split('\n').nth(1), Some(canonical), "{path}");
    }
}

const PRESIGNED: &str = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2F\
                         s3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&\
                         X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";

/// S3 API Reference, "Authenticating Requests: Using Query Parameters", the example's signature.
#[test]
fn the_presigned_example_of_the_s3_reference_verifies() {
    let map = headers(&[("host", "examplebucket.s3.amazonaws.com")]);
    let parts = parts("GET", "/test.txt", PRESIGNED, &map, b"");
    let claim = parse(&parts).map_err(|fault| fault.message).unwrap().unwrap();
    assert_eq!(claim.presigned.unwrap().expires_seconds, Some(86400));
    let text = string_to_sign(&claim, &parts, PathStyle::Raw, sha256).text;
    let key = signing_key(
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "20130524",
        "us-east-1",
        "s3",
        hmac_sha256,
    );
    assert_eq!(
        Some(hmac_sha256(&key[..], text.as_bytes())),
        claim.signature_bytes()
    );
    let signed = claim.timestamp.seconds;
    assert!(check_time(&claim, signed + 86400, PathStyle::Raw).is_ok());
    let late = check_time(&claim, signed + 86401, PathStyle::Raw).unwrap_err();
    assert_eq!(late.message, "Request has expired");
    assert_eq!(late.members[1].1.as_str(), Some("2013-05-25T00:00:00Z"));
}

const CREDENTIAL: &str = "AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request";

fn authorization(credential: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host;x-amz-date, Signature={}",
        "0".repeat(64)
    )
}

fn refusal(pairs: &[(&str, &str)], query: &str) -> (Code, String) {
    let map = headers(pairs);
    let parts = parts("POST", "/", query, &map, b"");
    match parse(&parts) {
        Err(fault) => (fault.code, fault.message),
        Ok(_) => panic!("accepted"),
    }
}

#[test]
fn incomplete_signatures_are_refused_with_what_is_missing() {
    let date = ("x-amz-date", "20150830T123600Z");
    for (value, dated, start) in [
        (
            "AWS4-HMAC-SHA256 SignedHeaders=host, Signature=00",
            true,
            "Authorization header requires 'Credential' parameter.",
        ),
        (
            "AWS4-HMAC-SHA256 Credential=a/b/c/d/e",
            false,
            "Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. \
             Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
        ),
        (
            "AWS4-HMAC-SHA256 Credential",
            true,
            "'Credential' not a valid key=value pair (missing equal-sign)",
        ),
        (
            "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature=00",
            true,
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'a'",
        ),
        (
            "AWS4-HMAC-SHA256 Signature=1, Signature=2",
            true,
            "Authorization header has more than one 'Signature'",
        ),
        ("Basic abc", true, "Unsupported Authorization type"),
    ] {
        let mut pairs = vec![("host", "x"), ("authorization", value)];
        pairs.extend(dated.then_some(date));
        let (code, message) = refusal(&pairs, "");
        assert_eq!(code, Code::Common(Common::IncompleteSignature));
        assert!(message.starts_with(start), "{message}");
    }
}

#[test]
fn malformed_scopes_and_dates_are_refused() {
    let host = ("host", "x");
    let date = ("x-amz-date", "20150830T123600Z");
    let wrong = authorization("AKIDEXAMPLE/20150831/us-east-1/iam/aws4_request");
    assert_eq!(
        refusal(&[host, date, ("authorization", &wrong)], "").1,
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20150831' != \
         '20150830', from '20150830T123600Z'."
    );
    let terminator = authorization("AKIDEXAMPLE/20150830/us-east-1/iam/aws5_request");
    assert_eq!(
        refusal(&[host, date, ("authorization", &terminator)], "").1,
        "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5_request'. "
    );
    let good = authorization(CREDENTIAL);
    for bad in [
        "2015-08-30T12:36:00Z",
        "20150830T126000Z",
        "20151330T123600Z",
        "20150230T123600Z",
        "",
    ] {
        let (_, message) = refusal(&[host, ("x-amz-date", bad), ("authorization", &good)], "");
        assert!(
            message.starts_with("Date must be in ISO-8601 'basic format'. Got '"),
            "{message}"
        );
    }
    let asymmetric = good.replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256");
    let (code, message) = refusal(&[host, date, ("authorization", &asymmetric)], "");
    assert!(
        matches!(code, Code::Plain { status: 400, .. }) && message.contains("4A"),
        "{message}"
    );
}

#[test]
fn one_request_has_one_signature_and_signs_its_host_and_target() {
    let good = authorization(CREDENTIAL);
    let (host, date) = (("host", "x"), ("x-amz-date", "20150830T123600Z"));
    let both = refusal(&[host, date, ("authorization", &good)], PRESIGNED);
    assert!(
        both.1.starts_with("Only one auth mechanism allowed"),
        "{}",
        both.1
    );
    let twice = refusal(
        &[host, date, ("authorization", &good), ("authorization", &good)],
        "",
    );
    assert!(
        twice.1.starts_with("Only one auth mechanism allowed"),
        "{}",
        twice.1
    );
    let hostless = good.replace("SignedHeaders=host;", "SignedHeaders=");
    let unsigned = refusal(&[host, date, ("authorization", &hostless)], "");
    assert_eq!(
        unsigned.1,
        "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
    );
    let target = refusal(
        &[host, date, ("authorization", &good), ("x-amz-target", "A.B")],
        "",
    );
    assert_eq!(
        target.1,
        "'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization."
    );
    let dates = refusal(&[host, date, date, ("authorization", &good)], "");
    assert!(dates.1.contains("must not occur more than once"), "{}", dates.1);
    let repeated = refusal(&[host], &format!("{PRESIGNED}&X-Amz-Date=20130524T000001Z"));
    assert!(
        repeated.1.contains("must not occur more than once"),
        "{}",
        repeated.1
    );
}

#[test]
fn presigned_requests_must_be_complete_and_live_a_week_at_most() {
    let (_, message) = refusal(
        &[("host", "x")],
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20130524T000000Z",
    );
    assert_eq!(
        message,
        "AWS query-string parameters must include 'X-Amz-Credential'. AWS query-string parameters must include \
         'X-Amz-Signature'. AWS query-string parameters must include 'X-Amz-SignedHeaders'. Re-examine the query-string \
         parameters."
    );
    for (expires, start) in [
        ("604801", "X-Amz-Expires must be less than a week"),
        ("-1", "X-Amz-Expires must be non"),
        ("x", "X-Amz-Expires should be a number"),
    ] {
        let query = PRESIGNED.replace("Expires=86400", &format!("Expires={expires}"));
        assert!(refusal(&[("host", "x")], &query).1.starts_with(start));
    }
    let map = headers(&[("host", "x")]);
    assert!(parse(&parts("GET", "/", "a=b", &map, b"")).is_ok_and(|claim| claim.is_none()));
}

fn with_claim(pairs: &[(&str, &str)], body: &[u8], test: impl FnOnce(&Claim<'_>, &Parts<'_>)) {
    let authorization = authorization(CREDENTIAL);
    let mut all = vec![("host", "x"), ("authorization", authorization.as_str())];
    all.extend_from_slice(pairs);
    let map = headers(&all);
    let parts = parts("POST", "/", "", &map, body);
    let claim = parse(&parts).map_err(|fault| fault.message).unwrap().unwrap();
    test(&claim, &parts);
}

#[test]
fn a_signature_is_fresh_for_fifteen_minutes_either_way() {
    with_claim(&[("x-amz-date", "20150830T123600Z")], b"", |claim, _| {
        let signed = claim.timestamp.seconds;
        for offset in [-900, 0, 900] {
            assert!(check_time(claim, signed + offset, PathStyle::Normalised).is_ok());
        }
        let now = parse_basic_time("20261122T004500Z").unwrap();
        assert_eq!(
            check_time(claim, now, PathStyle::Normalised).unwrap_err().message,
            "Signature expired: 20150830T123600Z is now earlier than 20261122T003000Z (20261122T004500Z - 15 min.)"
        );
        assert_eq!(
            check_time(claim, signed - 901, PathStyle::Normalised)
                .unwrap_err()
                .message,
            "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T122059Z + 15 min.)"
        );
        let skewed = check_time(claim, now, PathStyle::Raw).unwrap_err();
        assert!(
            matches!(skewed.code, Code::Plain { ref code, status: 403, .. } if code == "RequestTimeTooSkewed")
        );
    });
}

#[test]
fn the_date_header_serves_where_there_is_no_amz_date() {
    with_claim(&[("date", "Sun, 30 Aug 2015 12:36:00 GMT")], b"", |claim, _| {
        assert_eq!(claim.timestamp.text, "20150830T123600Z");
    });
}

#[test]
fn the_scope_must_name_the_service_and_region() {
    with_claim(&[("x-amz-date", "20150830T123600Z")], b"", |claim, _| {
        assert!(check_scope(claim, &["iam"], &["us-east-1"]).is_ok());
        assert!(check_scope(claim, &["sts", "iam"], &[]).is_ok());
        assert_eq!(
            check_scope(claim, &["kms"], &["eu-west-1"]).unwrap_err().message,
            "Credential should be scoped to a valid region. Credential should be scoped to correct service: 'kms'. "
        );
    });
}

#[test]
fn the_body_must_be_the_signed_one() {
    let plain = PayloadRule {
        style: PathStyle::Normalised,
        unsigned: false,
        streaming: false,
    };
    let s3 = PayloadRule {
        style: PathStyle::Raw,
        unsigned: true,
        streaming: true,
    };
    let date = ("x-amz-date", "20150830T123600Z");
    let hash = hex(&sha256(b"body"));
    with_claim(
        &[date, ("x-amz-content-sha256", &hash)],
        b"body",
        |claim, parts| {
            assert!(check_payload(claim, parts.body, plain, sha256).is_ok());
            assert!(check_payload(claim, b"other", plain, sha256).is_err());
            let fault = check_payload(claim, b"other", s3, sha256).unwrap_err();
            assert!(
                matches!(fault.code, Code::Plain { ref code, .. } if code == "XAmzContentSHA256Mismatch")
            );
        },
    );
    for kind in [
        "UNSIGNED-PAYLOAD",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    ] {
        with_claim(
            &[date, ("x-amz-content-sha256", kind)],
            b"body",
            |claim, parts| {
                assert!(check_payload(claim, parts.body, s3, sha256).is_ok());
                assert!(check_payload(claim, parts.body, plain, sha256).is_err());
            },
        );
    }
}

#[test]
fn s3_wants_every_amz_header_signed() {
    let date = ("x-amz-date", "20150830T123600Z");
    with_claim(&[date, ("x-amz-acl", "public-read")], b"", |claim, parts| {
        assert!(check_signed_headers(claim, parts, PathStyle::Normalised).is_ok());
        let fault = check_signed_headers(claim, parts, PathStyle::Raw).unwrap_err();
        assert_eq!(fault.members[0].1.as_str(), Some("x-amz-acl"));
    });
}

#[test]
fn a_mismatch_says_what_should_have_been_signed() {
    assert!(mismatch_message("CANON", "TEXT").ends_with(
        "details.\n\nThe Canonical String for this request should have been\n'CANON'\n\nThe String-to-Sign should have \
         been\n'TEXT'\n"
    ));
}

proptest! {
    #[test]
    fn hostile_requests_are_parsed_without_panic(
        method in "[A-Z]{0,8}",
        path in "(/|[^\\x00-\\x20]{0,40})",
        query in "((X-Amz-(Algorithm|Credential|Date|Signature|SignedHeaders|Expires)|[a-z%+]{0,4})=[!-~]{0,20}&){0,8}",
        authorization in "(AWS4-HMAC-SHA256 )?((Credential|SignedHeaders|Signature)=[!-+\\--~]{0,30},?){0,4}",
        date in "[0-9TZ]{0,17}",
        body in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let mut map = headers(&[("host", "a"), ("x-amz-date", &date)]);
        if !authorization.is_empty() {
            map.insert("authorization", HeaderValue::from_bytes(authorization.as_bytes()).unwrap());
        }
        let parts = parts(&method, &path, &query, &map, &body);
        if let Ok(Some(claim)) = parse(&parts) {
            for style in [PathStyle::Raw, PathStyle::Normalised] {
                string_to_sign(&claim, &parts, style, sha256);
                let _ = check_time(&claim, i64::MAX, style);
            }
        }
    }

    /// What our client signs is what the server rebuilds, whatever the request.
    #[test]
    fn what_is_signed_verifies(
        path in "/[ -~&&[^?#]]{0,30}",
        query in "[a-z0-9%=&+]{0,40}",
        value in "[ -~]{0,20}",
        body in proptest::collection::vec(any::<u8>(), 0..64),
        raw in any::<bool>(),
    ) {
        let suite = Suite::read();
        let style = if raw { PathStyle::Raw } else { PathStyle::Normalised };
        let map = headers(&[("host", "a"), ("x-amz-meta", &value)]);
        let signed = parts("PUT", &path, &query, &map, &body);
        let added = sign_request(&suite.signer(), &signed, style, 1_440_938_160, sha256, hmac_sha256).unwrap();
        let mut all = map.clone();
        for (name, value) in added {
            all.insert(name, value);
        }
        let received = parts("PUT", &path, &query, &all, &body);
        let claim = parse(&received).map_err(|fault| fault.message).unwrap().unwrap();
        let text = string_to_sign(&claim, &received, style, sha256).text;
        let key = signing_key(suite.text("secret_access_key"), "20150830", "us-east-1", "service", hmac_sha256);
        prop_assert_eq!(Some(hmac_sha256(&key[..], text.as_bytes())), claim.signature_bytes());
    }
}
