//! Facts of the embedded models that the rest of the house relies on, and that `models/patches.json` puts there.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's helper fails by panicking"
)]

use std::collections::BTreeSet;

use api::models;
use wire::model::{Kind, Location, Protocol, Service, Shape, Structure};

fn service(name: &str) -> &'static Service {
    models::service(name).unwrap_or_else(|| panic!("{name} is no service"))
}

fn shape<'a>(service: &'a Service, name: &str) -> &'a Shape {
    service.shapes.iter().find(|shape| shape.name == name).unwrap()
}

fn structure<'a>(service: &'a Service, name: &str) -> &'a Structure {
    match &shape(service, name).kind {
        Kind::Structure(structure) => structure,
        _ => panic!("{name} is no structure"),
    }
}

#[test]
fn every_model_parses_and_is_found_by_its_names() {
    assert_eq!(models::names().len(), 47);
    for name in models::names() {
        let service = service(name);
        assert_eq!(service.name, name);
        assert!(
            !service.operations.is_empty() && !service.protocols.is_empty(),
            "{name}"
        );
        assert!(
            models::by_signing_name(service.signing_name).contains(&name),
            "{name}"
        );
        assert!(
            models::by_endpoint_prefix(service.endpoint_prefix).contains(&name),
            "{name}"
        );
        for prefix in &service.target_prefixes {
            assert_eq!(models::by_target_prefix(prefix), Some(name));
        }
        for operation in &service.operations {
            assert!(
                std::ptr::eq(service.operation(operation.name).unwrap(), operation),
                "{name}"
            );
            for id in operation.input.iter().chain(&operation.output) {
                assert!(
                    matches!(service.shape(*id).unwrap().kind, Kind::Structure(_)),
                    "{name}"
                );
            }
            for id in &operation.errors {
                let Kind::Structure(error) = &service.shape(*id).unwrap().kind else {
                    panic!("{name}")
                };
                assert!(
                    error.error.is_some(),
                    "{name} {}",
                    service.shape(*id).unwrap().name
                );
            }
        }
    }
    assert!(models::service("nothing").is_none());
    assert!(models::by_signing_name("nothing").is_empty());
}

#[test]
fn kms_plaintext_is_short_and_sensitive() {
    let kms = service("kms");
    let plaintext = shape(kms, "PlaintextType");
    assert_eq!(
        (plaintext.min, plaintext.max, plaintext.sensitive),
        (Some(1.0), Some(4096.0), true)
    );
    assert!(matches!(plaintext.kind, Kind::Blob));
    let request = structure(kms, "EncryptRequest");
    let required: Vec<_> = request
        .members
        .iter()
        .filter(|m| m.required)
        .map(|m| m.name)
        .collect();
    assert_eq!(required, ["KeyId", "Plaintext"]);
    assert_eq!(kms.protocols, [Protocol::AwsJson11]);
    assert_eq!(kms.target_prefixes, ["TrentService"]);
    assert_eq!(kms.event_source, "kms");
    let Kind::String { values } = &shape(kms, "EncryptionAlgorithmSpec").kind else {
        panic!("no string")
    };
    assert!(values.contains(&"SYMMETRIC_DEFAULT"));
}

#[test]
fn iam_answers_in_its_namespace_with_its_codes() {
    let iam = service("iam");
    assert_eq!(
        iam.xml_namespace,
        Some("https://iam.amazonaws.com/doc/2010-05-08/")
    );
    assert_eq!(
        iam.operation("CreateUser").unwrap().result_wrapper,
        Some("CreateUserResult")
    );
    assert_eq!(iam.operation("DeleteUser").unwrap().result_wrapper, None);
    let error = structure(iam, "NoSuchEntityException").error.as_ref().unwrap();
    assert_eq!(
        (error.code, error.status, error.sender),
        ("NoSuchEntity", 404, true)
    );
    let failure = structure(iam, "ServiceFailureException").error.as_ref().unwrap();
    assert_eq!((failure.status, failure.sender), (500, false));
    assert_eq!(models::by_query_version("2010-05-08"), ["iam"]);
    assert!(shape(iam, "passwordType").sensitive);
}

#[test]
fn cloudwatch_speaks_three_protocols() {
    let cloudwatch = service("cloudwatch");
    assert_eq!(
        cloudwatch.protocols,
        [Protocol::RpcV2Cbor, Protocol::AwsJson10, Protocol::AwsQuery]
    );
    assert!(cloudwatch.query_compatible);
    assert_eq!(cloudwatch.event_source, "monitoring");
    assert_eq!(
        models::by_target_prefix("GraniteServiceVersion20100801"),
        Some("cloudwatch")
    );
}

#[test]
fn load_balancers_share_a_signing_name_and_differ_by_version() {
    assert_eq!(models::by_signing_name("elasticloadbalancing"), ["elb", "elbv2"]);
    assert_eq!(models::by_query_version("2015-12-01"), ["elbv2"]);
    assert_eq!(models::by_query_version("2012-06-01"), ["elb"]);
}

#[test]
fn global_services_are_marked() {
    let global: Vec<_> = models::names().filter(|name| service(name).global).collect();
    let expected = [
        "budgets",
        "ce",
        "cloudfront",
        "iam",
        "organizations",
        "route53",
        "shield",
        "support",
        "waf",
    ];
    assert_eq!(global, expected);
}

#[test]
fn cloudtrail_has_both_target_prefixes() {
    let long = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101";
    assert_eq!(
        service("cloudtrail").target_prefixes,
        [long, "CloudTrail_20131101"]
    );
}

#[test]
fn lookup_events_checks_its_own_input() {
    let cloudtrail = service("cloudtrail");
    let limit = shape(cloudtrail, "MaxResults");
    assert_eq!((limit.min, limit.max), (None, None));
    for name in ["LookupAttributeKey", "EventCategory"] {
        let free = matches!(&shape(cloudtrail, name).kind, Kind::String { values, .. } if values.is_empty());
        assert!(free, "{name}");
    }
}

#[test]
fn event_sources_that_are_no_endpoint_prefix() {
    let differing: Vec<_> = models::names()
        .map(service)
        .filter(|service| service.event_source != service.endpoint_prefix)
        .map(|service| (service.name, service.event_source))
        .collect();
    assert_eq!(differing, [("cloudhsmv2", "cloudhsm"), ("s3control", "s3")]);
}

#[test]
fn rest_xml_services_have_their_namespace() {
    for name in models::names() {
        let service = service(name);
        if service.protocols.contains(&Protocol::RestXml) {
            let namespace = service.xml_namespace.unwrap();
            assert!(namespace.contains(service.api_version), "{name}");
        }
    }
}

#[test]
fn only_s3_has_bare_errors() {
    let bare: Vec<_> = models::names().filter(|name| service(name).bare_errors).collect();
    assert_eq!(bare, ["s3"]);
}

#[test]
fn anonymous_operations_are_the_federated_ones() {
    let sts = service("sts");
    let anonymous: Vec<_> = sts
        .operations
        .iter()
        .filter(|o| o.anonymous)
        .map(|o| o.name)
        .collect();
    assert_eq!(anonymous, ["AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"]);
}

#[test]
fn s3_objects_travel_beside_their_headers() {
    let s3 = service("s3");
    let put = s3.operation("PutObject").unwrap();
    assert_eq!((put.method, put.uri.segments.len()), ("PUT", 2));
    let input = structure(s3, s3.shape(put.input.unwrap()).unwrap().name);
    let body = &input.members[input.payload.unwrap()];
    assert!(body.name == "Body" && body.streaming);
    let member = |name: &str| input.members.iter().find(|member| member.name == name).unwrap();
    assert_eq!(member("Metadata").location, Some(Location::HeaderPrefix));
    assert_eq!(member("ContentType").location, Some(Location::Header));
    assert_eq!(member("Key").location, Some(Location::Label));
    let list = s3.operation("ListObjectsV2").unwrap();
    assert_eq!(list.uri.query, [("list-type", "2")]);
    let grantee = structure(s3, "Grantee");
    assert!(grantee.members.iter().any(|member| member.xml_attribute));
    assert!(s3.operation("WriteGetObjectResponse").unwrap().unsigned_payload);
}

/// Every label of a URI pattern is a member of the input, and the other way round.
#[test]
fn uri_labels_are_members() {
    use wire::model::Segment;
    for name in models::names() {
        let service = service(name);
        for operation in &service.operations {
            let labels: BTreeSet<_> = operation
                .uri
                .segments
                .iter()
                .filter_map(|segment| match segment {
                    Segment::Literal(_) => None,
                    Segment::Label(label) | Segment::Greedy(label) => Some(*label),
                })
                .collect();
            let Some(input) = operation.input else { continue };
            let input = structure(service, service.shape(input).unwrap().name);
            let members: BTreeSet<_> = input
                .members
                .iter()
                .filter(|member| member.location == Some(Location::Label))
                .map(|member| member.wire_name.unwrap_or(member.name))
                .collect();
            assert_eq!(labels, members, "{name} {}", operation.name);
        }
    }
}

mod damage {
    use proptest::prelude::*;
    use wire::model::load;

    const KMS: &[u8] = include_bytes!("../../../models/kms.json.gz");
    const SMALL: &str = r#"{"format":1,"strings":["a","/{b}/c+?d=e","POST"],"service":{"name":0,"api_version":0,
        "service_id":0,"signing_name":0,"endpoint_prefix":0,"event_source":0,"xml_namespace":null,"global":false,
        "query_compatible":false,"bare_errors":false,"target_prefixes":[0],"protocols":[0,6]},
        "operations":[[0,2,1,200,0,1,null,[0,0],[0],3]],
        "shapes":[[0,0,31,null,null,null,[[0,1,255,0,4,[0,[0,0],2]]],[],0,[0,400,true]],
        [0,1,2,1,2.5,0,[[0,0,0,null,null,null]],[],null,null]]}"#;

    #[test]
    fn the_small_model_is_whole() {
        assert!(load::parse_text(SMALL.as_bytes()).is_ok());
    }

    #[test]
    fn a_truncated_model_is_refused() {
        assert!(matches!(
            load::parse(&KMS[..KMS.len() / 2]),
            Err(load::Error::Decompress(_))
        ));
        assert!(load::parse(b"").is_err());
    }

    #[test]
    fn another_format_is_refused() {
        let text = SMALL.replace("\"format\":1", "\"format\":2");
        assert!(matches!(
            load::parse_text(text.as_bytes()),
            Err(load::Error::Format(2))
        ));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn damaged_archives_never_panic(at in 0..KMS.len(), byte: u8) {
            let mut gz = KMS.to_vec();
            gz[at] = byte;
            let _ = load::parse(&gz);
        }

        /// A model that parses has no index that leads nowhere, whatever numbers stand in it.
        #[test]
        fn damaged_tables_never_panic(at in 0..SMALL.len(), byte in prop::sample::select(b"0123456789,[]{}\"n-".to_vec())) {
            let mut text = SMALL.as_bytes().to_vec();
            text[at] = byte;
            if let Ok(service) = load::parse_text(&text) {
                for operation in &service.operations {
                    for id in operation.input.iter().chain(&operation.output).chain(&operation.errors) {
                        prop_assert!(service.shape(*id).is_some());
                    }
                }
            }
        }
    }
}

/// `GetServiceLastAccessedDetails` and its like answer before the report is complete.
#[test]
fn a_report_in_progress_is_not_completed() {
    let iam = service("iam");
    for name in [
        "GetServiceLastAccessedDetailsResponse",
        "GetServiceLastAccessedDetailsWithEntitiesResponse",
    ] {
        let completed = structure(iam, name)
            .members
            .iter()
            .find(|member| member.name == "JobCompletionDate");
        assert!(!completed.unwrap().required, "{name}");
    }
}

#[test]
fn lambda_judges_runtimes_itself() {
    let runtime = shape(service("lambda"), "Runtime");
    assert!(matches!(&runtime.kind, Kind::String { values, .. } if values.is_empty()));
}

/// A region that is none has an error of its own.
#[test]
fn create_bucket_checks_its_location_constraint_itself() {
    let constraint = shape(service("s3"), "BucketLocationConstraint");
    assert!(matches!(&constraint.kind, Kind::String { values } if values.is_empty()));
}

/// ARNs of buckets name no region.
#[test]
fn tags_are_put_on_buckets_by_their_arns() {
    let arn = shape(service("s3control"), "S3ResourceArn");
    let pattern = wire::constraints::Pattern::new(arn.pattern.unwrap())
        .ok()
        .unwrap();
    assert!(pattern.matches("arn:aws:s3:::bucket"));
    assert!(!pattern.matches("arn:aws:sqs:us-east-1:111122223333:queue"));
}

/// The model names `STANDARD` alone.
#[test]
fn versions_have_the_classes_of_objects() {
    let classes = shape(service("s3"), "ObjectVersionStorageClass");
    let Kind::String { values, .. } = &classes.kind else {
        panic!("a class is a string");
    };
    assert!(values.contains(&"GLACIER_IR") && values.contains(&"STANDARD"));
    let of_objects = shape(service("s3"), "ObjectStorageClass");
    let Kind::String { values: known, .. } = &of_objects.kind else {
        panic!("a class is a string");
    };
    assert!(values.iter().all(|class| known.contains(class)));
}

/// `RestoreObject` answers 202 the first time and 200 again.
#[test]
fn a_restoration_tells_by_its_status_whether_it_is_the_first() {
    let output = structure(service("s3"), "RestoreObjectOutput");
    let status = output.members.iter().find(|member| member.name == "StatusCode");
    assert_eq!(status.unwrap().location, Some(Location::Status));
}
