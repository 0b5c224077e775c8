//! Services of botocore's model JSON, as the vectors give them.

use serde_json::Value;
use wire::model::{
    ErrorTrait, Kind, Location, Member, Operation, Protocol, Segment, Service, Shape, ShapeId, Structure,
    TimestampFormat, UriPattern,
};

/// Text that lives as long as the test.
pub(crate) fn leak(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

fn text(value: &Value, name: &str) -> Option<&'static str> {
    value[name].as_str().map(leak)
}

/// The service of one suite with the operation of one case.
pub(crate) fn service(suite: &Value, case: &Value, protocol: Protocol) -> &'static Service {
    let shapes = suite["shapes"].as_object().unwrap();
    let names: Vec<&String> = shapes.keys().collect();
    let id = |name: &Value| {
        ShapeId(
            u32::try_from(
                names
                    .iter()
                    .position(|n| Some(n.as_str()) == name.as_str())
                    .unwrap(),
            )
            .unwrap(),
        )
    };
    let given = &case["given"];
    let name = text(given, "name").unwrap_or("OperationName");
    let http = &given["http"];
    let metadata = &suite["metadata"];
    let operation = Operation {
        name,
        method: text(http, "method").unwrap_or("POST"),
        uri: pattern(http["requestUri"].as_str().unwrap_or("/")),
        status: http["responseCode"]
            .as_u64()
            .map_or(200, |status| u16::try_from(status).unwrap()),
        input: given["input"]["shape"]
            .is_string()
            .then(|| id(&given["input"]["shape"])),
        output: given["output"]["shape"]
            .is_string()
            .then(|| id(&given["output"]["shape"])),
        result_wrapper: (protocol == Protocol::AwsQuery && given["output"].is_object())
            .then(|| text(&given["output"], "resultWrapper").unwrap_or(leak(&format!("{name}Result")))),
        input_root: None,
        errors: Vec::new(),
        anonymous: false,
        unsigned_payload: false,
    };
    let service = Service {
        name: "test",
        api_version: "2020-01-08",
        service_id: text(metadata, "serviceId").unwrap_or("Test"),
        signing_name: "test",
        endpoint_prefix: "test",
        event_source: "test",
        global: false,
        target_prefixes: vec![text(metadata, "targetPrefix").unwrap_or("Test")],
        protocols: vec![protocol],
        xml_namespace: None,
        query_compatible: metadata["awsQueryCompatible"].is_object(),
        bare_errors: false,
        operations: vec![operation],
        shapes: shapes
            .iter()
            .map(|(name, raw)| shape(name, &payload_of(given, name, raw), shapes, &id))
            .collect(),
    };
    Box::leak(Box::new(service))
}

/// The shape, with the payload that older vectors name beside the operation's input.
fn payload_of(given: &Value, name: &str, raw: &Value) -> Value {
    let mut raw = raw.clone();
    if given["input"]["shape"] == name && given["input"]["payload"].is_string() {
        raw["payload"] = given["input"]["payload"].clone();
    }
    raw
}

/// A URI pattern as the models write it.
pub(crate) fn pattern(uri: &str) -> UriPattern {
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let segments = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .map(
            |segment| match segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')) {
                Some(label) => match label.strip_suffix('+') {
                    Some(greedy) => Segment::Greedy(leak(greedy)),
                    None => Segment::Label(leak(label)),
                },
                None => Segment::Literal(leak(segment)),
            },
        );
    let query = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (leak(key), leak(value))
    });
    UriPattern {
        segments: segments.collect(),
        query: query.collect(),
    }
}

fn shape(
    name: &str,
    raw: &Value,
    shapes: &serde_json::Map<String, Value>,
    id: &dyn Fn(&Value) -> ShapeId,
) -> Shape {
    let element = |part: &str| member(part, &raw[part], shapes, id);
    let flattened = raw["flattened"] == true;
    let kind = match raw["type"].as_str().unwrap() {
        "structure" if raw["document"] == true => Kind::Untyped,
        "structure" => Kind::Structure(structure(name, raw, shapes, id)),
        // The models do not say it, but the suite's names do.
        "list" => Kind::List {
            member: element("member"),
            flattened,
            sparse: name.contains("Sparse"),
        },
        "map" => Kind::Map {
            key: element("key"),
            value: element("value"),
            flattened,
            sparse: name.contains("Sparse"),
        },
        "string" | "character" => Kind::String { values: Vec::new() },
        "blob" => Kind::Blob,
        "boolean" => Kind::Boolean,
        "byte" => Kind::Integer(8),
        "short" => Kind::Integer(16),
        "integer" => Kind::Integer(32),
        "long" => Kind::Integer(64),
        "float" => Kind::Float(32),
        "double" => Kind::Float(64),
        "timestamp" => Kind::Timestamp(format(raw)),
        other => panic!("no type {other}"),
    };
    Shape {
        name: leak(name),
        kind,
        min: None,
        max: None,
        pattern: None,
        sensitive: false,
    }
}

fn format(raw: &Value) -> Option<TimestampFormat> {
    raw["timestampFormat"].as_str().map(|format| match format {
        "iso8601" => TimestampFormat::DateTime,
        "rfc822" => TimestampFormat::HttpDate,
        "unixTimestamp" => TimestampFormat::EpochSeconds,
        other => panic!("no format {other}"),
    })
}

fn structure(
    name: &str,
    raw: &Value,
    shapes: &serde_json::Map<String, Value>,
    id: &dyn Fn(&Value) -> ShapeId,
) -> Structure {
    let raw_members = raw["members"].as_object().unwrap();
    let payload = raw["payload"].as_str();
    let error = (raw["exception"] == true).then(|| ErrorTrait {
        code: text(&raw["error"], "code").unwrap_or(leak(name)),
        status: raw["error"]["httpStatusCode"]
            .as_u64()
            .map_or(if raw["fault"] == true { 500 } else { 400 }, |status| {
                u16::try_from(status).unwrap()
            }),
        sender: raw["fault"] != true,
    });
    Structure {
        members: raw_members
            .iter()
            .map(|(name, raw)| member(name, raw, shapes, id))
            .collect(),
        payload: payload.and_then(|payload| raw_members.keys().position(|name| name == payload)),
        union: raw["union"] == true,
        error,
        event_stream: raw["eventstream"] == true,
    }
}

/// A member; what it does not say itself is said by its shape (older models).
fn member(
    name: &str,
    raw: &Value,
    shapes: &serde_json::Map<String, Value>,
    id: &dyn Fn(&Value) -> ShapeId,
) -> Member {
    let target = &shapes[raw["shape"].as_str().unwrap()];
    let either = |key: &str| {
        if raw[key].is_null() {
            target[key].clone()
        } else {
            raw[key].clone()
        }
    };
    let namespace = either("xmlNamespace");
    let location = either("location");
    Member {
        name: leak(name),
        wire_name: text(raw, "locationName")
            .or_else(|| text(raw, "LocationName"))
            .or_else(|| text(target, "locationName")),
        query_name: text(raw, "queryName"),
        shape: id(&raw["shape"]),
        required: false,
        location: location.as_str().map(|location| match location {
            "header" => Location::Header,
            "headers" => Location::HeaderPrefix,
            "querystring" if target["type"] == "map" => Location::QueryMap,
            "querystring" => Location::Query,
            "uri" => Location::Label,
            "statusCode" => Location::Status,
            other => panic!("no location {other}"),
        }),
        flattened: raw["flattened"] == true,
        xml_attribute: either("xmlAttribute") == true,
        xml_namespace: namespace
            .as_str()
            .map(|uri| (None, leak(uri)))
            .or_else(|| text(&namespace, "uri").map(|uri| (text(&namespace, "prefix"), uri))),
        timestamp_format: format(raw),
        streaming: target["streaming"] == true,
        sensitive: false,
        idempotency_token: raw["idempotencyToken"] == true,
        json_value: either("jsonvalue") == true,
        host_label: raw["hostLabel"] == true,
    }
}

/// An operation without input and output, to be filled in.
pub(crate) fn bare_operation() -> Operation {
    Operation {
        name: "Operation",
        method: "POST",
        uri: UriPattern::default(),
        status: 200,
        input: None,
        output: None,
        result_wrapper: None,
        input_root: None,
        errors: Vec::new(),
        anonymous: false,
        unsigned_payload: false,
    }
}

/// A service without anything, to be filled in.
pub(crate) fn bare_service() -> Service {
    Service {
        name: "test",
        api_version: "2020-01-01",
        service_id: "Test",
        signing_name: "test",
        endpoint_prefix: "test",
        event_source: "test",
        global: false,
        target_prefixes: Vec::new(),
        protocols: Vec::new(),
        xml_namespace: None,
        query_compatible: false,
        bare_errors: false,
        operations: Vec::new(),
        shapes: Vec::new(),
    }
}

/// A member without traits, of the first shape.
pub(crate) const fn plain_member() -> Member {
    Member {
        name: "member",
        wire_name: None,
        query_name: None,
        shape: ShapeId(0),
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
