//! A plain client of every protocol: a document becomes an unsigned HTTP request, by the model.
//!
//! Invariant: nothing of the server's codecs is used, so that the two sides judge each other.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue};
use minicbor::Encoder;
use minicbor::data::Tag;
use serde_json::{Map, Value};
use wire::Document;
use wire::model::{
    Kind, Location, Member, Operation, Protocol, Segment, Service, Structure, TimestampFormat,
};
use wire::sigv4::percent_encode;

/// A request, not signed yet.
#[derive(Clone)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Request {
    fn new(method: &str) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("127.0.0.1:4566"));
        Self {
            method: method.to_owned(),
            path: "/".to_owned(),
            query: String::new(),
            headers,
            body: Bytes::new(),
        }
    }

    fn typed(mut self, kind: &'static str, body: impl Into<Bytes>) -> Self {
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        self.body = body.into();
        self
    }

    fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, HeaderValue::from_str(value).unwrap());
        self
    }
}

/// The request of an operation with `input`, a structure of the operation's input shape.
pub fn request(service: &Service, operation: &Operation, protocol: Protocol, input: &Document) -> Request {
    match protocol {
        Protocol::AwsJson10 | Protocol::AwsJson11 => {
            let kind = if protocol == Protocol::AwsJson10 {
                "application/x-amz-json-1.0"
            } else {
                "application/x-amz-json-1.1"
            };
            let body = root_json(service, operation, input, |_| true).to_string();
            let target = format!("{}.{}", service.target_prefixes[0], operation.name);
            Request::new("POST")
                .header("x-amz-target", &target)
                .typed(kind, body)
        }
        Protocol::AwsQuery | Protocol::Ec2Query => {
            let mut form = vec![
                format!("Action={}", operation.name),
                format!("Version={}", service.api_version),
            ];
            if let Some(root) = operation.input.filter(|_| *input != Document::empty()) {
                let top = plain(root);
                Form {
                    service,
                    ec2: protocol == Protocol::Ec2Query,
                }
                .value(&top, "", input, &mut form);
            }
            Request::new("POST").typed("application/x-www-form-urlencoded; charset=utf-8", form.join("&"))
        }
        Protocol::RpcV2Cbor => {
            let mut out = Encoder::new(Vec::new());
            match operation.input {
                Some(root) => cbor(service, &plain(root), input, &mut out),
                None => drop(out.map(0).unwrap()),
            }
            let mut request = Request::new("POST").header("smithy-protocol", "rpc-v2-cbor");
            request.path = format!("/service/{}/operation/{}", rpc_name(service), operation.name);
            request.typed("application/cbor", out.into_writer())
        }
        Protocol::RestJson1 | Protocol::RestXml => rest(service, operation, protocol, input),
    }
}

/// The name in RPC paths: the target prefix without its namespace, as clients spell the service's shape.
fn rpc_name(service: &Service) -> &'static str {
    service.target_prefixes.first().copied().unwrap_or_default()
}

const fn plain(shape: wire::model::ShapeId) -> Member {
    Member {
        name: "",
        wire_name: None,
        query_name: None,
        shape,
        required: false,
        location: None,
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

fn structure<'a>(service: &'a Service, operation: &Operation) -> Option<&'a Structure> {
    match &service.shape(operation.input?)?.kind {
        Kind::Structure(structure) => Some(structure),
        _ => None,
    }
}

fn member<'a>(structure: &'a Structure, name: &str) -> &'a Member {
    structure
        .members
        .iter()
        .find(|member| member.name == name)
        .unwrap_or_else(|| panic!("{name} is no member of the shape"))
}

/// A simple value as query strings, labels, headers and forms have it; nothing for what has no text.
fn text(value: &Document) -> String {
    match value {
        Document::Boolean(value) => value.to_string(),
        Document::Integer(value) => value.to_string(),
        Document::Float(value) => value.to_string(),
        Document::String(value) => value.clone(),
        Document::Blob(bytes) => STANDARD.encode(bytes),
        Document::Timestamp(at) => at.iso8601(),
        _ => String::new(),
    }
}

fn root_json(
    service: &Service,
    operation: &Operation,
    input: &Document,
    shown: impl Fn(&Member) -> bool,
) -> Value {
    let (Some(structure), Document::Structure(values)) = (structure(service, operation), input) else {
        return Value::Object(Map::new());
    };
    let shown = values
        .iter()
        .map(|(name, value)| (member(structure, name), value))
        .filter(|(member, _)| shown(member));
    shown
        .map(|(member, value)| {
            (
                member.wire_name.unwrap_or(member.name).to_owned(),
                json(service, member, value),
            )
        })
        .collect()
}

fn json(service: &Service, of: &Member, value: &Document) -> Value {
    let shape = service.shape(of.shape).unwrap();
    match (&shape.kind, value) {
        (Kind::Structure(structure), Document::Structure(values)) => {
            let pairs = values
                .iter()
                .map(|(name, value)| (member(structure, name), value));
            pairs
                .map(|(member, value)| {
                    (
                        member.wire_name.unwrap_or(member.name).to_owned(),
                        json(service, member, value),
                    )
                })
                .collect()
        }
        (Kind::List { member, .. }, Document::List(items)) => {
            items.iter().map(|item| json(service, member, item)).collect()
        }
        (Kind::Map { value: member, .. }, Document::Map(entries)) => entries
            .iter()
            .map(|(key, value)| (key.clone(), json(service, member, value)))
            .collect(),
        (Kind::Timestamp(format), Document::Timestamp(at)) => match of.timestamp_format.or(*format) {
            Some(TimestampFormat::DateTime) => Value::from(at.iso8601()),
            _ => Value::from(at.seconds()),
        },
        (_, Document::Boolean(value)) => Value::from(*value),
        (_, Document::Integer(value)) => Value::from(*value),
        (_, Document::Float(value)) => Value::from(*value),
        (_, Document::Null) => Value::Null,
        (_, simple) => Value::from(text(simple)),
    }
}

fn cbor(service: &Service, of: &Member, value: &Document, out: &mut Encoder<Vec<u8>>) {
    let shape = service.shape(of.shape).unwrap();
    let length = |length: usize| u64::try_from(length).unwrap();
    match (&shape.kind, value) {
        (Kind::Structure(structure), Document::Structure(values)) => {
            out.map(length(values.len())).unwrap();
            for (name, value) in values {
                out.str(name).unwrap();
                cbor(service, member(structure, name), value, out);
            }
        }
        (Kind::List { member, .. }, Document::List(items)) => {
            out.array(length(items.len())).unwrap();
            items.iter().for_each(|item| cbor(service, member, item, out));
        }
        (Kind::Map { value: member, .. }, Document::Map(entries)) => {
            out.map(length(entries.len())).unwrap();
            for (key, value) in entries {
                out.str(key).unwrap();
                cbor(service, member, value, out);
            }
        }
        (_, Document::Boolean(value)) => drop(out.bool(*value).unwrap()),
        (_, Document::Integer(value)) => drop(out.i64(*value).unwrap()),
        (_, Document::Float(value)) => drop(out.f64(*value).unwrap()),
        (_, Document::Blob(bytes)) => drop(out.bytes(bytes).unwrap()),
        (_, Document::Timestamp(at)) => drop(out.tag(Tag::new(1)).unwrap().i64(at.seconds()).unwrap()),
        (_, Document::Null) => drop(out.null().unwrap()),
        (_, simple) => drop(out.str(&text(simple)).unwrap()),
    }
}

/// The form of a query protocol.
struct Form<'a> {
    service: &'a Service,
    ec2: bool,
}

impl Form<'_> {
    fn value(&self, of: &Member, name: &str, value: &Document, out: &mut Vec<String>) {
        let shape = self.service.shape(of.shape).unwrap();
        let below = |step: &str| {
            if name.is_empty() {
                step.to_owned()
            } else {
                format!("{name}.{step}")
            }
        };
        match (&shape.kind, value) {
            (Kind::Structure(structure), Document::Structure(values)) => {
                for (name, value) in values {
                    let member = member(structure, name);
                    self.value(member, &below(&self.spelled(member)), value, out);
                }
            }
            (
                Kind::List {
                    member, flattened, ..
                },
                Document::List(items),
            ) => {
                let flat = self.ec2 || *flattened || of.flattened;
                let base = if flat {
                    name.to_owned()
                } else {
                    below(member.wire_name.unwrap_or("member"))
                };
                if items.is_empty() {
                    out.push(format!("{name}="));
                }
                for (place, item) in items.iter().enumerate() {
                    self.value(member, &format!("{base}.{}", place + 1), item, out);
                }
            }
            (
                Kind::Map {
                    key,
                    value: member,
                    flattened,
                    ..
                },
                Document::Map(entries),
            ) => {
                let flat = self.ec2 || *flattened || of.flattened;
                let base = if flat { name.to_owned() } else { below("entry") };
                if entries.is_empty() {
                    out.push(format!("{name}="));
                }
                for (place, (text, value)) in entries.iter().enumerate() {
                    let base = format!("{base}.{}", place + 1);
                    out.push(format!(
                        "{base}.{}={}",
                        key.wire_name.unwrap_or("key"),
                        percent_encode(text)
                    ));
                    self.value(
                        member,
                        &format!("{base}.{}", member.wire_name.unwrap_or("value")),
                        value,
                        out,
                    );
                }
            }
            (_, simple) => out.push(format!("{name}={}", percent_encode(&text(simple)))),
        }
    }

    fn spelled(&self, member: &Member) -> String {
        let plain = member.wire_name.unwrap_or(member.name);
        if !self.ec2 {
            return plain.to_owned();
        }
        let mut letters = member.query_name.unwrap_or(plain).chars();
        letters
            .next()
            .map(|first| first.to_ascii_uppercase())
            .into_iter()
            .chain(letters)
            .collect()
    }
}

fn rest(service: &Service, operation: &Operation, protocol: Protocol, input: &Document) -> Request {
    let mut request = Request::new(operation.method);
    // A path belongs to many services, so that a client's host tells which.
    let host = format!("{}.eu-central-1.amazonaws.com", service.endpoint_prefix);
    request
        .headers
        .insert(HOST, HeaderValue::from_str(&host).unwrap());
    let empty = Structure::default();
    let structure = structure(service, operation).unwrap_or(&empty);
    let wire = |member: &Member| member.wire_name.unwrap_or(member.name);
    let label = |name: &str| {
        let member = structure.members.iter().find(|member| wire(member) == name);
        member
            .and_then(|member| input.member(member.name))
            .map_or_else(|| "label".to_owned(), text)
    };
    let mut path = String::new();
    for segment in &operation.uri.segments {
        path.push('/');
        path.push_str(&match segment {
            Segment::Literal(literal) => (*literal).to_owned(),
            Segment::Label(name) => percent_encode(&label(name)),
            Segment::Greedy(name) => label(name)
                .split('/')
                .map(percent_encode)
                .collect::<Vec<_>>()
                .join("/"),
        });
    }
    if !path.is_empty() {
        request.path = path;
    }
    let literals = operation.uri.query.iter();
    let mut query: Vec<String> = literals
        .map(|(name, value)| {
            if value.is_empty() {
                (*name).to_owned()
            } else {
                format!("{name}={value}")
            }
        })
        .collect();
    if let Document::Structure(values) = input {
        for (name, value) in values {
            let member = member(structure, name);
            located(&mut request.headers, &mut query, member, value);
        }
    }
    request.query = query.join("&");
    if protocol == Protocol::RestXml {
        let body = xml_body(service, operation, structure, input);
        return match body {
            Some(body) => request.typed("application/xml", body),
            None => request,
        };
    }
    let body = root_json(service, operation, input, |member| member.location.is_none());
    let bodied = protocol == Protocol::RestJson1 && structure.payload.is_none() && operation.method != "GET";
    if bodied {
        request.typed("application/json", body.to_string())
    } else {
        request
    }
}

/// The body of a restXml request: its payload member, or what is bound to no other place.
fn xml_body(
    service: &Service,
    operation: &Operation,
    structure: &Structure,
    input: &Document,
) -> Option<Vec<u8>> {
    if let Some(payload) = structure.payload.and_then(|index| structure.members.get(index)) {
        return match input.member(payload.name)? {
            Document::String(text) => Some(text.clone().into_bytes()),
            Document::Blob(bytes) => Some(bytes.clone()),
            Document::Stream => None,
            value => {
                let mut out = String::new();
                xml(
                    service,
                    payload,
                    payload.wire_name.unwrap_or(payload.name),
                    value,
                    &mut out,
                );
                Some(out.into_bytes())
            }
        };
    }
    let (root, _) = operation.input_root?;
    let Document::Structure(values) = input else {
        return None;
    };
    let mut out = format!("<{root}>");
    for (name, value) in values {
        let member = member(structure, name);
        if member.location.is_none() {
            xml(
                service,
                member,
                member.wire_name.unwrap_or(member.name),
                value,
                &mut out,
            );
        }
    }
    out.push_str(&format!("</{root}>"));
    Some(out.into_bytes())
}

fn xml(service: &Service, of: &Member, name: &str, value: &Document, out: &mut String) {
    let shape = service.shape(of.shape).unwrap();
    match (&shape.kind, value) {
        (
            Kind::List {
                member: item,
                flattened,
                ..
            },
            Document::List(items),
        ) => {
            if of.flattened || *flattened {
                // A flattened list's elements bear the list's own name.
                let name = of.wire_name.unwrap_or(name);
                items.iter().for_each(|one| xml(service, item, name, one, out));
            } else {
                out.push_str(&format!("<{name}>"));
                let inner = item.wire_name.unwrap_or("member");
                items.iter().for_each(|one| xml(service, item, inner, one, out));
                out.push_str(&format!("</{name}>"));
            }
        }
        (Kind::Structure(structure), Document::Structure(values)) => {
            out.push_str(&format!("<{name}"));
            for (held, value) in values {
                let member = member(structure, held);
                if member.xml_attribute {
                    let spelled = member.wire_name.unwrap_or(member.name);
                    let space = r#"xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance""#;
                    out.push_str(&format!(" {space} {spelled}=\"{}\"", escaped(&text(value))));
                }
            }
            out.push('>');
            for (held, value) in values {
                let member = member(structure, held);
                if !member.xml_attribute {
                    xml(
                        service,
                        member,
                        member.wire_name.unwrap_or(member.name),
                        value,
                        out,
                    );
                }
            }
            out.push_str(&format!("</{name}>"));
        }
        (_, value) => out.push_str(&format!("<{name}>{}</{name}>", escaped(&text(value)))),
    }
}

fn escaped(text: &str) -> String {
    let text = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    text.replace('"', "&quot;")
}

fn located(headers: &mut HeaderMap, query: &mut Vec<String>, member: &Member, value: &Document) {
    let wire = member.wire_name.unwrap_or(member.name);
    let simple: Vec<String> = match value {
        Document::List(items) => items.iter().map(text).collect(),
        Document::Structure(_) | Document::Map(_) | Document::Stream => return,
        simple => vec![text(simple)],
    };
    match member.location {
        Some(Location::Query) => {
            query.extend(
                simple
                    .iter()
                    .map(|value| format!("{}={}", percent_encode(wire), percent_encode(value))),
            );
        }
        Some(Location::Header) => {
            // What no header can carry is as unfit in another way.
            let joined = simple
                .join(",")
                .replace(|letter: char| !(' '..='~').contains(&letter), "!");
            let value = HeaderValue::from_str(&joined).unwrap();
            headers.insert(HeaderName::from_bytes(wire.as_bytes()).unwrap(), value);
        }
        _ => {}
    }
}
