//! Answers of restJson1 and restXml: status, headers and body.
//!
//! Source: the Smithy specification, "HTTP bindings". Invariant: a value that no header can carry fails the encoding,
//! so that a handler's text never starts a header of its own.

use base64::Engine;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue};

use crate::Document;
use crate::model::{Kind, Location, Member, Operation, Service, Shape, Structure, TimestampFormat};

use super::json_write::{find, shape_of, travels_in_body};
pub(super) use super::rest_read::Body;
use super::{Encoded, Unwritable, content_type, json_write, text, xml_write};

/// Writes the operation's output into the answer.
pub(super) fn answer(
    service: &Service,
    operation: &Operation,
    output: &Document,
    body: Body,
    answer: &mut Encoded,
) -> Result<(), Unwritable> {
    answer.status = operation.status;
    let Some(shape) = operation.output.and_then(|id| service.shape(id)) else {
        return Ok(());
    };
    let (Kind::Structure(structure), Document::Structure(members)) = (&shape.kind, output) else {
        return Err(Unwritable {
            shape: shape.name,
            reason: "not a structure",
        });
    };
    for (name, value) in members {
        let (_, member) = find(structure, shape, name)?;
        if let Some(status) = located(service, member, value, &mut answer.headers)? {
            answer.status = status;
        }
    }
    // What tells which part of a content it carries is partial content (RFC 9110, section 15.3.7).
    if answer.status == 200 && answer.headers.contains_key(http::header::CONTENT_RANGE) {
        answer.status = 206;
    }
    let bodiless = operation.method == "HEAD" || matches!(answer.status, 204 | 304);
    if bodiless {
        return Ok(());
    }
    match structure.payload.and_then(|index| structure.members.get(index)) {
        Some(member) => match output.member(member.name) {
            Some(value) => payload(service, member, value, body, answer),
            None => Ok(()),
        },
        None => whole(service, shape, structure, output, body, answer),
    }
}

/// Writes the members of the body. An output that can never have any has no XML body.
fn whole(
    service: &Service,
    shape: &Shape,
    structure: &Structure,
    output: &Document,
    body: Body,
    answer: &mut Encoded,
) -> Result<(), Unwritable> {
    match body {
        Body::Json => {
            default_type(&mut answer.headers, "application/json");
            json_write::value(&mut answer.body, service, shape, None, output)
        }
        Body::Xml
            if !structure
                .members
                .iter()
                .enumerate()
                .any(|(i, m)| travels_in_body(structure, i, m)) =>
        {
            Ok(())
        }
        Body::Xml => {
            default_type(&mut answer.headers, "application/xml");
            xml_write::document(&mut answer.body, service, shape, None, output)
        }
    }
}

fn payload(
    service: &Service,
    member: &Member,
    value: &Document,
    body: Body,
    answer: &mut Encoded,
) -> Result<(), Unwritable> {
    let shape = shape_of(service, member)?;
    match (&shape.kind, value, body) {
        (_, Document::Stream, _) => default_type(&mut answer.headers, "application/octet-stream"),
        (Kind::Blob, Document::Blob(bytes), _) => {
            default_type(&mut answer.headers, "application/octet-stream");
            answer.body.extend_from_slice(bytes);
        }
        (Kind::String { .. }, Document::String(text), _) => {
            default_type(&mut answer.headers, "text/plain");
            answer.body.extend_from_slice(text.as_bytes());
        }
        (_, _, Body::Json) => {
            default_type(&mut answer.headers, "application/json");
            json_write::value(&mut answer.body, service, shape, Some(member), value)?;
        }
        (_, _, Body::Xml) => {
            default_type(&mut answer.headers, "application/xml");
            xml_write::document(&mut answer.body, service, shape, Some(member), value)?;
        }
    }
    Ok(())
}

/// A content type, unless the output has bound one of its own.
fn default_type(headers: &mut HeaderMap, value: &'static str) {
    if !headers.contains_key(CONTENT_TYPE) {
        content_type(headers, value);
    }
}

/// Writes a member that travels outside the body; returns the status, if it is that.
pub(super) fn located(
    service: &Service,
    member: &Member,
    value: &Document,
    headers: &mut HeaderMap,
) -> Result<Option<u16>, Unwritable> {
    let unwritable = |reason| Unwritable {
        shape: member.name,
        reason,
    };
    match (member.location, value) {
        (Some(Location::Status), Document::Integer(status)) => {
            let status = u16::try_from(*status)
                .ok()
                .filter(|status| (100..=999).contains(status));
            return status.map(Some).ok_or_else(|| unwritable("not an HTTP status"));
        }
        (Some(Location::Header), value) => {
            let text = header_text(service, member, value)?;
            insert(headers, member.wire_name.unwrap_or(member.name), &text)
                .ok_or_else(|| unwritable("no header can carry it"))?;
        }
        (Some(Location::HeaderPrefix), Document::Map(entries)) => {
            let prefix = member.wire_name.unwrap_or_default();
            for (key, value) in entries {
                let text = value.as_str().ok_or_else(|| unwritable("not a string"))?;
                insert(headers, &format!("{prefix}{key}"), text)
                    .ok_or_else(|| unwritable("no header can carry it"))?;
            }
        }
        (Some(Location::HeaderPrefix | Location::Status), _) => {
            return Err(unwritable("not a value of its type"));
        }
        // The body is written elsewhere, and holds what is bound to places that only requests have.
        (Some(Location::Query | Location::QueryMap | Location::Label) | None, _) => {}
    }
    Ok(None)
}

fn insert(headers: &mut HeaderMap, name: &str, value: &str) -> Option<()> {
    let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
    headers.insert(name, HeaderValue::from_bytes(value.as_bytes()).ok()?);
    Some(())
}

fn header_text(service: &Service, member: &Member, value: &Document) -> Result<String, Unwritable> {
    let shape = shape_of(service, member)?;
    let mut out = String::new();
    match (&shape.kind, value) {
        (_, Document::String(json)) if member.json_value => text::BASE64.encode_string(json, &mut out),
        (Kind::List { member: item, .. }, Document::List(items)) => {
            let item_shape = shape_of(service, item)?;
            for (index, value) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                let mut part = String::new();
                text::write(
                    &mut part,
                    item_shape,
                    Some(item),
                    TimestampFormat::HttpDate,
                    value,
                )?;
                let plain = !matches!(item_shape.kind, Kind::String { .. });
                if plain || !needs_quotes(&part) {
                    out.push_str(&part)
                } else {
                    quote(&mut out, &part)
                }
            }
        }
        _ => text::write(&mut out, shape, Some(member), TimestampFormat::HttpDate, value)?,
    }
    Ok(out)
}

fn needs_quotes(text: &str) -> bool {
    text.is_empty() || text.trim() != text || text.contains([',', '"', '\\'])
}

fn quote(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out.push('"');
}
