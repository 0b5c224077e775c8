//! Faults on each protocol's wire: names, statuses, headers and secrets.

use wire::fault::{Common, Side};
use wire::model::{ErrorTrait, Kind, Location, Member, Protocol, Service, Shape, ShapeId, Structure};
use wire::protocol::{Encoded, encode_fault};
use wire::{Document, Fault};

use crate::model::plain_member;
use crate::vectors::error_body;
use crate::xml;

const ALL: [Protocol; 7] = [
    Protocol::AwsJson10,
    Protocol::AwsJson11,
    Protocol::AwsQuery,
    Protocol::Ec2Query,
    Protocol::RestJson1,
    Protocol::RestXml,
    Protocol::RpcV2Cbor,
];

fn code(protocol: Protocol, answer: &Encoded) -> String {
    error_body(protocol, answer).0
}

/// A service with one error, whose message is `Message` and one of whose members travels in a header.
fn service() -> Service {
    let string = |name, member: Member| Member {
        name,
        shape: ShapeId(0),
        ..member
    };
    let error = Structure {
        members: vec![
            string("Message", plain_member()),
            string("KeyId", plain_member()),
            Member {
                location: Some(Location::Header),
                wire_name: Some("Retry-After"),
                ..string("Later", plain_member())
            },
        ],
        error: Some(ErrorTrait {
            code: "AWS.KeyGone",
            status: 404,
            sender: true,
        }),
        ..Structure::default()
    };
    let shape = |name, kind| Shape {
        name,
        kind,
        min: None,
        max: None,
        pattern: None,
        sensitive: false,
    };
    Service {
        service_id: "Key Store",
        xml_namespace: Some("https://keys.amazonaws.com/doc/2020-01-01/"),
        query_compatible: true,
        shapes: vec![
            shape("String", Kind::String { values: Vec::new() }),
            shape("KeyGoneException", Kind::Structure(error)),
        ],
        ..crate::model::bare_service()
    }
}

fn key_gone() -> Fault {
    Fault::modeled("KeyGoneException", "AWS.KeyGone", 404, Side::Sender, "no <key>")
        .with("KeyId", Document::String("a&b".into()))
        .with("Later", Document::String("5".into()))
}

#[test]
fn denials_are_spelled_as_each_protocol_does() {
    let denied = Fault::access_denied("User: u is not authorized to perform: kms:Decrypt");
    let expected = [
        (Protocol::AwsJson10, "AccessDeniedException", 400),
        (Protocol::AwsJson11, "AccessDeniedException", 400),
        (Protocol::AwsQuery, "AccessDenied", 403),
        (Protocol::Ec2Query, "UnauthorizedOperation", 403),
        (Protocol::RestJson1, "AccessDeniedException", 403),
        (Protocol::RestXml, "AccessDenied", 403),
        (Protocol::RpcV2Cbor, "AccessDeniedException", 403),
    ];
    for (protocol, name, status) in expected {
        let answer = encode_fault(None, protocol, &denied, "id-1");
        let (have, message, _) = error_body(protocol, &answer);
        assert_eq!((have.as_str(), answer.status), (name, status));
        assert!(message.starts_with("User: u"), "{protocol:?}");
        assert_eq!(answer.headers["x-amzn-requestid"], "id-1");
    }
}

/// The name and status in awsQuery, then in awsJson.
type Names = (&'static str, u16, &'static str, u16);

const AUTHENTICATION: [(Common, Names); 6] = [
    (
        Common::InvalidClientTokenId,
        ("InvalidClientTokenId", 403, "UnrecognizedClientException", 400),
    ),
    (
        Common::SignatureDoesNotMatch,
        ("SignatureDoesNotMatch", 403, "InvalidSignatureException", 400),
    ),
    (
        Common::RequestExpired,
        ("SignatureDoesNotMatch", 403, "InvalidSignatureException", 400),
    ),
    (
        Common::ExpiredToken,
        ("ExpiredToken", 403, "ExpiredTokenException", 400),
    ),
    (
        Common::IncompleteSignature,
        ("IncompleteSignature", 400, "IncompleteSignatureException", 400),
    ),
    (
        Common::MissingAuthenticationToken,
        (
            "MissingAuthenticationToken",
            403,
            "MissingAuthenticationTokenException",
            400,
        ),
    ),
];

const REQUESTS: [(Common, Names); 5] = [
    (
        Common::Validation,
        ("ValidationError", 400, "ValidationException", 400),
    ),
    (
        Common::Malformed,
        ("MalformedInput", 400, "SerializationException", 400),
    ),
    (
        Common::Throttling,
        ("Throttling", 400, "ThrottlingException", 400),
    ),
    (
        Common::UnknownOperation,
        ("InvalidAction", 400, "UnknownOperationException", 400),
    ),
    (
        Common::NotImplemented,
        ("NotImplemented", 501, "NotImplemented", 501),
    ),
];

#[test]
fn shared_faults_have_the_names_that_clients_know() {
    for (common, (query, query_status, json, json_status)) in AUTHENTICATION.into_iter().chain(REQUESTS) {
        let fault = Fault::common(common, "why");
        let answer = encode_fault(None, Protocol::AwsQuery, &fault, "id");
        assert_eq!(
            (code(Protocol::AwsQuery, &answer).as_str(), answer.status),
            (query, query_status)
        );
        let answer = encode_fault(None, Protocol::AwsJson11, &fault, "id");
        assert_eq!(
            (code(Protocol::AwsJson11, &answer).as_str(), answer.status),
            (json, json_status)
        );
    }
}

#[test]
fn the_inside_of_an_internal_fault_stays_inside() {
    for protocol in ALL {
        let mut fault = Fault::internal("the disk at /secret is full");
        fault.message = "secret".to_owned();
        let answer = encode_fault(Some(&service()), protocol, &fault, "id-7");
        assert_eq!(answer.status, 500);
        let body = String::from_utf8_lossy(&answer.body);
        assert!(!body.contains("secret") && body.contains("id-7"), "{body}");
    }
}

#[test]
fn modeled_errors_carry_their_members_and_status() {
    let service = service();
    for protocol in ALL {
        let answer = encode_fault(Some(&service), protocol, &key_gone(), "id");
        let (code, message, body) = error_body(protocol, &answer);
        let xml = matches!(
            protocol,
            Protocol::AwsQuery | Protocol::Ec2Query | Protocol::RestXml
        );
        assert_eq!(code, if xml { "AWS.KeyGone" } else { "KeyGoneException" });
        assert_eq!((answer.status, message.as_str()), (404, "no <key>"));
        if body.is_object() {
            assert_eq!(
                (&body["KeyId"], &body["Message"]),
                (&"a&b".into(), &"no <key>".into())
            );
        }
        let rest = matches!(protocol, Protocol::RestJson1 | Protocol::RestXml);
        assert_eq!(answer.headers.contains_key("retry-after"), rest, "{protocol:?}");
    }
}

#[test]
fn clients_that_moved_from_query_find_the_old_code() {
    let service = service();
    for protocol in [Protocol::AwsJson10, Protocol::AwsJson11, Protocol::RpcV2Cbor] {
        let answer = encode_fault(Some(&service), protocol, &key_gone(), "id");
        assert_eq!(answer.headers["x-amzn-query-error"], "AWS.KeyGone;Sender");
        let answer = encode_fault(Some(&service), protocol, &Fault::internal("x"), "id");
        assert_eq!(answer.headers["x-amzn-query-error"], "InternalFailure;Receiver");
    }
    let answer = encode_fault(Some(&service), Protocol::RestJson1, &key_gone(), "id");
    assert!(!answer.headers.contains_key("x-amzn-query-error"));
}

#[test]
fn type_names_have_a_namespace_in_json_1_0_alone() {
    let service = service();
    let body = |protocol| -> serde_json::Value {
        serde_json::from_slice(&encode_fault(Some(&service), protocol, &key_gone(), "id").body).unwrap()
    };
    assert_eq!(
        body(Protocol::AwsJson10)["__type"],
        "com.amazonaws.keystore#KeyGoneException"
    );
    assert_eq!(body(Protocol::AwsJson11)["__type"], "KeyGoneException");
}

#[test]
fn s3_errors_are_bare() {
    let service = Service {
        bare_errors: true,
        ..service()
    };
    let answer = encode_fault(
        Some(&service),
        Protocol::RestXml,
        &Fault::access_denied("Access Denied"),
        "id",
    );
    let root = xml::parse(std::str::from_utf8(&answer.body).unwrap());
    assert_eq!(root.name, "Error");
    assert_eq!(root.child("Code").unwrap().text, "AccessDenied");
    assert_eq!(root.child("RequestId").unwrap().text, "id");
    assert_eq!(answer.headers["x-amz-request-id"], "id");
}

#[test]
fn a_request_id_that_no_header_carries_is_left_out() {
    let answer = encode_fault(
        None,
        Protocol::AwsQuery,
        &Fault::validation("x"),
        "a\r\nSet-Cookie: b",
    );
    assert_eq!(answer.headers.get("x-amzn-requestid"), None);
    assert_eq!(answer.headers.len(), 1);
}
