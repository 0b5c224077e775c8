//! Without a valid signature nothing is done: every operation, in every protocol that its service speaks.

use bytes::Bytes;
use http::HeaderValue;
use pipeline::identity::IdentityType;
use pipeline::testing::REGION;
use scenarios::client::{self, Request};
use scenarios::said::Shared;
use scenarios::sample::Sampler;
use scenarios::sign::{Keys, forge, presign, sign};
use scenarios::world::{World, built};
use wire::Document;
use wire::model::{Operation, Protocol, Service};

/// The tables that a refusal may write: the store's own bookkeeping and the ledger.
const RECORD_ALONE: [u16; 2] = [0, 1];
/// The texts of policies that took part in decisions.
const POLICIES: u16 = 0x0f02;

struct Case {
    name: &'static str,
    request: Request,
    expected: Shared,
}

/// The ways in which a request may fail to prove who sent it.
fn cases(world: &World, nobody: &Keys, service: &'static Service, plain: &Request) -> Vec<Case> {
    let now = world.wall_seconds();
    let signed = |keys: &Keys, at: i64| {
        let mut request = plain.clone();
        sign(&mut request, keys, REGION, service.signing_name, at);
        request
    };
    let presigned = |at: i64| {
        let mut request = plain.clone();
        presign(&mut request, nobody, REGION, service.signing_name, at, 60);
        request
    };
    let forged = |mut request: Request| {
        forge(&mut request);
        request
    };
    let unknown = Keys {
        id: "AKIAIOSFODNN7UNKNOWN".to_owned(),
        ..nobody.clone()
    };
    let wrong_secret = Keys {
        secret: nobody.secret.chars().rev().collect(),
        ..nobody.clone()
    };
    let case = |name, request, expected| Case {
        name,
        request,
        expected,
    };
    vec![
        case("no credentials", plain.clone(), Shared::MissingToken),
        case(
            "a forged signature",
            forged(signed(nobody, now)),
            Shared::WrongSignature,
        ),
        case(
            "a wrong secret",
            signed(&wrong_secret, now),
            Shared::WrongSignature,
        ),
        case("an unknown key", signed(&unknown, now), Shared::UnknownKey),
        case(
            "an old signature",
            signed(nobody, now - 901),
            Shared::WrongSignature,
        ),
        case(
            "a signature of the future",
            signed(nobody, now + 901),
            Shared::WrongSignature,
        ),
        case(
            "another body",
            tampered(signed(nobody, now)),
            Shared::WrongSignature,
        ),
        case(
            "another body than the signed hash",
            hashed(service, nobody, now, plain),
            Shared::WrongSignature,
        ),
        case("a forged query", forged(presigned(now)), Shared::WrongSignature),
        case("an old query", presigned(now - 61), Shared::WrongSignature),
    ]
}

/// Whether a case is one of a signature that is good at another time.
fn is_untimely(name: &str) -> bool {
    matches!(
        name,
        "an old signature" | "a signature of the future" | "an old query"
    )
}

/// What S3 says of some faults that are one elsewhere.
fn of_objects(name: &str) -> Option<(&'static str, u16)> {
    match name {
        "an old signature" | "a signature of the future" => Some(("RequestTimeTooSkewed", 403)),
        "another body" | "another body than the signed hash" => Some(("XAmzContentSHA256Mismatch", 400)),
        "an old query" => Some(("AccessDenied", 403)),
        _ => None,
    }
}

fn tampered(mut request: Request) -> Request {
    // A form gets a parameter more, and JSON and CBOR a byte.
    let more: &[u8] = if request.body.starts_with(b"Action=") {
        b"&More=1"
    } else {
        b" "
    };
    request.body = Bytes::from([request.body.as_ref(), more].concat());
    request
}

/// A request whose signed `x-amz-content-sha256` is that of another body.
fn hashed(service: &Service, keys: &Keys, now: i64, plain: &Request) -> Request {
    let mut request = plain.clone();
    let hash = crypto::digest::hex(&crypto::digest::sha256(&request.body));
    request
        .headers
        .insert("x-amz-content-sha256", HeaderValue::from_str(&hash).unwrap());
    sign(&mut request, keys, REGION, service.signing_name, now);
    tampered(request)
}

/// Operations whose callers prove themselves by a signature, in every protocol.
fn each(mut test: impl FnMut(&'static Service, &'static Operation, Protocol)) {
    for (_, service, operation) in built().filter(|(endpoint, ..)| !endpoint.is_bearer()) {
        for protocol in &service.protocols {
            test(service, operation, *protocol);
        }
    }
}

/// S1.1, S1.14: a request is attributed to a principal and its credential verified before anything else; one that fails
/// is refused in its protocol's words, changes nothing and is recorded.
#[test]
fn nothing_is_done_without_a_valid_signature() {
    let world = World::furnished();
    let nobody = world.user("nobody", None);
    let sampler = Sampler {
        existing: &world.existing,
        present: true,
    };
    let mut wrong = Vec::new();
    each(|service, operation, protocol| {
        let plain = client::request(service, operation, protocol, &sampler.input(service, operation));
        for Case {
            name,
            request,
            expected,
        } in cases(&world, &nobody, service, &plain)
        {
            let stranger = name == "no credentials";
            // `DeleteObjects` answers for each object on its own.
            if stranger && (operation.anonymous || operation.name == "DeleteObjects") {
                continue;
            }
            world.plan.take_written();
            let said = world.send(protocol, request);
            let (code, status) = match of_objects(name).filter(|_| service.signing_name == "s3") {
                Some(told) => told,
                // EC2 has a code of its own for signatures that are too old or too new.
                None if protocol == Protocol::Ec2Query && is_untimely(name) => Shared::Expired.on(protocol),
                None => expected.of(service, protocol),
            };
            let label = format!("{}:{} in {protocol:?} with {name}", service.name, operation.name);
            if said.code() != code || said.status != status {
                wrong.push(format!(
                    "{label}: {} {} {}",
                    said.status,
                    said.code(),
                    said.message
                ));
            }
            let written = world.plan.take_written();
            // A stranger to S3 is judged, so that the record names the policies that decided.
            let judged = |table: &u16| stranger && service.bare_errors && *table == POLICIES;
            if written
                .iter()
                .any(|table| !RECORD_ALONE.contains(table) && !judged(table))
            {
                wrong.push(format!("{label}: wrote {written:x?}"));
            }
            // A request without a scope says no region, and is recorded in the first.
            let region = if name == "no credentials" {
                "us-east-1"
            } else {
                World::trail(service)
            };
            let newest = world.newest(region, 1);
            let recorded = newest.first().filter(|record| record.id == said.request_id);
            let error = recorded
                .and_then(|record| record.error.as_ref())
                .map(|error| error.code.as_str());
            let named = recorded.map(|record| record.operation.as_str());
            if error != Some(code) || named != Some(operation.name) {
                wrong.push(format!("{label}: recorded {named:?} {error:?}"));
            }
        }
    });
    assert!(wrong.is_empty(), "{} of:\n{}", wrong.len(), wrong.join("\n"));
}

/// S1.1: an operation whose input proves the caller does nothing for a proof that does not hold, signed or not.
#[test]
fn nothing_is_done_without_a_valid_proof() {
    let world = World::furnished();
    let sampler = Sampler {
        existing: &world.existing,
        present: true,
    };
    let mut count = 0;
    for (_, service, operation) in built().filter(|(endpoint, ..)| endpoint.is_bearer()) {
        for protocol in service.protocols.iter().copied() {
            count += 1;
            let plain = client::request(service, operation, protocol, &sampler.input(service, operation));
            let mut signed = plain.clone();
            let now = world.wall_seconds();
            sign(&mut signed, &world.root, REGION, service.signing_name, now);
            for (request, region) in [(plain, "us-east-1"), (signed, REGION)] {
                world.plan.take_written();
                let said = world.send(protocol, request);
                assert!((400..500).contains(&said.status), "{}: {said:?}", operation.name);
                let written = world.plan.take_written();
                assert!(written.iter().all(|table| RECORD_ALONE.contains(table)));
                let newest = world.newest(region, 1);
                let kind = newest.first().map(|record| (&record.id, record.caller.kind));
                assert_eq!(kind, Some((&said.request_id, IdentityType::Unknown)));
            }
        }
    }
    assert!(count > 0, "no operation has its proof in its input");
}

/// S1.1: a right signature is believed, in the headers as in the query string, in every protocol.
#[test]
fn a_right_signature_is_believed_in_headers_and_in_the_query() {
    let world = World::furnished();
    let nobody = world.user("nobody", None);
    let sampler = Sampler {
        existing: &world.existing,
        present: true,
    };
    let mut wrong = Vec::new();
    each(|service, operation, protocol| {
        let plain = client::request(service, operation, protocol, &sampler.input(service, operation));
        let (mut signed, mut presigned) = (plain.clone(), plain);
        sign(
            &mut signed,
            &nobody,
            REGION,
            service.signing_name,
            world.wall_seconds() - 899,
        );
        presign(
            &mut presigned,
            &nobody,
            REGION,
            service.signing_name,
            world.wall_seconds() - 59,
            60,
        );
        for (name, request) in [("headers", signed), ("query", presigned)] {
            let said = world.send(protocol, request);
            if !said.authenticated() || said.status >= 500 {
                wrong.push(format!(
                    "{}:{} in {protocol:?}, {name}: {said:?}",
                    service.name, operation.name
                ));
            }
        }
    });
    assert!(wrong.is_empty(), "{} of:\n{}", wrong.len(), wrong.join("\n"));
}

/// S1.1: an operation that nobody knows is named only to a caller whose signature covers the body that named it.
#[test]
fn an_unknown_operation_is_named_to_proven_callers_alone() {
    let world = World::bare();
    let service = api::models::service("iam").unwrap();
    let operation = service.operation("ListUsers").unwrap();
    let protocol = service.protocols[0];
    let mut plain = client::request(service, operation, protocol, &Document::empty());
    plain.body = "Action=NoSuchOperation&Version=2010-05-08".into();
    let mut signed = plain.clone();
    sign(&mut signed, &world.root, REGION, "iam", world.wall_seconds());
    assert_eq!(world.send(protocol, signed).code(), "InvalidAction");
    let refused = [
        ("no credentials", plain.clone()),
        (
            "another body than the signed hash",
            hashed(service, &world.root, world.wall_seconds(), &plain),
        ),
    ];
    for (name, request) in refused {
        let said = world.send(protocol, request);
        assert_eq!(said.status, 403, "{name}: {said:?}");
        assert!(!said.message.contains("NoSuchOperation"), "{name}: {said:?}");
    }
}

/// S1.1: where the input is to prove who calls, an input that proves nothing is refused, whoever signed it; nothing changes, and the
/// refusal is recorded.
#[test]
fn no_signature_stands_in_for_a_proof_in_the_input() {
    let world = World::furnished();
    let sampler = Sampler {
        existing: &world.existing,
        present: true,
    };
    for (_, service, operation) in built().filter(|(endpoint, ..)| endpoint.is_bearer()) {
        let protocol = service.protocols[0];
        let input = sampler.input(service, operation);
        let plain = client::request(service, operation, protocol, &input);
        let signed = world.signed(&world.root, (service, operation, protocol), &input);
        for (request, region) in [(plain, "us-east-1"), (signed, World::trail(service))] {
            world.plan.take_written();
            let said = world.send(protocol, request);
            assert!((400..500).contains(&said.status), "{}: {said:?}", operation.name);
            let written = world.plan.take_written();
            assert!(written.iter().all(|table| RECORD_ALONE.contains(table)));
            let record = &world.newest(region, 1)[0];
            assert_eq!(
                (record.id.as_str(), record.caller.kind),
                (said.request_id.as_str(), IdentityType::Unknown)
            );
        }
    }
}
