//! Bytes that no client sends: every decoder refuses them, quickly and without a panic.

use std::io::Write;

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use wire::fault::{Code, Common};
use wire::model::{Kind, Location, Member, Operation, Protocol, Service, ShapeId, Structure};
use wire::protocol::{Parts, decode};
use wire::{Document, Fault};

use crate::model::{bare_operation, bare_service, pattern, plain_member};
use crate::random::Gen;
use crate::value::{same, show};

const BODIES: [Protocol; 7] = [
    Protocol::AwsJson10,
    Protocol::AwsJson11,
    Protocol::AwsQuery,
    Protocol::Ec2Query,
    Protocol::RestJson1,
    Protocol::RestXml,
    Protocol::RpcV2Cbor,
];

fn try_decode(service: &Service, protocol: Protocol, body: &[u8]) -> Result<Document, Fault> {
    let headers = HeaderMap::new();
    let parts = Parts {
        method: "POST",
        path: "/",
        query: "",
        headers: &headers,
        body,
    };
    decode(service, &service.operations[0], protocol, &parts)
}

fn shape(name: &'static str, kind: Kind) -> wire::model::Shape {
    wire::model::Shape {
        name,
        kind,
        min: None,
        max: None,
        pattern: None,
        sensitive: false,
    }
}

/// A structure that holds itself, a list of itself, a map of itself and one scalar of each type.
fn recursive() -> Service {
    let of = |name, shape| Member {
        name,
        shape: ShapeId(shape),
        ..plain_member()
    };
    let root = Structure {
        members: vec![
            of("self", 0),
            of("list", 1),
            of("map", 2),
            of("text", 3),
            of("number", 4),
            of("flag", 5),
            of("blob", 6),
            of("at", 7),
            of("float", 8),
            of("any", 9),
        ],
        ..Structure::default()
    };
    let shapes = vec![
        shape("Root", Kind::Structure(root)),
        shape(
            "List",
            Kind::List {
                member: of("member", 0),
                flattened: false,
                sparse: false,
            },
        ),
        shape(
            "Map",
            Kind::Map {
                key: of("key", 3),
                value: of("value", 0),
                flattened: false,
                sparse: false,
            },
        ),
        shape("Text", Kind::String { values: Vec::new() }),
        shape("Number", Kind::Integer(32)),
        shape("Flag", Kind::Boolean),
        shape("Blob", Kind::Blob),
        shape("At", Kind::Timestamp(None)),
        shape("Float", Kind::Float(64)),
        shape("Any", Kind::Untyped),
    ];
    let operation = Operation {
        input: Some(ShapeId(0)),
        ..bare_operation()
    };
    Service {
        operations: vec![operation],
        shapes,
        ..bare_service()
    }
}

fn refused(protocol: Protocol, body: &[u8]) -> String {
    match try_decode(&recursive(), protocol, body) {
        Ok(document) => panic!("{protocol:?} took {}", show(&document)),
        Err(fault) => {
            assert!(
                matches!(fault.code, Code::Common(Common::Malformed)),
                "{protocol:?}"
            );
            fault.message
        }
    }
}

fn taken(protocol: Protocol, body: &[u8]) -> Document {
    try_decode(&recursive(), protocol, body).unwrap_or_else(|fault| panic!("{}", fault.message))
}

#[test]
fn a_json_body_is_utf_8_to_its_end() {
    for body in [
        &b"{\"text\": \"\xff\"}"[..],
        b"{\"unknown\": \"\xc3\x28\"}",
        b"{}\xff",
    ] {
        assert!(refused(Protocol::AwsJson11, body).starts_with("The request body is not valid JSON"));
    }
    taken(Protocol::AwsJson11, "{\"unknown\": \"\u{e4}\"}".as_bytes());
}

#[test]
fn wrong_types_in_json_have_the_messages_of_aws() {
    let cases = [
        (r#"{"text": 1}"#, "NUMBER_VALUE can not be converted to a String"),
        (r#"{"text": true}"#, "TRUE_VALUE can not be converted to a String"),
        (
            r#"{"text": {}}"#,
            "Start of structure or map found where not expected.",
        ),
        (r#"{"text": []}"#, "Start of list found where not expected"),
        (
            r#"{"number": "1"}"#,
            "STRING_VALUE can not be converted to an Integer",
        ),
        (
            r#"{"number": 2147483648}"#,
            "NUMBER_VALUE can not be converted to an Integer",
        ),
        (
            r#"{"number": 1.5}"#,
            "NUMBER_VALUE can not be converted to an Integer",
        ),
        (
            r#"{"flag": "true"}"#,
            "STRING_VALUE can not be converted to a Boolean",
        ),
        (
            r#"{"at": "today"}"#,
            "STRING_VALUE can not be converted to milliseconds since epoch",
        ),
        (
            r#"{"at": 1e300}"#,
            "NUMBER_VALUE can not be converted to milliseconds since epoch",
        ),
        (r#"{"blob": "%%"}"#, "Invalid Base64"),
        (
            r#"{"list": {}}"#,
            "Start of structure or map found where not expected.",
        ),
        (r#"{"list": [null]}"#, "Unexpected value type in payload"),
        (r#"{"map": {"a": null}}"#, "Unexpected value type in payload"),
        (r#"{"self": "x"}"#, "Unexpected value type in payload"),
        ("[]", "Unexpected value type in payload"),
    ];
    for (body, message) in cases {
        assert_eq!(refused(Protocol::AwsJson11, body.as_bytes()), message, "{body}");
    }
    for body in [
        "{",
        "{\"text\": \"\\ud800\"}",
        "{} {}",
        "\u{feff}{}",
        "{\"text\": \"\u{1}\"}",
    ] {
        refused(Protocol::AwsJson11, body.as_bytes());
    }
}

#[test]
fn names_that_come_twice_have_one_value_the_last() {
    let json = taken(
        Protocol::AwsJson11,
        br#"{"text": "a", "text": "b", "map": {"k": {}, "k": {"text": "x"}}}"#,
    );
    assert_eq!(json.member("text").and_then(Document::as_str), Some("b"));
    let inner = Document::Structure(vec![("text", Document::String("x".into()))]);
    assert!(same(
        json.member("map").unwrap(),
        &Document::Map(vec![("k".into(), inner)])
    ));
    let cbor = taken(Protocol::RpcV2Cbor, b"\xa2\x64text\x61a\x64text\x61b");
    assert!(cbor == Document::Structure(vec![("text", Document::String("b".into()))]));
}

#[test]
fn deep_nesting_is_refused_in_every_protocol() {
    let deep = 100_000;
    let json = format!("{}{{}}{}", "{\"self\":".repeat(deep), "}".repeat(deep));
    refused(Protocol::AwsJson10, json.as_bytes());
    refused(
        Protocol::RestJson1,
        format!("{{\"any\":{}", "[".repeat(deep)).as_bytes(),
    );
    refused(
        Protocol::RestXml,
        format!("<r>{}", "<self>".repeat(deep)).as_bytes(),
    );
    refused(
        Protocol::AwsQuery,
        format!("{}text=1", "self.".repeat(deep)).as_bytes(),
    );
    refused(
        Protocol::Ec2Query,
        format!("{}Text=1", "Self.".repeat(deep)).as_bytes(),
    );
    refused(Protocol::RpcV2Cbor, &b"\xa1\x64self".repeat(deep));
    let mut any = b"\xa1\x63any".to_vec();
    any.extend(std::iter::repeat_n(0x81, deep));
    refused(Protocol::RpcV2Cbor, &any);
}

#[test]
fn lengths_that_lie_allocate_nothing() {
    for head in [0x9b_u8, 0xbb, 0x5b, 0x7b] {
        for name in [
            b"\xa1\x64list".as_slice(),
            b"\xa1\x63map",
            b"\xa1\x64blob",
            b"\xa1\x64text",
            b"\xa1\x63any",
        ] {
            let mut body = name.to_vec();
            body.push(head);
            body.extend([0xff; 8]);
            refused(Protocol::RpcV2Cbor, &body);
        }
    }
}

#[test]
fn cbor_in_its_rarer_forms_is_understood() {
    let whole = |name, value| Document::Structure(vec![(name, value)]);
    let cases: [(&[u8], Document); 8] = [
        (
            b"\xbf\x64text\x7f\x61a\x61b\xff\xff",
            whole("text", Document::String("ab".into())),
        ),
        (
            b"\xa1\x64blob\x5f\x41a\x41b\xff",
            whole("blob", Document::Blob(b"ab".to_vec())),
        ),
        (b"\xa1\x65float\xf9\x3e\x00", whole("float", Document::Float(1.5))),
        (
            b"\xa1\x65float\xf9\x7c\x00",
            whole("float", Document::Float(f64::INFINITY)),
        ),
        (
            b"\xa1\x65float\xf9\x00\x01",
            whole("float", Document::Float(2f64.powi(-24))),
        ),
        (
            b"\xa1\x62at\xc1\xfa\x3f\xc0\x00\x00",
            whole("at", Document::Timestamp(wire::Timestamp(1500))),
        ),
        (
            b"\xa1\x64list\x9f\xa0\xff",
            whole("list", Document::List(vec![Document::empty()])),
        ),
        (b"\xa2\x64text\xf6\x67unknown\x82\x01\x02", Document::empty()),
    ];
    for (body, expected) in cases {
        let have = taken(Protocol::RpcV2Cbor, body);
        assert!(have == expected, "{}", show(&have));
    }
    for body in [
        b"\xa1\x62at\x01".as_slice(),
        b"\xa1\x62at\xc2\x01",
        b"\xa0\x00",
        b"\xa1\x66number\xfb\x3f\xf8\0\0\0\0\0\0",
        b"\x01",
    ] {
        refused(Protocol::RpcV2Cbor, body);
    }
}

#[test]
fn xml_expands_nothing() {
    for body in [
        "<!DOCTYPE r [<!ENTITY a \"b\">]><r><text>&a;</text></r>",
        "<!DOCTYPE r SYSTEM \"file:///etc/passwd\"><r/>",
        "<r><text>&undefined;</text></r>",
        "<r><text>&#0;</text></r>",
        "<r><text>a</r></text>",
        "<r/><r/>",
        "<r/>text",
        "<r><number> 1 2 </number></r>",
        "<r><list><other/></list></r>",
    ] {
        refused(Protocol::RestXml, body.as_bytes());
    }
    let known = taken(
        Protocol::RestXml,
        b"<r><text>&lt;&#x41;<![CDATA[&b]]></text><number> 7 </number><x/></r>",
    );
    let text = ("text", Document::String("<A&b".into()));
    assert!(same(
        &known,
        &Document::Structure(vec![text, ("number", Document::Integer(7))])
    ));
}

#[test]
fn forms_are_read_strictly() {
    for body in [
        "flag=True",
        "number=1.0",
        "number=",
        "list.member.x.text=a",
        "list.member.01.text=a",
        "list.1.text=a",
        "list=a",
        "map.entry.1.value.text=a",
        "text=%zz",
        "text=%ff",
        "text.member.1=a",
        "at=yesterday",
    ] {
        refused(Protocol::AwsQuery, body.as_bytes());
    }
    let gaps = taken(
        Protocol::AwsQuery,
        b"list.member.10.text=b&list.member.4000000000.text=c&list.member.9.text=a+%2B",
    );
    let item = |text: &str| Document::Structure(vec![("text", Document::String(text.into()))]);
    assert!(same(
        gaps.member("list").unwrap(),
        &Document::List(vec![item("a +"), item("b"), item("c")])
    ));
    assert!(
        taken(Protocol::AwsQuery, b"list=")
            == Document::Structure(vec![("list", Document::List(Vec::new()))])
    );
}

#[test]
fn a_flood_of_parameters_is_refused() {
    refused(Protocol::AwsQuery, "a=1&".repeat(60_000).as_bytes());
}

#[test]
fn compressed_bodies_unfold_within_bounds() {
    let service = recursive();
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let mut headers = HeaderMap::new();
    headers.insert("content-encoding", HeaderValue::from_static("gzip"));
    let run = |body: &[u8]| {
        let parts = Parts {
            method: "POST",
            path: "/",
            query: "",
            headers: &headers,
            body,
        };
        decode(&service, &service.operations[0], Protocol::AwsJson11, &parts)
    };
    let read = run(&gzip(b"{\"text\": \"x\"}")).ok().unwrap();
    assert_eq!(read.member("text").and_then(Document::as_str), Some("x"));
    assert!(matches!(
        run(b"{}").err().unwrap().code,
        Code::Common(Common::Malformed)
    ));
    let bomb = gzip(&vec![b' '; 20 << 20]);
    let bombs = gzip(&vec![b' '; 9 << 20]).repeat(2);
    for bomb in [bomb, bombs] {
        assert!(matches!(
            run(&bomb).err().unwrap().code,
            Code::Common(Common::TooLarge)
        ));
    }
    // RFC 1952, section 2.2: a gzip file is a series of members.
    let members = [gzip(b"{\"text\": "), gzip(b""), gzip(b"\"xy\"}")].concat();
    let read = run(&members).ok().unwrap();
    assert_eq!(read.member("text").and_then(Document::as_str), Some("xy"));
    for rest in [&b"{}"[..], b"\0", &members[..12], &members[..members.len() - 1]] {
        let body = [&gzip(b"{\"text\": \"x\"}"), rest].concat();
        let refused = run(&body).err().map(|fault| fault.code);
        assert!(
            matches!(refused, Some(Code::Common(Common::Malformed))),
            "{rest:?}"
        );
    }
}

#[test]
fn unions_have_one_member() {
    let mut service = recursive();
    let Kind::Structure(root) = &mut service.shapes[0].kind else {
        panic!("not a structure")
    };
    root.union = true;
    let fault = try_decode(&service, Protocol::AwsJson11, br#"{"text": "a", "number": 1}"#)
        .err()
        .unwrap();
    assert!(fault.message.contains("more than one"), "{}", fault.message);
    assert!(try_decode(&service, Protocol::AwsJson11, br#"{"text": "a", "number": null}"#).is_ok());
}

#[test]
fn an_escaped_slash_stays_in_its_label() {
    let label = |name| Member {
        name,
        location: Some(Location::Label),
        ..plain_member()
    };
    let root = Structure {
        members: vec![label("Bucket"), label("Key")],
        ..Structure::default()
    };
    let shapes = vec![
        shape("Text", Kind::String { values: Vec::new() }),
        shape("Root", Kind::Structure(root)),
    ];
    let operation = Operation {
        input: Some(ShapeId(1)),
        uri: pattern("/{Bucket}/{Key+}"),
        ..bare_operation()
    };
    let service = Service {
        operations: vec![operation],
        shapes,
        ..bare_service()
    };
    let headers = HeaderMap::new();
    let parts = Parts {
        method: "GET",
        path: "/a%2Fb/c//d+%20",
        query: "",
        headers: &headers,
        body: b"",
    };
    let read = decode(&service, &service.operations[0], Protocol::RestXml, &parts)
        .ok()
        .unwrap();
    assert_eq!(read.member("Bucket").and_then(Document::as_str), Some("a/b"));
    assert_eq!(read.member("Key").and_then(Document::as_str), Some("c//d+ "));
}

#[test]
fn no_answer_starts_a_header_of_its_own() {
    let member = Member {
        name: "Out",
        location: Some(Location::Header),
        ..plain_member()
    };
    let root = Structure {
        members: vec![member],
        ..Structure::default()
    };
    let shapes = vec![
        shape("Text", Kind::String { values: Vec::new() }),
        shape("Root", Kind::Structure(root)),
    ];
    let operation = Operation {
        output: Some(ShapeId(1)),
        ..bare_operation()
    };
    let service = Service {
        operations: vec![operation],
        shapes,
        ..bare_service()
    };
    let output = Document::Structure(vec![("Out", Document::String("a\r\nSet-Cookie: b".into()))]);
    let answer = wire::protocol::encode(
        &service,
        &service.operations[0],
        Protocol::RestJson1,
        &output,
        "id",
    );
    assert!(matches!(
        answer.err().unwrap().code,
        Code::Common(Common::Internal)
    ));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(
        model in prop::collection::vec(any::<u8>(), 0..120),
        body in prop::collection::vec(any::<u8>(), 0..200),
        path in "\\PC{0,20}",
        query in "\\PC{0,40}",
        header in prop::collection::vec(any::<u8>(), 0..30),
    ) {
        let mut random = Gen::new(&model, true);
        let root = random.structure(3);
        let service = random.service(root, bare_operation());
        let mut headers = HeaderMap::new();
        for name in ["alpha", "beta", "x-zeta"] {
            if let Ok(value) = HeaderValue::from_bytes(&header) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        for protocol in BODIES {
            for service in [&service, &recursive()] {
                let parts = Parts { method: "POST", path: &path, query: &query, headers: &headers, body: &body };
                let _ = decode(service, &service.operations[0], protocol, &parts);
            }
        }
    }

    /// Bytes that are nearly right reach deeper than random ones.
    #[test]
    fn damaged_bodies_never_panic(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let bodies: [(Protocol, &[u8]); 6] = [
            (Protocol::AwsJson11, br#"{"self":{"list":[{"text":"a\u00e9","at":1.5}],"map":{"k":{}}},"blob":"YWI=","any":[1,{"a":null}]}"#),
            (Protocol::RestXml, b"<r a='b'><self><list><member><text>a&amp;&#x41;</text></member></list></self><at>2020-01-01T00:00:00Z</at></r>"),
            (Protocol::AwsQuery, b"self.list.member.1.text=a%20b&map.entry.1.key=k&map.entry.1.value.number=1&at=2020-01-01T00%3A00%3A00Z"),
            (Protocol::Ec2Query, b"Self.List.1.Text=a%20b&Map.1.key=k&Map.1.value.number=1"),
            (Protocol::RpcV2Cbor, b"\xa3\x64self\xbf\x64list\x81\xa1\x64text\x61a\xff\x62at\xc1\xfb\x3f\xf8\0\0\0\0\0\0\x63any\x82\xf6\xf9\x3c\x00"),
            (Protocol::RestJson1, br#"{"float":"NaN","number":-5,"flag":true}"#),
        ];
        for (protocol, body) in bodies {
            let mut body = body.to_vec();
            let at = at.index(body.len());
            if cut { body.truncate(at) } else { body[at] = byte }
            let _ = try_decode(&recursive(), protocol, &body);
        }
    }
}
