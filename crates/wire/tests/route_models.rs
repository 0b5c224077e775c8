//! Every operation of AWS's own models is found by the request that its pattern describes.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::path::Path;

use http::{HeaderMap, HeaderName, HeaderValue};
use wire::model::{Kind, Location, Operation, Protocol, Segment, Service, load};
use wire::protocol::Parts;
use wire::route::{Catalog, route};

struct Models(Vec<&'static Service>);

impl Models {
    fn read() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
        let files = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let models = files.filter(|path| path.to_string_lossy().ends_with(".json.gz"));
        let parse = |path| -> &'static Service {
            Box::leak(Box::new(load::parse(&std::fs::read(path).unwrap()).unwrap()))
        };
        Self(models.map(parse).collect())
    }

    fn names(&self, test: impl Fn(&Service) -> bool) -> &'static [&'static str] {
        self.0
            .iter()
            .filter(|service| test(service))
            .map(|service| service.name)
            .collect::<Vec<_>>()
            .leak()
    }
}

impl Catalog for Models {
    fn service(&self, name: &str) -> Option<&'static Service> {
        self.0.iter().copied().find(|service| service.name == name)
    }
    fn by_signing_name(&self, signing_name: &str) -> &'static [&'static str] {
        self.names(|service| service.signing_name == signing_name)
    }
    fn by_target_prefix(&self, prefix: &str) -> Option<&'static str> {
        self.0
            .iter()
            .find(|service| service.target_prefixes.contains(&prefix))
            .map(|service| service.name)
    }
    fn by_query_version(&self, version: &str) -> &'static [&'static str] {
        self.names(|service| service.api_version == version)
    }
    fn by_endpoint_prefix(&self, prefix: &str) -> &'static [&'static str] {
        self.names(|service| service.endpoint_prefix == prefix)
    }
}

/// The request that the operation's pattern and required members describe.
fn request(service: &Service, operation: &Operation) -> (String, String, HeaderMap) {
    let mut path = String::new();
    for segment in &operation.uri.segments {
        path.push('/');
        path.push_str(match segment {
            Segment::Literal(text) => text,
            Segment::Label(_) => "some-label",
            Segment::Greedy(_) => "some/deep/label",
        });
    }
    if path.is_empty() {
        path.push('/');
    }
    let literals = operation.uri.query.iter();
    let mut query: Vec<String> = literals.map(|(name, value)| format!("{name}={value}")).collect();
    let mut headers = HeaderMap::new();
    if service.name == "s3control" {
        // Its paths may be a bucket's too; the host tells.
        let host = HeaderValue::from_static("111122223333.s3-control.us-east-1.amazonaws.com");
        headers.insert(http::header::HOST, host);
    }
    let shape = operation.input.and_then(|id| service.shape(id));
    if let Some(Kind::Structure(structure)) = shape.map(|shape| &shape.kind) {
        for member in structure.members.iter().filter(|member| member.required) {
            let name = member.wire_name.unwrap_or(member.name);
            match member.location {
                Some(Location::Query) => query.push(format!("{name}=1")),
                Some(Location::Header) => {
                    headers.insert(
                        HeaderName::from_bytes(name.as_bytes()).unwrap(),
                        HeaderValue::from_static("1"),
                    );
                }
                _ => {}
            }
        }
    }
    (path, query.join("&"), headers)
}

#[test]
fn every_rest_operation_is_found_by_its_own_pattern() {
    let models = Models::read();
    // Older forms that share everything with the newer ones, and S3's two listings of buckets.
    let twins = [
        "GetBucketLifecycle",
        "PutBucketLifecycle",
        "GetBucketNotification",
        "PutBucketNotification",
        "ListDirectoryBuckets",
    ];
    let (mut count, mut wrong) = (0, Vec::new());
    for service in &models.0 {
        if !service
            .protocols
            .iter()
            .any(|known| matches!(known, Protocol::RestJson1 | Protocol::RestXml))
        {
            continue;
        }
        for operation in service
            .operations
            .iter()
            .filter(|operation| !twins.contains(&operation.name))
        {
            count += 1;
            let (path, query, headers) = request(service, operation);
            let parts = Parts {
                method: operation.method,
                path: &path,
                query: &query,
                headers: &headers,
                body: b"",
            };
            let found = route(&parts, Some(service.signing_name), &models);
            let found = found.map_or("nothing", |route| {
                if route.service.name == service.name {
                    route.operation.name
                } else {
                    route.service.name
                }
            });
            if found != operation.name {
                wrong.push(format!(
                    "{}:{} {path}?{query} went to {found}",
                    service.name, operation.name
                ));
            }
        }
    }
    assert!(count > 300, "{count}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rpc_operation_is_found_by_target_or_action() {
    let models = Models::read();
    let mut count = 0;
    for service in &models.0 {
        for operation in &service.operations {
            let mut headers = HeaderMap::new();
            let mut body = String::new();
            match (service.protocols.first(), service.target_prefixes.first()) {
                (Some(Protocol::AwsJson10 | Protocol::AwsJson11), Some(prefix)) => {
                    let target = format!("{prefix}.{}", operation.name);
                    headers.insert("x-amz-target", HeaderValue::from_str(&target).unwrap());
                }
                (Some(Protocol::AwsQuery | Protocol::Ec2Query), _) => {
                    let form = HeaderValue::from_static("application/x-www-form-urlencoded");
                    headers.insert("content-type", form);
                    body = format!("Action={}&Version={}", operation.name, service.api_version);
                }
                _ => continue,
            }
            count += 1;
            let parts = Parts {
                method: "POST",
                path: "/",
                query: "",
                headers: &headers,
                body: body.as_bytes(),
            };
            let found = route(&parts, Some(service.signing_name), &models);
            let found = found.map_or(("", ""), |route| (route.service.name, route.operation.name));
            assert_eq!(found, (service.name, operation.name));
        }
    }
    assert!(count > 1000, "{count}");
}
