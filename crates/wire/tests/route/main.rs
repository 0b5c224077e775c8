//! Routing: what decides, in which order, and how refusals are told.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]

mod few;

use few::catalog;
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use wire::fault::{Code, Common};
use wire::model::Protocol;
use wire::protocol::Parts;
use wire::route::{Refusal, Route, route};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");

fn ask(
    method: &str,
    uri: &str,
    pairs: &[(&str, &str)],
    body: &str,
    scope: Option<&str>,
) -> Result<Route, Refusal> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.insert(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_str(value).unwrap(),
        );
    }
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    route(
        &Parts {
            method,
            path,
            query,
            headers: &headers,
            body: body.as_bytes(),
        },
        scope,
        &catalog(),
    )
}

fn goes(
    method: &str,
    uri: &str,
    pairs: &[(&str, &str)],
    body: &str,
    scope: Option<&str>,
) -> (String, Protocol) {
    match ask(method, uri, pairs, body, scope) {
        Ok(route) => (
            format!("{}:{}", route.service.name, route.operation.name),
            route.protocol,
        ),
        Err(refusal) => panic!("{method} {uri}: {}", refusal.fault.message),
    }
}

#[test]
fn targets_name_service_and_operation() {
    let json10 = ("content-type", "application/x-amz-json-1.0");
    let json11 = ("content-type", "application/x-amz-json-1.1");
    let encrypt = ("x-amz-target", "TrentService.Encrypt");
    assert_eq!(
        goes("POST", "/", &[json11, encrypt], "{}", Some("kms")),
        ("kms:Encrypt".into(), Protocol::AwsJson11)
    );
    assert_eq!(
        goes("POST", "/", &[encrypt], "{}", None),
        ("kms:Encrypt".into(), Protocol::AwsJson11)
    );
    let dotted = (
        "x-amz-target",
        "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.CreateTrail",
    );
    assert_eq!(
        goes("POST", "/", &[json11, dotted], "{}", None).0,
        "cloudtrail:CreateTrail"
    );
    let metric = ("x-amz-target", "GraniteServiceVersion20100801.PutMetricData");
    assert_eq!(
        goes("POST", "/", &[json10, metric], "{}", None).1,
        Protocol::AwsJson10
    );
}

#[test]
fn one_service_is_spoken_in_three_protocols() {
    let path = "/service/GraniteServiceVersion20100801/operation/PutMetricData";
    let cbor = ("smithy-protocol", "rpc-v2-cbor");
    assert_eq!(
        goes("POST", path, &[cbor], "", None),
        ("cloudwatch:PutMetricData".into(), Protocol::RpcV2Cbor)
    );
    let body = "Action=PutMetricData&Version=2010-08-01";
    assert_eq!(
        goes("POST", "/", &[FORM], body, Some("monitoring")).1,
        Protocol::AwsQuery
    );
}

#[test]
fn query_calls_come_in_forms_and_query_strings() {
    let body = "UserName=Action%3D&Action=CreateUser&Version=2010-05-08";
    assert_eq!(goes("POST", "/", &[FORM], body, Some("iam")).0, "iam:CreateUser");
    assert_eq!(
        goes("GET", &format!("/?{body}"), &[], "", Some("iam")).0,
        "iam:CreateUser"
    );
    let run = "Action=RunInstances&Version=2016-11-15";
    assert_eq!(goes("POST", "/", &[FORM], run, Some("ec2")).1, Protocol::Ec2Query);
}

#[test]
fn the_version_tells_services_of_one_signing_name_apart() {
    for (version, name) in [("2012-06-01", "elb"), ("2015-12-01", "elbv2")] {
        let body = format!("Action=CreateLoadBalancer&Version={version}");
        let scope = Some("elasticloadbalancing");
        assert_eq!(
            goes("POST", "/", &[FORM], &body, scope).0,
            format!("{name}:CreateLoadBalancer")
        );
    }
    let refusal = ask(
        "POST",
        "/",
        &[FORM],
        "Action=CreateRule&Version=2012-06-01",
        Some("elasticloadbalancing"),
    );
    let refusal = refusal.map(|route| route.operation.name).err().unwrap();
    assert_eq!(
        refusal.fault.message,
        "Could not find operation CreateRule for version 2012-06-01"
    );
    assert_eq!(refusal.fault.code, Code::Common(Common::UnknownOperation));
    assert_eq!(
        (refusal.service.unwrap().name, refusal.protocol),
        ("elb", Protocol::AwsQuery)
    );
}

#[test]
fn unsigned_calls_go_by_version_or_host() {
    let body = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15";
    assert_eq!(
        goes("POST", "/", &[FORM], body, None).0,
        "sts:AssumeRoleWithWebIdentity"
    );
    let body = "Action=AssumeRoleWithWebIdentity";
    for host in [
        "sts.us-east-1.amazonaws.com",
        "STS.localhost:4566",
        "sts.amazonaws.com",
    ] {
        assert_eq!(
            goes("POST", "/", &[FORM, ("host", host)], body, None).0,
            "sts:AssumeRoleWithWebIdentity"
        );
    }
    let refusal = ask("POST", "/", &[("host", "127.0.0.1:4566")], "", None)
        .map(|_| ())
        .err()
        .unwrap();
    assert_eq!(
        refusal.fault.code,
        Code::Common(Common::MissingAuthenticationToken)
    );
}

#[test]
fn the_most_specific_pattern_wins() {
    for (uri, name) in [
        ("/", "ListBuckets"),
        ("/b", "ListObjects"),
        ("/b/", "ListObjects"),
        ("/b?list-type=2&prefix=x", "ListObjectsV2"),
        ("/b?list-type=1", "ListObjects"),
        ("/b?lifecycle", "GetBucketLifecycleConfiguration"),
        ("/b?metrics", "ListBucketMetricsConfigurations"),
        ("/b?metrics&id=1", "GetBucketMetricsConfiguration"),
        ("/b/k", "GetObject"),
        ("/b//k", "GetObject"),
        ("/b/k/l/m", "GetObject"),
        ("/b/k?acl", "GetObjectAcl"),
        ("/b/k?acl=", "GetObjectAcl"),
        ("/b/k?uploadId=1", "ListParts"),
        // A bucket may have the name of another service's path.
        ("/v20180820/accesspoint", "GetObject"),
    ] {
        assert_eq!(
            goes("GET", uri, &[], "", Some("s3")).0,
            format!("s3:{name}"),
            "{uri}"
        );
    }
    for (uri, copy, name) in [
        ("/b/k", false, "PutObject"),
        ("/b/k", true, "CopyObject"),
        ("/b/k?partNumber=1&uploadId=u", false, "UploadPart"),
        ("/b/k?partNumber=1&uploadId=u", true, "UploadPartCopy"),
        ("/b/k?partNumber=1", false, "PutObject"),
    ] {
        let pairs: &[(&str, &str)] = if copy {
            &[("x-amz-copy-source", "/a/b")]
        } else {
            &[]
        };
        assert_eq!(
            goes("PUT", uri, pairs, "", Some("s3")).0,
            format!("s3:{name}"),
            "{uri}"
        );
    }
}

#[test]
fn services_of_one_signing_name_are_told_apart_by_host_or_required_headers() {
    let account = ("x-amz-account-id", "000000000000");
    assert_eq!(
        goes("GET", "/v20180820/accesspoint", &[account], "", Some("s3")).0,
        "s3control:ListAccessPoints"
    );
    let host = ("host", "000000000000.s3-control.us-east-1.amazonaws.com");
    assert_eq!(
        goes("GET", "/v20180820/accesspoint/a", &[host], "", Some("s3")).0,
        "s3control:GetAccessPoint"
    );
}

#[test]
fn rest_paths_are_matched_by_segment() {
    let scope = Some("access-analyzer");
    for (method, uri, name) in [
        ("GET", "/analyzer", "ListAnalyzers"),
        ("GET", "/analyzer/a%2Fb", "GetAnalyzer"),
        ("GET", "/analyzer/policies", "ListPolicies"),
        ("GET", "/an%61lyzer/x/archive%2Drule/y", "GetArchiveRule"),
        ("POST", "/tags/arn:aws:x/y/z", "TagResource"),
        ("GET", "/deep/a/b/c/end", "Suffixed"),
    ] {
        let (found, protocol) = goes(method, uri, &[], "", scope);
        assert_eq!(
            (found, protocol),
            (format!("accessanalyzer:{name}"), Protocol::RestJson1),
            "{uri}"
        );
    }
    for (method, uri) in [
        ("DELETE", "/analyzer"),
        ("GET", "/analyzer//archive-rule/x"),
        ("GET", "/deep/end"),
        ("POST", "/tags/"),
        ("GET", "/x"),
    ] {
        let refusal = ask(method, uri, &[], "", scope)
            .map(|route| route.operation.name)
            .err()
            .unwrap();
        assert_eq!(
            refusal.fault.code,
            Code::Common(Common::UnknownOperation),
            "{uri}"
        );
        assert_eq!(refusal.protocol, Protocol::RestJson1);
    }
}

#[test]
fn unknown_operations_are_refused_in_the_protocol_that_was_spoken() {
    let json10 = ("content-type", "application/x-amz-json-1.0");
    for (pairs, method, protocol, service) in [
        (
            vec![json10, ("x-amz-target", "TrentService.Nope")],
            "POST",
            Protocol::AwsJson10,
            Some("kms"),
        ),
        (
            vec![("x-amz-target", "TrentService.Encrypt")],
            "GET",
            Protocol::AwsJson11,
            Some("kms"),
        ),
        (
            vec![("x-amz-target", "Nowhere.Encrypt")],
            "POST",
            Protocol::AwsJson11,
            None,
        ),
        (
            vec![("x-amz-target", "Encrypt")],
            "POST",
            Protocol::AwsJson11,
            None,
        ),
        (
            vec![("smithy-protocol", "rpc-v2-cbor")],
            "POST",
            Protocol::RpcV2Cbor,
            None,
        ),
    ] {
        let refusal = ask(method, "/", &pairs, "", None)
            .map(|route| route.operation.name)
            .err()
            .unwrap();
        assert_eq!(refusal.protocol, protocol);
        assert_eq!(refusal.service.map(|service| service.name), service);
        assert_eq!(refusal.fault.code, Code::Common(Common::UnknownOperation));
    }
}

proptest! {
    #[test]
    fn hostile_requests_are_routed_without_panic(
        method in "(GET|POST|PUT|[A-Z]{0,3})",
        path in "(/(service|operation|analyzer|tags|[^/]{0,3}|%[0-9a-f]{0,2}))*",
        query in "((Action|Version|list-type|acl|[a-z%]{0,4})=?[!-~]{0,10}&?){0,8}",
        host in "[a-z0-9.:\\[\\]-]{0,40}",
        target in "[A-Za-z.]{0,20}",
        body in "((Action|Version)=?[!-~]{0,10}&?){0,4}",
        scope in proptest::option::of("(kms|s3|iam|elasticloadbalancing|access-analyzer|[a-z]{0,3})"),
    ) {
        let mut pairs = vec![FORM, ("host", host.as_str())];
        if target.len() > 10 {
            pairs.push(("x-amz-target", target.as_str()));
        }
        let uri = format!("{path}?{query}");
        let _ = ask(&method, &uri, &pairs, &body, scope.as_deref());
    }
}

#[test]
fn a_compressed_form_names_its_operation() {
    let named = |bytes: &[u8]| {
        let mut headers = HeaderMap::new();
        for (name, value) in [FORM, ("content-encoding", "gzip")] {
            headers.insert(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_static(value),
            );
        }
        let parts = Parts {
            method: "POST",
            path: "/",
            query: "",
            headers: &headers,
            body: bytes,
        };
        route(&parts, Some("monitoring"), &catalog()).map(|route| route.operation.name)
    };
    let form = format!(
        "Action=PutMetricData&Version=2010-08-01&Rest={}",
        "x".repeat(100_000)
    );
    let packed = |bytes: &[u8]| {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut packed, bytes).unwrap();
        packed.finish().unwrap()
    };
    assert_eq!(named(&packed(form.as_bytes())).ok(), Some("PutMetricData"));
    let (begin, rest) = form.as_bytes().split_at(10);
    let members = [packed(begin), packed(rest)].concat();
    assert_eq!(named(&members).ok(), Some("PutMetricData"));
    assert!(named(form.as_bytes()).is_err());
    assert!(named(b"").is_err());
}
