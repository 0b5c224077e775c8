//! Random documents of random shapes survive every protocol: what is encoded decodes to itself.
//!
//! A JSON, CBOR or XML body has one form in both directions, so the answer's bytes are read as a request's; the query
//! protocols and REST's labels and query strings get a plain client below.

use http::HeaderMap;
use proptest::prelude::*;
use wire::Document;
use wire::model::{Kind, Location, Member, Operation, Protocol, Segment, Service, Structure, UriPattern};
use wire::protocol::{Encoded, Parts, decode, encode};

use crate::client::{form, scalar};
use crate::model::{bare_operation, plain_member};
use crate::random::{Gen, NAMES};
use crate::value::{same, show};
use crate::vectors::percent;

fn read(
    service: &Service,
    protocol: Protocol,
    answer: &Encoded,
    path: &str,
    query: &str,
) -> Result<Document, String> {
    let parts = Parts {
        method: "POST",
        path,
        query,
        headers: &answer.headers,
        body: &answer.body,
    };
    decode(service, &service.operations[0], protocol, &parts).map_err(|fault| fault.message)
}

fn there_and_back(bytes: &[u8], protocol: Protocol) -> Result<(), TestCaseError> {
    let mut random = Gen::new(bytes, protocol != Protocol::RestXml);
    let root = random.structure(3);
    let document = random.document(root, false);
    let service = random.service(root, bare_operation());
    let answer = encode(&service, &service.operations[0], protocol, &document, "id").map_err(|fault| {
        TestCaseError::fail(fault.source.map_or_else(String::new, |source| source.to_string()))
    })?;
    let back = read(&service, protocol, &answer, "/", "");
    prop_assert!(
        back.as_ref().is_ok_and(|back| same(back, &document)),
        "{}\n{:?}\n{}",
        show(&document),
        back.as_ref().map(show),
        String::from_utf8_lossy(&answer.body)
    );
    Ok(())
}

fn through_a_form(bytes: &[u8], protocol: Protocol) -> Result<(), TestCaseError> {
    let mut random = Gen::new(bytes, false);
    let root = random.structure(3);
    let document = random.document(root, false);
    let service = random.service(root, bare_operation());
    let mut pairs = vec!["Action=Operation".to_owned(), "Version=2020-01-01".to_owned()];
    let top = Member {
        shape: root,
        ..plain_member()
    };
    if document != Document::empty() {
        form(
            &service,
            protocol == Protocol::Ec2Query,
            &top,
            "",
            &document,
            &mut pairs,
        );
    }
    // Neither the order nor the place of the parameters matters.
    pairs.reverse();
    let (query, body) = pairs.split_at(pairs.len() / 2);
    let body = body.join("&");
    let answer = Encoded {
        status: 200,
        headers: HeaderMap::new(),
        body: body.clone().into_bytes(),
    };
    let back = read(&service, protocol, &answer, "/", &query.join("&"));
    prop_assert!(
        back.as_ref().is_ok_and(|back| same(back, &document)),
        "{}\n{:?}\n{body}",
        show(&document),
        back.as_ref().map(show)
    );
    Ok(())
}

/// Two headers, a header of a list, a label and two query parameters, with a value for each.
fn bound(random: &mut Gen<'_>) -> (Vec<Member>, Vec<(&'static str, Document)>) {
    let places = [
        Location::Header,
        Location::Header,
        Location::Header,
        Location::Label,
        Location::Query,
        Location::Query,
    ];
    let (mut members, mut values) = (Vec::new(), Vec::new());
    for (index, (name, place)) in NAMES.into_iter().zip(places).enumerate() {
        let mut shape = random.shape(0);
        if index == 2 {
            let member = Member {
                shape,
                ..plain_member()
            };
            shape = random.add(Kind::List {
                member,
                flattened: false,
                sparse: false,
            });
        }
        values.push((name, carried(random.document(shape, true), place)));
        members.push(Member {
            name,
            shape,
            location: Some(place),
            ..plain_member()
        });
    }
    (members, values)
}

/// The value that is nearest to one and that its place can carry.
fn carried(value: Document, place: Location) -> Document {
    let plain = |text: String| text.replace(['\n', '\t'], "_");
    match value {
        // A header keeps no white space at its ends, and an empty label is none.
        Document::String(text) if place == Location::Header => {
            Document::String(plain(text).trim().to_owned())
        }
        Document::String(text) if text.is_empty() => Document::String("label".to_owned()),
        Document::List(items) => {
            let item = |item| match item {
                Document::String(text) => Document::String(plain(text)),
                // Nothing between two commas is no element.
                Document::Blob(bytes) if bytes.is_empty() => Document::Blob(vec![7]),
                other => other,
            };
            Document::List(items.into_iter().map(item).collect())
        }
        other => other,
    }
}

/// Scalars and lists of them in headers, labels and the query string.
fn through_bindings(bytes: &[u8]) -> Result<(), TestCaseError> {
    let mut random = Gen::new(bytes, false);
    let (members, values) = bound(&mut random);
    let root = random.add(Kind::Structure(Structure {
        members,
        ..Structure::default()
    }));
    let segments = vec![Segment::Literal("fixed"), Segment::Label(NAMES[3])];
    let uri = UriPattern {
        segments,
        query: Vec::new(),
    };
    let service = random.service(
        root,
        Operation {
            uri,
            ..bare_operation()
        },
    );
    let Kind::Structure(structure) = &service.shape(root).unwrap().kind else {
        panic!("not a structure")
    };
    let (mut path, mut query) = (String::from("/fixed"), Vec::new());
    for (member, (_, value)) in structure.members.iter().zip(&values) {
        // Labels and queries have `DateTime` as XML has, so the client's texts are right for them.
        let text = || percent(&scalar(&service, member, value));
        match member.location {
            Some(Location::Label) => path = format!("{path}/{}", text()),
            Some(Location::Query) => query.push(format!("{}={}", member.name, text())),
            _ => {}
        }
    }
    let answered = Document::Structure(values.iter().take(3).cloned().collect());
    let answer = encode(
        &service,
        &service.operations[0],
        Protocol::RestXml,
        &answered,
        "id",
    );
    let answer = answer.map_err(|fault| TestCaseError::fail(fault.source.unwrap().to_string()))?;
    let back = read(&service, Protocol::RestXml, &answer, &path, &query.join("&"));
    let document = Document::Structure(values);
    prop_assert!(
        back.as_ref().is_ok_and(|back| same(back, &document)),
        "{}\n{:?}\n{path}?{query:?} {:?}",
        show(&document),
        back.as_ref().map(show),
        answer.headers
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn json_1_0(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        there_and_back(&bytes, Protocol::AwsJson10)?;
    }

    #[test]
    fn json_1_1(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        there_and_back(&bytes, Protocol::AwsJson11)?;
    }

    #[test]
    fn rest_json(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        there_and_back(&bytes, Protocol::RestJson1)?;
    }

    #[test]
    fn rest_xml(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        there_and_back(&bytes, Protocol::RestXml)?;
    }

    #[test]
    fn cbor(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        there_and_back(&bytes, Protocol::RpcV2Cbor)?;
    }

    #[test]
    fn query_forms(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        through_a_form(&bytes, Protocol::AwsQuery)?;
    }

    #[test]
    fn ec2_forms(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        through_a_form(&bytes, Protocol::Ec2Query)?;
    }

    #[test]
    fn numbers_keep_every_bit(number in prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO) {
        for protocol in [Protocol::AwsJson10, Protocol::AwsJson11, Protocol::RestJson1, Protocol::RestXml, Protocol::RpcV2Cbor] {
            let mut shapes = Gen::new(&[], true);
            let shape = shapes.add(Kind::Float(64));
            let members = vec![Member { name: NAMES[0], shape, ..plain_member() }];
            let root = shapes.add(Kind::Structure(Structure { members, ..Structure::default() }));
            let service = shapes.service(root, bare_operation());
            let document = Document::Structure(vec![(NAMES[0], Document::Float(number))]);
            let answer = encode(&service, &service.operations[0], protocol, &document, "id");
            let answer = answer.map_err(|fault| TestCaseError::fail(fault.message))?;
            let back = read(&service, protocol, &answer, "/", "").map_err(TestCaseError::fail)?;
            let Some(Document::Float(back)) = back.member(NAMES[0]) else {
                return Err(TestCaseError::fail("the number is gone"));
            };
            prop_assert_eq!(back.to_bits(), number.to_bits(), "{:?}", protocol);
        }
    }

    #[test]
    fn bindings(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        through_bindings(&bytes)?;
    }
}
