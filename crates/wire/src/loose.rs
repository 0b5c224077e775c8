//! Values of JSON as a service's input, with the looseness of templates: a number or a truth may be written as text, and text as a number.
//!
//! Source: CloudFormation User Guide, "Data types" of the template reference.
//!
//! Invariant: what does not fit the shape is refused with the place where it stands; nothing is dropped in silence.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use crate::model::{Kind, Service, Shape, ShapeId};
use crate::{Document, Timestamp};

/// Reads a value by a shape of the model; members have the model's names.
///
/// # Errors
/// What does not fit, and where: `#/Tags/0: extraneous key [Ky] is not permitted`.
pub fn from_json(service: &Service, shape: ShapeId, value: Value) -> Result<Document, String> {
    read(service, shape, "#", value)
}

fn read(service: &Service, id: ShapeId, place: &str, value: Value) -> Result<Document, String> {
    let shape = service
        .shape(id)
        .ok_or_else(|| format!("{place}: the model has no such shape"))?;
    match (&shape.kind, value) {
        (Kind::Structure(_), Value::Object(members)) => structure(service, shape, place, members),
        (Kind::List { member, .. }, Value::Array(items)) => {
            let items = items.into_iter().enumerate();
            let read = |(at, item)| read(service, member.shape, &format!("{place}/{at}"), item);
            items.map(read).collect::<Result<_, _>>().map(Document::List)
        }
        (Kind::Map { value: member, .. }, Value::Object(entries)) => {
            let read = |(key, value)| {
                let read = read(service, member.shape, &format!("{place}/{key}"), value)?;
                Ok((key, read))
            };
            let entries = entries.into_iter().map(read);
            entries.collect::<Result<_, String>>().map(Document::Map)
        }
        (_, value) => scalar(shape, place, value),
    }
}

fn structure(
    service: &Service,
    shape: &Shape,
    place: &str,
    members: serde_json::Map<String, Value>,
) -> Result<Document, String> {
    let Kind::Structure(known) = &shape.kind else {
        return Err(format!("{place}: expected type: JSONObject"));
    };
    let mut read_members = Vec::with_capacity(members.len());
    for (name, value) in members {
        let member = known.members.iter().find(|member| member.name == name);
        let member = member.ok_or_else(|| format!("{place}: extraneous key [{name}] is not permitted"))?;
        if !value.is_null() {
            let inner = read(service, member.shape, &format!("{place}/{name}"), value)?;
            read_members.push((member.name, inner));
        }
    }
    Ok(Document::Structure(read_members))
}

fn scalar(shape: &Shape, place: &str, value: Value) -> Result<Document, String> {
    let refused = |wanted: &str, value: &Value| {
        let found = match value {
            Value::Object(_) => "JSONObject",
            Value::Array(_) => "JSONArray",
            Value::String(_) => "String",
            Value::Number(_) => "Number",
            Value::Bool(_) => "Boolean",
            Value::Null => "Null",
        };
        format!("{place}: expected type: {wanted}, found: {found}")
    };
    let word = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    };
    let text = word(&value);
    let text = text.as_deref();
    let read = match &shape.kind {
        Kind::String { .. } => text.map(|text| Document::String(text.to_owned())).ok_or("String"),
        Kind::Boolean => match text.map(str::to_ascii_lowercase).as_deref() {
            Some("true") => Ok(Document::Boolean(true)),
            Some("false") => Ok(Document::Boolean(false)),
            _ => Err("Boolean"),
        },
        Kind::Integer(_) => {
            let number = text.and_then(|text| text.trim().parse().ok());
            number.map(Document::Integer).ok_or("Integer")
        }
        Kind::Float(_) => {
            let number = text.and_then(|text| text.trim().parse().ok());
            number.map(Document::Float).ok_or("Number")
        }
        Kind::Blob => {
            let bytes = text.and_then(|text| BASE64.decode(text).ok());
            bytes.map(Document::Blob).ok_or("Base64")
        }
        Kind::Timestamp(_) => {
            let moment = text.and_then(|text| match text.parse() {
                Ok(seconds) => Some(Timestamp::from_seconds(seconds)),
                Err(_) => Timestamp::from_iso8601(text),
            });
            moment.map(Document::Timestamp).ok_or("Timestamp")
        }
        Kind::Structure(_) | Kind::Map { .. } => Err("JSONObject"),
        Kind::List { .. } => Err("JSONArray"),
        Kind::Untyped => Err("untyped values are not taken"),
    };
    read.map_err(|wanted| refused(wanted, &value))
}

/// An answer as JSON, by the model's names: blobs in base64, moments in ISO 8601; a stream is null.
pub fn to_json(document: &Document) -> Value {
    match document {
        Document::Boolean(flag) => Value::Bool(*flag),
        Document::Integer(number) => Value::from(*number),
        Document::Float(number) => Value::from(*number),
        Document::String(text) => Value::String(text.clone()),
        Document::Blob(bytes) => Value::String(BASE64.encode(bytes)),
        Document::Timestamp(moment) => Value::String(moment.iso8601()),
        Document::List(items) => Value::Array(items.iter().map(to_json).collect()),
        Document::Map(entries) => {
            let entries = entries.iter().map(|(key, value)| (key.clone(), to_json(value)));
            Value::Object(entries.collect())
        }
        Document::Structure(members) => {
            let members = members
                .iter()
                .map(|(name, value)| ((*name).to_owned(), to_json(value)));
            Value::Object(members.collect())
        }
        Document::Null | Document::Stream => Value::Null,
    }
}
