//! Documents to JSON, straight into the body.
//!
//! Invariant: members are written under their wire names in the document's order; what travels outside the body is left
//! out; absent members are never written as null.

use base64::Engine;

use crate::Document;
use crate::model::{Kind, Location, Member, Service, Shape, Structure, TimestampFormat};

use super::{Unwritable, moment, text};

/// Writes a value by its shape.
pub(super) fn value(
    out: &mut Vec<u8>,
    service: &Service,
    shape: &Shape,
    member: Option<&Member>,
    value: &Document,
) -> Result<(), Unwritable> {
    match (&shape.kind, value) {
        (Kind::Structure(structure), Document::Structure(members)) => {
            out.push(b'{');
            let mut first = true;
            for (name, value) in members {
                let (index, member) = find(structure, shape, name)?;
                if !travels_in_body(structure, index, member) || matches!(value, Document::Stream) {
                    continue;
                }
                key(out, &mut first, member.wire_name.unwrap_or(member.name))?;
                self::value(out, service, shape_of(service, member)?, Some(member), value)?;
            }
            out.push(b'}');
        }
        (Kind::List { member, .. }, Document::List(items)) => {
            let element = shape_of(service, member)?;
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                self::value(out, service, element, Some(member), item)?;
            }
            out.push(b']');
        }
        (Kind::Map { value: member, .. }, Document::Map(entries)) => {
            let element = shape_of(service, member)?;
            out.push(b'{');
            let mut first = true;
            for (name, item) in entries {
                key(out, &mut first, name)?;
                self::value(out, service, element, Some(member), item)?;
            }
            out.push(b'}');
        }
        (Kind::Untyped, value) => free(out, shape, value)?,
        (Kind::Timestamp(_), Document::Timestamp(at)) => {
            let format = text::timestamp_format(shape, member, TimestampFormat::EpochSeconds);
            let mut digits = String::new();
            moment::write(&mut digits, *at, format);
            match format {
                TimestampFormat::EpochSeconds => out.extend_from_slice(digits.as_bytes()),
                _ => string(out, shape, &digits)?,
            }
        }
        (Kind::Float(width), Document::Float(number)) => float(out, *number, *width),
        (Kind::Blob, Document::Blob(bytes)) => {
            out.push(b'"');
            base64(out, shape, bytes)?;
            out.push(b'"');
        }
        (Kind::String { .. }, Document::String(text)) => string(out, shape, text)?,
        (Kind::Boolean, Document::Boolean(_)) | (Kind::Integer(_), Document::Integer(_)) => {
            free(out, shape, value)?;
        }
        (_, Document::Null) => out.extend_from_slice(b"null"),
        _ => {
            return Err(Unwritable {
                shape: shape.name,
                reason: "not a value of its type",
            });
        }
    }
    Ok(())
}

/// A structure's member by the model's name. A name that is none is a bug of the handler.
pub(super) fn find<'s>(
    structure: &'s Structure,
    shape: &Shape,
    name: &str,
) -> Result<(usize, &'s Member), Unwritable> {
    let mut members = structure.members.iter().enumerate();
    members.find(|(_, member)| member.name == name).ok_or(Unwritable {
        shape: shape.name,
        reason: "a member that it does not have",
    })
}

/// The shape of a member.
pub(super) fn shape_of<'s>(service: &'s Service, member: &Member) -> Result<&'s Shape, Unwritable> {
    service.shape(member.shape).ok_or(Unwritable {
        shape: member.name,
        reason: "no such shape",
    })
}

/// Whether a member is part of an answer's body, by its index. Places that only requests have are the body's too.
pub(super) fn travels_in_body(structure: &Structure, index: usize, member: &Member) -> bool {
    let elsewhere = matches!(
        member.location,
        Some(Location::Header | Location::HeaderPrefix | Location::Status)
    );
    !elsewhere && structure.payload != Some(index)
}

fn key(out: &mut Vec<u8>, first: &mut bool, name: &str) -> Result<(), Unwritable> {
    if !std::mem::take(first) {
        out.push(b',');
    }
    quoted(out, name).map_err(|_| Unwritable {
        shape: "key",
        reason: "not a JSON string",
    })?;
    out.push(b':');
    Ok(())
}

/// Most text needs no escapes, which is seen sooner of all of it than letter by letter.
fn quoted(out: &mut Vec<u8>, text: &str) -> serde_json::Result<()> {
    let escapes = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    if text.bytes().fold(false, |any, byte| any | escapes(byte)) {
        return serde_json::to_writer(out, text);
    }
    out.reserve(text.len() + 2);
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
    Ok(())
}

fn string(out: &mut Vec<u8>, shape: &Shape, text: &str) -> Result<(), Unwritable> {
    quoted(out, text).map_err(|_| Unwritable {
        shape: shape.name,
        reason: "not a JSON string",
    })
}

fn base64(out: &mut Vec<u8>, shape: &Shape, bytes: &[u8]) -> Result<(), Unwritable> {
    let start = out.len();
    // Four digits for three bytes, and padding.
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let place = out.get_mut(start..).unwrap_or_default();
    let written = text::BASE64.encode_slice(bytes, place);
    let written = written.map_err(|_| Unwritable {
        shape: shape.name,
        reason: "longer than Base64 makes it",
    })?;
    out.truncate(start + written);
    Ok(())
}

fn float(out: &mut Vec<u8>, value: f64, width: u8) {
    let mut digits = String::new();
    text::write_float(&mut digits, value, width);
    let quote = text::special_word(value).is_some();
    if quote {
        out.push(b'"');
    }
    out.extend_from_slice(digits.as_bytes());
    if quote {
        out.push(b'"');
    }
}

/// Writes a value by its own type (the `document` trait).
fn free(out: &mut Vec<u8>, shape: &Shape, value: &Document) -> Result<(), Unwritable> {
    match value {
        Document::Null => out.extend_from_slice(b"null"),
        Document::Boolean(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Document::Integer(value) => out.extend_from_slice(value.to_string().as_bytes()),
        Document::Float(value) => float(out, *value, 64),
        Document::String(text) => string(out, shape, text)?,
        Document::List(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                free(out, shape, item)?;
            }
            out.push(b']');
        }
        Document::Map(entries) => {
            out.push(b'{');
            let mut first = true;
            for (name, item) in entries {
                key(out, &mut first, name)?;
                free(out, shape, item)?;
            }
            out.push(b'}');
        }
        Document::Structure(_) | Document::Blob(_) | Document::Timestamp(_) | Document::Stream => {
            return Err(Unwritable {
                shape: shape.name,
                reason: "not a value of JSON",
            });
        }
    }
    Ok(())
}
