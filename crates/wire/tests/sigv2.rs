//! Signature Version 2 against the examples of AWS's documentation, and what must be refused.
//!
//! Source: S3 API Reference, "Signing and authenticating REST requests (AWS signature version 2)", "Authentication examples".

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]

use aws_lc_rs::hmac;
use base64::Engine as _;
use http::{HeaderMap, HeaderName, HeaderValue};
use wire::fault::{Code, Common};
use wire::protocol::Parts;
use wire::signature::{self, Claim};
use wire::{Fault, sigv2};

const SECRET: &[u8] = b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const HOST: (&str, &str) = ("host", "johnsmith.s3.amazonaws.com");

fn sign(text: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, SECRET);
    base64::engine::general_purpose::STANDARD.encode(hmac::sign(&key, text.as_bytes()))
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        let name = HeaderName::from_bytes(name.to_ascii_lowercase().as_bytes()).unwrap();
        map.append(name, HeaderValue::from_str(value).unwrap());
    }
    map
}

/// The text that is signed, and the signature that the request carries.
fn read(method: &str, uri: &str, pairs: &[(&str, &str)]) -> Result<(String, String), Fault> {
    let headers = headers(pairs);
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let parts = Parts {
        method,
        path,
        query,
        headers: &headers,
        body: &[],
    };
    let Some(Claim::V2(claim)) = signature::parse(&parts)? else {
        panic!("{uri} is not signed in version 2")
    };
    assert_eq!(claim.access_key_id, KEY);
    Ok((
        sigv2::string_to_sign(&claim, &parts),
        claim.signature.into_owned(),
    ))
}

#[test]
fn the_documentation_s_examples_are_signed_as_it_says() {
    let date = |clock: &str| format!("Tue, 27 Mar 2007 {clock} +0000");
    let cases: &[(&str, &str, &[(&str, &str)], &str, &str)] = &[
        (
            "GET",
            "/photos/puppy.jpg",
            &[HOST],
            "19:36:42",
            "bWq2s1WEIj+Ydj0vQ697zp+IXMU=",
        ),
        (
            "PUT",
            "/photos/puppy.jpg",
            &[HOST, ("content-type", "image/jpeg"), ("content-length", "94328")],
            "21:15:45",
            "MyyxeRY7whkBe+bq8fHCL/2kKUg=",
        ),
        (
            "GET",
            "/?prefix=photos&max-keys=50&marker=puppy",
            &[HOST],
            "19:42:41",
            "htDYFYduRNen8P9ZfE/s9SuKy0U=",
        ),
        (
            "GET",
            "/?acl",
            &[HOST],
            "19:44:46",
            "c2WLPFtWHVgbEmeEG93a4cG37dM=",
        ),
        (
            "DELETE",
            "/johnsmith/photos/puppy.jpg",
            &[("host", "s3.amazonaws.com")],
            "21:20:26",
            "lx3byBScXR6KzyMaifNkardMwNk=",
        ),
        (
            "PUT",
            "/static.johnsmith.net/db-backup.dat.gz",
            &[
                ("host", "s3.amazonaws.com"),
                ("x-amz-acl", "public-read"),
                ("content-type", "application/x-download"),
                ("Content-MD5", "4gJE4saaMU4BqNR0kLY+lw=="),
                ("X-Amz-Meta-ReviewedBy", "joe@johnsmith.net"),
                ("X-Amz-Meta-ReviewedBy", "jane@johnsmith.net"),
                ("X-Amz-Meta-FileChecksum", "0x02661779"),
                ("X-Amz-Meta-ChecksumAlgorithm", "crc32"),
                ("Content-Disposition", "attachment; filename=database.dat"),
            ],
            "21:06:08",
            "ilyl83RwaSoYIEdixDQcA4OnAnc=",
        ),
    ];
    for (method, uri, pairs, clock, signature) in cases {
        let (date, authorization) = (date(clock), format!("AWS {KEY}:{signature}"));
        let mut pairs = pairs.to_vec();
        pairs.extend([("date", date.as_str()), ("authorization", &authorization)]);
        let (text, given) = read(method, uri, &pairs).unwrap_or_else(|fault| panic!("{}", fault.message));
        assert_eq!(sign(&text), given, "{method} {uri}: {text}");
    }
}

#[test]
fn the_documentation_s_query_string_is_signed_as_it_says() {
    let uri = format!(
        "/photos/puppy.jpg?AWSAccessKeyId={KEY}&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620"
    );
    let (text, given) = read("GET", &uri, &[HOST]).unwrap_or_else(|fault| panic!("{}", fault.message));
    assert_eq!(text, "GET\n\n\n1175139620\n/johnsmith/photos/puppy.jpg");
    assert_eq!(sign(&text), given);
}

#[test]
fn what_stands_in_the_query_is_covered_as_if_it_were_a_header() {
    let end = format!("AWSAccessKeyId={KEY}&Signature=a+b&Expires=5");
    let query = format!(
        "versionId=1%2B2&acl&x-amz-acl=public-read&Content-Type=text%2Fplain&x-amz-security-token=t%2Fk&{end}"
    );
    let (text, given) = read("PUT", &format!("/k%20ey?{query}"), &[HOST]).ok().unwrap();
    assert_eq!(
        text,
        "PUT\n\ntext/plain\n5\nx-amz-acl:public-read\nx-amz-security-token:t/k\n/johnsmith/k%20ey?acl&versionId=1+2"
    );
    assert_eq!(given, "a+b");
    let date = ("x-amz-date", "Tue, 27 Mar 2007 21:20:26 +0000");
    let authorization = format!("AWS {KEY}:c2ln");
    let signed = [HOST, date, ("date", "other"), ("authorization", &authorization)];
    let (text, _) = read("GET", "/?x-amz-acl=unsigned", &signed).ok().unwrap();
    assert_eq!(
        text,
        "GET\n\n\n\nx-amz-date:Tue, 27 Mar 2007 21:20:26 +0000\n/johnsmith/"
    );
}

#[test]
fn half_a_signature_and_two_of_them_are_refused() {
    let refused = |uri: &str, pairs: &[(&str, &str)]| {
        let fault = read("GET", uri, pairs).err().unwrap();
        (fault.code, fault.message)
    };
    let denied = |message: &str| (Code::Common(Common::AccessDenied), message.to_owned());
    let half = "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters";
    assert_eq!(refused("/?AWSAccessKeyId=a", &[HOST]), denied(half));
    assert_eq!(refused("/?Expires=1&Signature=a", &[HOST]), denied(half));
    assert_eq!(
        refused("/?AWSAccessKeyId=a&Expires=tomorrow&Signature=a", &[HOST]),
        denied("Invalid date (should be seconds since epoch): tomorrow")
    );
    let authorization = format!("AWS {KEY}:c2ln");
    let header = ("authorization", authorization.as_str());
    assert_eq!(
        refused("/", &[HOST, header]),
        denied("AWS authentication requires a valid Date or x-amz-date header")
    );
    for (uri, pairs) in [
        ("/", &[HOST, ("authorization", "AWS key")][..]),
        ("/?AWSAccessKeyId=a&Expires=1&Signature=a", &[HOST, header]),
        ("/?X-Amz-Signature=a", &[HOST, header]),
        ("/", &[HOST, header, header]),
    ] {
        let (code, _) = refused(uri, pairs);
        assert!(
            matches!(code, Code::Plain { code, .. } if code == "InvalidArgument"),
            "{uri}"
        );
    }
}

#[test]
fn the_time_that_a_request_says_bounds_it() {
    let headers = headers(&[HOST]);
    let query = format!("AWSAccessKeyId={KEY}&Signature=a&Expires=1175139620");
    let parts = Parts {
        method: "GET",
        path: "/",
        query: &query,
        headers: &headers,
        body: &[],
    };
    let claim = sigv2::parse(&parts).ok().flatten().unwrap();
    assert!(sigv2::check_time(&claim, 1_175_139_620).is_ok());
    let fault = sigv2::check_time(&claim, 1_175_139_621).err().unwrap();
    assert_eq!(fault.message, "Request has expired");
    let expires = fault.members.iter().find(|(name, _)| *name == "Expires");
    assert_eq!(
        expires.and_then(|(_, value)| value.as_str()),
        Some("2007-03-29T03:40:20Z")
    );
}
