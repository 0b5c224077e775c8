//! The vectors' parameters as documents, and documents compared as AWS compares values.

use serde_json::Value;
use wire::model::{Kind, Member, Service, Shape};
use wire::{Document, Timestamp};

/// A vector's value as a document of the shape.
pub(crate) fn document(
    service: &'static Service,
    shape: &Shape,
    member: Option<&Member>,
    value: &Value,
) -> Document {
    let of = |member: &Member| service.shape(member.shape).unwrap();
    match (&shape.kind, value) {
        (_, Value::Null) => Document::Null,
        _ if member.is_some_and(|member| member.json_value) => {
            Document::String(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        }
        (_, Value::String(text)) if member.is_some_and(|member| member.streaming) && !text.is_empty() => {
            Document::Stream
        }
        (Kind::Structure(structure), Value::Object(values)) if !structure.event_stream => {
            Document::Structure(
                values
                    .iter()
                    // A client's word for a union's member that it does not know.
                    .filter(|(name, value)| !value.is_null() && *name != "SDK_UNKNOWN_MEMBER")
                    .map(|(name, value)| {
                        let member = structure.members.iter().find(|member| member.name == name);
                        let member = member.unwrap_or_else(|| panic!("{} has no {name}", shape.name));
                        (member.name, document(service, of(member), Some(member), value))
                    })
                    .collect(),
            )
        }
        (Kind::Structure(_), _) => Document::Stream,
        (Kind::List { member, .. }, Value::Array(items)) => Document::List(
            items
                .iter()
                .map(|item| document(service, of(member), Some(member), item))
                .collect(),
        ),
        (Kind::Map { value: member, .. }, Value::Object(entries)) => {
            let entry = |(key, value): (&String, &Value)| {
                (key.clone(), document(service, of(member), Some(member), value))
            };
            Document::Map(entries.iter().map(entry).collect())
        }
        (Kind::Untyped, value) => free(value),
        (Kind::String { .. }, Value::String(text)) => Document::String(text.clone()),
        // JSON in a string, which the older vectors give as what it says.
        (Kind::String { .. }, value) => Document::String(value.to_string()),
        (Kind::Blob, value) => Document::Blob(value.as_str().unwrap().as_bytes().to_vec()),
        (Kind::Boolean, value) => Document::Boolean(value.as_bool().unwrap()),
        (Kind::Integer(_), value) => Document::Integer(value.as_i64().unwrap()),
        (Kind::Float(_), Value::String(text)) => Document::Float(text.parse().unwrap()),
        (Kind::Float(_), value) => Document::Float(value.as_f64().unwrap()),
        (Kind::Timestamp(_), value) => {
            #[expect(clippy::cast_possible_truncation, reason = "a moment in the vectors")]
            let milliseconds = (value.as_f64().unwrap() * 1000.0).round() as i64;
            Document::Timestamp(Timestamp(milliseconds))
        }
        _ => panic!("{} is {value}", shape.name),
    }
}

fn free(value: &Value) -> Document {
    match value {
        Value::Null => Document::Null,
        Value::Bool(value) => Document::Boolean(*value),
        Value::Number(number) => number
            .as_i64()
            .map_or_else(|| Document::Float(number.as_f64().unwrap()), Document::Integer),
        Value::String(text) => Document::String(text.clone()),
        Value::Array(items) => Document::List(items.iter().map(free).collect()),
        Value::Object(entries) => Document::Map(
            entries
                .iter()
                .map(|(key, value)| (key.clone(), free(value)))
                .collect(),
        ),
    }
}

/// Whether two documents say the same: maps and structures in any order, NaN equal to itself, headers' case aside.
pub(crate) fn same(left: &Document, right: &Document) -> bool {
    match (left, right) {
        (Document::Structure(left), Document::Structure(right)) => {
            left.len() == right.len()
                && left.iter().all(|(name, value)| {
                    right
                        .iter()
                        .any(|(other, other_value)| name == other && same(value, other_value))
                })
        }
        (Document::Map(left), Document::Map(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, value)| {
                    right.iter().any(|(other, other_value)| {
                        key.eq_ignore_ascii_case(other) && same(value, other_value)
                    })
                })
        }
        (Document::List(left), Document::List(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        #[expect(clippy::cast_possible_truncation, reason = "32-bit shapes travel as 32 bits")]
        (Document::Float(left), Document::Float(right)) => {
            left == right || (left.is_nan() && right.is_nan()) || *left as f32 == *right as f32
        }
        (Document::String(left), Document::String(right)) => left == right || same_json(left, right),
        _ => left == right,
    }
}

/// Texts of JSON values may differ in white space.
fn same_json(left: &str, right: &str) -> bool {
    let parse = |text: &str| {
        serde_json::from_str::<Value>(text)
            .ok()
            .filter(|value| !value.is_number())
    };
    matches!((parse(left), parse(right)), (Some(left), Some(right)) if left == right)
}

/// Shows a document of a test, which holds no secret.
pub(crate) fn show(document: &Document) -> String {
    let list = |parts: Vec<String>| parts.join(", ");
    match document {
        Document::Boolean(value) => value.to_string(),
        Document::Integer(value) => value.to_string(),
        Document::Float(value) => format!("{value:?}"),
        Document::String(text) => format!("{text:?}"),
        Document::Blob(bytes) => format!("blob {bytes:?}"),
        Document::Timestamp(at) => format!("at {}", at.0),
        Document::List(items) => format!("[{}]", list(items.iter().map(show).collect())),
        Document::Map(entries) => {
            format!(
                "map {{{}}}",
                list(
                    entries
                        .iter()
                        .map(|(key, value)| format!("{key:?}: {}", show(value)))
                        .collect()
                )
            )
        }
        Document::Structure(members) => {
            format!(
                "{{{}}}",
                list(
                    members
                        .iter()
                        .map(|(name, value)| format!("{name}: {}", show(value)))
                        .collect()
                )
            )
        }
        Document::Null => "null".to_owned(),
        Document::Stream => "stream".to_owned(),
    }
}
