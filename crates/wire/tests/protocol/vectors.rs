//! The published vectors: what a client sends must decode to its parameters, and what a result encodes to must be what
//! the client understands.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use wire::fault::Side;
use wire::model::{Kind, Protocol, Service, Shape, Structure};
use wire::protocol::{Encoded, Parts, decode, encode, encode_fault};
use wire::{Document, Fault};

use crate::excused::NOT_FOR_SERVERS;
use crate::model::service;
use crate::value::{document, same, show};
use crate::xml;

const FILES: &[(&str, &str, Protocol)] = &[
    (
        "awsJson1_0",
        include_str!("../vectors/awsJson1_0.json"),
        Protocol::AwsJson10,
    ),
    (
        "awsJson1_1",
        include_str!("../vectors/awsJson1_1.json"),
        Protocol::AwsJson11,
    ),
    (
        "awsQuery",
        include_str!("../vectors/awsQuery.json"),
        Protocol::AwsQuery,
    ),
    (
        "ec2Query",
        include_str!("../vectors/ec2Query.json"),
        Protocol::Ec2Query,
    ),
    (
        "restJson1",
        include_str!("../vectors/restJson1.json"),
        Protocol::RestJson1,
    ),
    (
        "restXml",
        include_str!("../vectors/restXml.json"),
        Protocol::RestXml,
    ),
    (
        "rpcv2Cbor",
        include_str!("../vectors/rpcv2Cbor.json"),
        Protocol::RpcV2Cbor,
    ),
];

/// Runs every case of a direction; returns the number that ran.
fn run(direction: &str, test: fn(&Value, &'static Service, Protocol) -> Result<(), String>) -> usize {
    let (mut ran, mut failures, mut excused) = (0, Vec::new(), BTreeSet::new());
    for (file, text, protocol) in FILES {
        for suite in serde_json::from_str::<Vec<Value>>(text).unwrap() {
            if suite["direction"] != direction {
                continue;
            }
            for case in suite["cases"].as_array().unwrap() {
                let id = format!("{file}/{direction}/{}", case["id"].as_str().unwrap());
                let outcome = test(case, service(&suite, case, *protocol), *protocol);
                ran += 1;
                match (outcome, NOT_FOR_SERVERS.iter().any(|(name, _)| *name == id)) {
                    (Ok(()), false) => {}
                    (Ok(()), true) => failures.push(format!("{id} passes: take it off the list")),
                    (Err(_), true) => drop(excused.insert(id)),
                    (Err(reason), false) => failures.push(format!("{id}: {reason:.900}")),
                }
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {ran} failed\n{}",
        failures.len(),
        failures.join("\n")
    );
    ran
}

#[test]
fn requests_of_clients_decode_to_their_parameters() {
    assert!(run("input", request) > 500);
}

#[test]
fn results_encode_to_what_clients_read() {
    assert!(run("output", response) > 450);
}

#[test]
fn every_excused_vector_exists() {
    for (name, reason) in NOT_FOR_SERVERS {
        let (file, id) = (name.split('/').next().unwrap(), name.rsplit('/').next().unwrap());
        let (_, text, _) = FILES.iter().find(|(name, ..)| *name == file).unwrap();
        assert!(
            text.contains(&format!("\"{id}\"")) && !reason.is_empty(),
            "{name}"
        );
    }
}

fn headers(value: &Value) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in value.as_object().into_iter().flatten() {
        let name: HeaderName = name.parse().unwrap();
        map.insert(name, HeaderValue::from_str(value.as_str().unwrap()).unwrap());
    }
    map
}

fn request(case: &Value, service: &'static Service, protocol: Protocol) -> Result<(), String> {
    let operation = &service.operations[0];
    let sent = &case["serialized"];
    let (path, query) = {
        let uri = sent["uri"].as_str().unwrap_or("/");
        uri.split_once('?').unwrap_or((uri, ""))
    };
    let body = match &sent["body"] {
        Value::String(text) if protocol == Protocol::RpcV2Cbor => BASE64.decode(text).unwrap(),
        Value::String(text) => text.as_bytes().to_vec(),
        // Older vectors of the query protocols give the pairs.
        Value::Object(pairs) => pairs
            .iter()
            .map(|(key, value)| format!("{}={}", percent(key), percent(value.as_str().unwrap())))
            .collect::<Vec<_>>()
            .join("&")
            .into_bytes(),
        _ => Vec::new(),
    };
    let headers = headers(&sent["headers"]);
    let parts = Parts {
        method: sent["method"].as_str().unwrap_or("POST"),
        path,
        query,
        headers: &headers,
        body: &body,
    };
    let expected = match operation.input.and_then(|id| service.shape(id)) {
        Some(shape) => document(service, shape, None, &case["params"]),
        None => Document::empty(),
    };
    match decode(service, operation, protocol, &parts) {
        Ok(decoded) if same(&decoded, &expected) => Ok(()),
        Ok(decoded) => Err(format!("\n  want {}\n  have {}", show(&expected), show(&decoded))),
        Err(fault) => Err(format!("\n  want {}\n  fault {}", show(&expected), fault.message)),
    }
}

/// Percent-encodes everything but letters and digits.
pub(crate) fn percent(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

fn response(case: &Value, service: &'static Service, protocol: Protocol) -> Result<(), String> {
    if case["error"].is_object() || case["errorCode"].is_string() {
        return error(case, service, protocol);
    }
    let operation = &service.operations[0];
    let output = match operation.output.and_then(|id| service.shape(id)) {
        Some(shape) => document(service, shape, None, &case["result"]),
        None => Document::empty(),
    };
    let answer = encode(service, operation, protocol, &output, "request")
        .map_err(|fault| fault.source.map_or(fault.message, |source| source.to_string()))?;
    let expected = &case["response"];
    if let Some(status) = expected["status_code"]
        .as_u64()
        .filter(|status| *status != u64::from(answer.status))
    {
        return Err(format!("status {} instead of {status}", answer.status));
    }
    same_headers(&headers(&expected["headers"]), &answer.headers)?;
    let streams = |shape: &Shape| match &shape.kind {
        Kind::Structure(structure) => structure
            .members
            .iter()
            .any(|member| matches!(output.member(member.name), Some(Document::Stream))),
        _ => false,
    };
    if operation
        .output
        .and_then(|id| service.shape(id))
        .is_some_and(streams)
    {
        return if answer.body.is_empty() {
            Ok(())
        } else {
            Err("a body beside the stream".to_owned())
        };
    }
    same_body(
        protocol,
        service,
        expected["body"].as_str().unwrap_or_default(),
        &answer,
    )
}

fn same_headers(expected: &HeaderMap, have: &HeaderMap) -> Result<(), String> {
    for (name, value) in expected {
        // The date, lengths and request ids are the listener's, the pipeline's or of no meaning here.
        if ["content-type", "content-length", "date"].contains(&name.as_str())
            || name.as_str().contains("requestid")
        {
            continue;
        }
        let plain = |value: &HeaderValue| {
            let text = String::from_utf8(value.as_bytes().to_vec())
                .unwrap()
                .replace("+00:00", "Z");
            text.split(',')
                .map(|part| part.trim().to_owned())
                .collect::<Vec<_>>()
        };
        if have.get(name).map(plain) != Some(plain(value)) {
            return Err(format!(
                "header {name}: want {value:?}, have {:?}",
                have.get(name)
            ));
        }
    }
    Ok(())
}

fn same_body(
    protocol: Protocol,
    service: &'static Service,
    expected: &str,
    answer: &Encoded,
) -> Result<(), String> {
    let have = String::from_utf8_lossy(&answer.body).into_owned();
    let differ = || format!("\n  want {expected}\n  have {have}");
    let same = match protocol {
        Protocol::RpcV2Cbor => {
            let operation = &service.operations[0];
            let read = |bytes: &[u8]| {
                let headers = HeaderMap::new();
                let parts = Parts {
                    method: "POST",
                    path: "/",
                    query: "",
                    headers: &headers,
                    body: bytes,
                };
                let twin = wire::model::Operation {
                    input: operation.output,
                    ..super::model::bare_operation()
                };
                decode(service, &twin, protocol, &parts).map_err(|fault| fault.message)
            };
            same(&read(&BASE64.decode(expected).unwrap())?, &read(&answer.body)?)
        }
        Protocol::AwsQuery | Protocol::Ec2Query | Protocol::RestXml if have.trim_start().starts_with('<') => {
            let strip = |node: xml::Node| {
                node.without("ResponseMetadata")
                    .without("requestId")
                    .without("RequestId")
            };
            let (mut want, mut have) = (strip(xml::parse(expected)), strip(xml::parse(&have)));
            if want.name.is_empty() {
                // The vector has no body at all, where we wrap nothing.
                have = strip_empty(have);
            }
            want.text.clear();
            have.text.clear();
            want.name.clone_from(&have.name);
            want == have
        }
        _ => match (
            serde_json::from_str::<Value>(expected),
            serde_json::from_str::<Value>(&have),
        ) {
            (Ok(want), Ok(have)) => same_value(&want, &have),
            // An operation without output answers nothing, or an empty object: clients take both.
            (Err(_), Ok(Value::Object(members))) if expected.is_empty() => members.is_empty(),
            (Ok(Value::Object(members)), Err(_)) if have.is_empty() => members.is_empty(),
            _ => expected == have,
        },
    };
    if same { Ok(()) } else { Err(differ()) }
}

fn strip_empty(mut node: xml::Node) -> xml::Node {
    node.children
        .retain(|child| !child.children.is_empty() || !child.text.is_empty());
    node
}

fn same_value(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, value)| right.get(key).is_some_and(|other| same_value(value, other)))
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|(left, right)| same_value(left, right))
        }
        (Value::Number(left), Value::Number(right)) => left.as_f64() == right.as_f64(),
        (Value::String(left), Value::String(right)) => left.replace("+00:00", "Z") == *right,
        _ => left == right,
    }
}

fn error(case: &Value, service: &'static Service, protocol: Protocol) -> Result<(), String> {
    let code = case["errorCode"].as_str().unwrap();
    let named = |shape: &&Shape| match &shape.kind {
        Kind::Structure(structure) => structure
            .error
            .as_ref()
            .is_some_and(|error| shape.name == code || error.code == code),
        _ => false,
    };
    let message = case["errorMessage"].as_str().unwrap_or_default();
    let shape = service.shapes.iter().find(named);
    let expected = &case["response"];
    let status = u16::try_from(expected["status_code"].as_u64().unwrap()).unwrap();
    let (fault, spelled) = match shape {
        Some(shape) => modeled(service, shape, message, &case["error"], protocol),
        None => (Fault::plain(crate::model::leak(code), status, message), code),
    };
    let answer = encode_fault(Some(service), protocol, &fault, "foo-id");
    // Clients of query-compatible services are shown 400 whatever the model says.
    if !service.query_compatible && status != answer.status {
        return Err(format!("status {}", answer.status));
    }
    same_headers(&headers(&expected["headers"]), &answer.headers)?;
    let (have_code, have_message, body) = error_body(protocol, &answer);
    if have_code != spelled || have_message != message {
        return Err(format!("{have_code}: {have_message}"));
    }
    let members = expected["body"]
        .as_str()
        .filter(|_| !matches!(protocol, Protocol::RpcV2Cbor))
        .unwrap_or("");
    if let Ok(Value::Object(members)) = serde_json::from_str(members) {
        for (name, value) in members.iter().filter(|(name, _)| *name != "__type") {
            if body.get(name) != Some(value) {
                return Err(format!("member {name}: {body}"));
            }
        }
    }
    Ok(())
}

/// A fault of the model, and its code on the wire.
fn modeled(
    service: &'static Service,
    shape: &Shape,
    message: &str,
    members: &Value,
    protocol: Protocol,
) -> (Fault, &'static str) {
    let Kind::Structure(Structure {
        error: Some(error), ..
    }) = &shape.kind
    else {
        panic!("{}", shape.name)
    };
    let side = if error.sender {
        Side::Sender
    } else {
        Side::Receiver
    };
    let mut fault = Fault::modeled(shape.name, error.code, error.status, side, message);
    if let Document::Structure(members) = document(service, shape, None, members) {
        fault.members = members;
    }
    (
        fault,
        if protocol_is_json(protocol) {
            shape.name
        } else {
            error.code
        },
    )
}

const fn protocol_is_json(protocol: Protocol) -> bool {
    !matches!(
        protocol,
        Protocol::AwsQuery | Protocol::Ec2Query | Protocol::RestXml
    )
}

/// The code, the message and the JSON body of an error, as a client reads them.
pub(crate) fn error_body(protocol: Protocol, answer: &Encoded) -> (String, String, Value) {
    let short = |name: &str| name.rsplit('#').next().unwrap_or_default().to_owned();
    match protocol {
        Protocol::AwsQuery | Protocol::RestXml | Protocol::Ec2Query => {
            let root = xml::parse(std::str::from_utf8(&answer.body).unwrap());
            let error = match protocol {
                Protocol::Ec2Query => root
                    .child("Errors")
                    .and_then(|errors| errors.child("Error"))
                    .unwrap()
                    .clone(),
                _ if root.name == "Error" => root.clone(),
                _ => root.child("Error").unwrap().clone(),
            };
            let text = |name| {
                error
                    .child(name)
                    .map(|node| node.text.clone())
                    .unwrap_or_default()
            };
            (text("Code"), text("Message"), Value::Null)
        }
        Protocol::RpcV2Cbor => {
            let mut decoder = minicbor::Decoder::new(&answer.body);
            let (mut code, mut message) = (String::new(), String::new());
            for _ in 0..decoder.map().unwrap().unwrap() {
                match decoder.str().unwrap() {
                    "__type" => code = short(decoder.str().unwrap()),
                    "message" | "Message" => decoder.str().unwrap().clone_into(&mut message),
                    _ => decoder.skip().unwrap(),
                }
            }
            (code, message, Value::Null)
        }
        _ => {
            let body: Value = serde_json::from_slice(&answer.body).unwrap();
            let header = answer
                .headers
                .get("x-amzn-errortype")
                .map(|value| value.to_str().unwrap().to_owned());
            let code = header.unwrap_or_else(|| short(body["__type"].as_str().unwrap()));
            let message = body["message"]
                .as_str()
                .or(body["Message"].as_str())
                .unwrap_or_default()
                .to_owned();
            (code, message, body)
        }
    }
}
