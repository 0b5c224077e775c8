//! Hand-made services of every protocol that resemble AWS's ambiguous ones.

use std::collections::BTreeMap;

use wire::model::{
    Kind, Location, Member, Operation, Protocol, Segment, Service, Shape, ShapeId, Structure, UriPattern,
};
use wire::route::Catalog;

fn member(name: &'static str, location: Option<Location>) -> Member {
    Member {
        name,
        wire_name: None,
        query_name: None,
        shape: ShapeId(0),
        required: true,
        location,
        flattened: false,
        xml_attribute: false,
        xml_namespace: None,
        timestamp_format: None,
        streaming: false,
        sensitive: false,
        idempotency_token: false,
        json_value: false,
        host_label: false,
    }
}

fn pattern(uri: &'static str) -> UriPattern {
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let segments = path
        .split('/')
        .skip(1)
        .filter(|segment| !segment.is_empty())
        .map(|segment| {
            match segment
                .strip_prefix('{')
                .and_then(|inner| inner.strip_suffix('}'))
            {
                Some(name) => name
                    .strip_suffix('+')
                    .map_or(Segment::Label(name), Segment::Greedy),
                None => Segment::Literal(segment),
            }
        });
    let query = query.split('&').filter(|pair| !pair.is_empty());
    UriPattern {
        segments: segments.collect(),
        query: query
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .collect(),
    }
}

/// Name, method, URI, then the headers (`:name`) and query parameters (`?name`) that the input requires.
type Entry = (&'static str, &'static str, &'static str, &'static [&'static str]);

fn service(
    name: &'static str,
    (signing_name, endpoint_prefix, api_version): (&'static str, &'static str, &'static str),
    target_prefixes: &[&'static str],
    protocols: &[Protocol],
    entries: &[Entry],
) -> &'static Service {
    let kind = Kind::String { values: Vec::new() };
    let mut shapes = vec![Shape {
        name: "String",
        kind,
        min: None,
        max: None,
        pattern: None,
        sensitive: false,
    }];
    let mut operations: Vec<Operation> = Vec::new();
    for (name, method, uri, needs) in entries {
        let members = needs.iter().map(|need| match need.strip_prefix(':') {
            Some(header) => member(header, Some(Location::Header)),
            None => member(need.trim_start_matches('?'), Some(Location::Query)),
        });
        let kind = Kind::Structure(Structure {
            members: members.collect(),
            ..Structure::default()
        });
        shapes.push(Shape {
            name: "Input",
            kind,
            min: None,
            max: None,
            pattern: None,
            sensitive: false,
        });
        operations.push(Operation {
            name,
            method,
            uri: pattern(uri),
            status: 200,
            input: Some(ShapeId(u32::try_from(shapes.len()).unwrap() - 1)),
            output: None,
            result_wrapper: None,
            input_root: None,
            errors: Vec::new(),
            anonymous: false,
            unsigned_payload: false,
        });
    }
    operations.sort_by_key(|operation| operation.name);
    // Named one by one in the model; made from a default here would hide a new field's meaning.
    Box::leak(Box::new(Service {
        name,
        api_version,
        service_id: name,
        signing_name,
        endpoint_prefix,
        global: false,
        target_prefixes: target_prefixes.to_vec(),
        protocols: protocols.to_vec(),
        xml_namespace: None,
        query_compatible: false,
        bare_errors: false,
        event_source: endpoint_prefix,
        operations,
        shapes,
    }))
}

pub(crate) struct Few(BTreeMap<&'static str, &'static Service>);

impl Few {
    fn names(&self, test: impl Fn(&Service) -> bool) -> &'static [&'static str] {
        let names: Vec<&'static str> = self
            .0
            .values()
            .filter(|service| test(service))
            .map(|s| s.name)
            .collect();
        names.leak()
    }
}

impl Catalog for Few {
    fn service(&self, name: &str) -> Option<&'static Service> {
        self.0.get(name).copied()
    }
    fn by_signing_name(&self, signing_name: &str) -> &'static [&'static str] {
        self.names(|service| service.signing_name == signing_name)
    }
    fn by_target_prefix(&self, prefix: &str) -> Option<&'static str> {
        self.0
            .values()
            .find(|service| service.target_prefixes.contains(&prefix))
            .map(|service| service.name)
    }
    fn by_query_version(&self, version: &str) -> &'static [&'static str] {
        let query = |protocol: &Protocol| matches!(protocol, Protocol::AwsQuery | Protocol::Ec2Query);
        self.names(|service| service.api_version == version && service.protocols.iter().any(query))
    }
    fn by_endpoint_prefix(&self, prefix: &str) -> &'static [&'static str] {
        self.names(|service| service.endpoint_prefix == prefix)
    }
}

#[expect(clippy::too_many_lines, reason = "a table of services")]
pub(crate) fn catalog() -> Few {
    const ROOT: (&str, &str) = ("POST", "/");
    let rpc = |name: &'static str| -> Entry { (name, ROOT.0, ROOT.1, &[]) };
    let s3: &[Entry] = &[
        ("ListBuckets", "GET", "/", &[]),
        ("ListDirectoryBuckets", "GET", "/", &[]),
        ("ListObjects", "GET", "/{Bucket}", &[]),
        ("ListObjectsV2", "GET", "/{Bucket}?list-type=2", &[]),
        ("GetBucketLifecycle", "GET", "/{Bucket}?lifecycle", &[]),
        (
            "GetBucketLifecycleConfiguration",
            "GET",
            "/{Bucket}?lifecycle",
            &[],
        ),
        (
            "GetBucketMetricsConfiguration",
            "GET",
            "/{Bucket}?metrics",
            &["?id"],
        ),
        ("ListBucketMetricsConfigurations", "GET", "/{Bucket}?metrics", &[]),
        ("GetObject", "GET", "/{Bucket}/{Key+}", &[]),
        ("GetObjectAcl", "GET", "/{Bucket}/{Key+}?acl", &[]),
        ("ListParts", "GET", "/{Bucket}/{Key+}", &["?uploadId"]),
        ("PutObject", "PUT", "/{Bucket}/{Key+}", &[]),
        ("CopyObject", "PUT", "/{Bucket}/{Key+}", &[":x-amz-copy-source"]),
        (
            "UploadPart",
            "PUT",
            "/{Bucket}/{Key+}",
            &["?partNumber", "?uploadId"],
        ),
        (
            "UploadPartCopy",
            "PUT",
            "/{Bucket}/{Key+}",
            &[":x-amz-copy-source", "?partNumber", "?uploadId"],
        ),
    ];
    let control: &[Entry] = &[
        (
            "ListAccessPoints",
            "GET",
            "/v20180820/accesspoint",
            &[":x-amz-account-id"],
        ),
        (
            "GetAccessPoint",
            "GET",
            "/v20180820/accesspoint/{name}",
            &[":x-amz-account-id"],
        ),
    ];
    let analyzer: &[Entry] = &[
        ("ListAnalyzers", "GET", "/analyzer", &[]),
        ("GetAnalyzer", "GET", "/analyzer/{name}", &[]),
        (
            "GetArchiveRule",
            "GET",
            "/analyzer/{name}/archive-rule/{rule}",
            &[],
        ),
        ("ListPolicies", "GET", "/analyzer/policies", &["?must"]),
        ("TagResource", "POST", "/tags/{arn+}", &[]),
        ("Suffixed", "GET", "/deep/{path+}/end", &[]),
    ];
    let services = [
        service(
            "kms",
            ("kms", "kms", "2014-11-01"),
            &["TrentService"],
            &[Protocol::AwsJson11],
            &[rpc("Encrypt")],
        ),
        service(
            "iam",
            ("iam", "iam", "2010-05-08"),
            &[],
            &[Protocol::AwsQuery],
            &[rpc("CreateUser")],
        ),
        service(
            "sts",
            ("sts", "sts", "2011-06-15"),
            &[],
            &[Protocol::AwsQuery],
            &[rpc("AssumeRoleWithWebIdentity")],
        ),
        service(
            "ec2",
            ("ec2", "ec2", "2016-11-15"),
            &[],
            &[Protocol::Ec2Query],
            &[rpc("RunInstances")],
        ),
        service(
            "elb",
            ("elasticloadbalancing", "elasticloadbalancing", "2012-06-01"),
            &[],
            &[Protocol::AwsQuery],
            &[rpc("CreateLoadBalancer"), rpc("DescribeTags")],
        ),
        service(
            "elbv2",
            ("elasticloadbalancing", "elasticloadbalancing", "2015-12-01"),
            &[],
            &[Protocol::AwsQuery],
            &[rpc("CreateLoadBalancer"), rpc("CreateRule")],
        ),
        service(
            "cloudwatch",
            ("monitoring", "monitoring", "2010-08-01"),
            &["GraniteServiceVersion20100801"],
            &[Protocol::RpcV2Cbor, Protocol::AwsJson10, Protocol::AwsQuery],
            &[rpc("PutMetricData")],
        ),
        service(
            "cloudtrail",
            ("cloudtrail", "cloudtrail", "2013-11-01"),
            &["com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101"],
            &[Protocol::AwsJson11],
            &[rpc("CreateTrail")],
        ),
        service("s3", ("s3", "s3", "2006-03-01"), &[], &[Protocol::RestXml], s3),
        service(
            "s3control",
            ("s3", "s3-control", "2018-08-20"),
            &[],
            &[Protocol::RestXml],
            control,
        ),
        service(
            "accessanalyzer",
            ("access-analyzer", "access-analyzer", "2019-11-01"),
            &[],
            &[Protocol::RestJson1],
            analyzer,
        ),
    ];
    Few(services
        .into_iter()
        .map(|service| (service.name, service))
        .collect())
}
