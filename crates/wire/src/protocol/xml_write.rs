//! Documents to XML, straight into the body: restXml, and the answers of the query protocols.
//!
//! Invariant: elements come in the model's order, and every text is escaped.

use crate::Document;
use crate::model::{Kind, Member, Operation, Service, Shape, Structure, TimestampFormat};

use super::json_write::{find, shape_of, travels_in_body};
use super::{Unwritable, moment, root, text, xml_read};

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// Writes awsQuery's answer: the result in its wrapper, then the response's metadata.
pub(super) fn query_answer(
    out: &mut Vec<u8>,
    service: &Service,
    operation: &Operation,
    output: &Document,
    request_id: &str,
) -> Result<(), Unwritable> {
    let root = format!("{}Response", operation.name);
    open_root(out, &root, service.xml_namespace);
    if let Some(shape) = operation.output.and_then(|id| service.shape(id)) {
        if let Some(wrapper) = operation.result_wrapper {
            open(out, wrapper);
            members(out, service, shape, output)?;
            close(out, wrapper);
        } else {
            members(out, service, shape, output)?;
        }
    }
    open(out, "ResponseMetadata");
    leaf(out, "RequestId", request_id);
    close(out, "ResponseMetadata");
    close(out, &root);
    Ok(())
}

/// Writes ec2Query's answer: the request id, then the result's members.
pub(super) fn ec2_answer(
    out: &mut Vec<u8>,
    service: &Service,
    operation: &Operation,
    output: &Document,
    request_id: &str,
) -> Result<(), Unwritable> {
    let root = format!("{}Response", operation.name);
    out.extend_from_slice(DECLARATION.as_bytes());
    open_root(out, &root, service.xml_namespace);
    leaf(out, "requestId", request_id);
    if let Some(shape) = operation.output.and_then(|id| service.shape(id)) {
        members(out, service, shape, output)?;
    }
    close(out, &root);
    Ok(())
}

/// Writes a whole body with the shape as its root: a payload member, or the output itself.
pub(super) fn document(
    out: &mut Vec<u8>,
    service: &Service,
    shape: &Shape,
    payload: Option<&Member>,
    value: &Document,
) -> Result<(), Unwritable> {
    out.extend_from_slice(DECLARATION.as_bytes());
    let name = match payload {
        Some(member) => member.wire_name.unwrap_or(shape.name),
        None if service.bare_errors => root::element(shape.name),
        None => shape.name,
    };
    if service.bare_errors && payload.is_none() && root::is_unwrapped(shape.name) {
        open_root(out, name, service.xml_namespace);
        if let Document::Structure(members) = value
            && let Some((_, Document::String(text))) = members.first()
        {
            escape(out, text);
        }
        close(out, name);
        return Ok(());
    }
    let own = payload.and_then(|member| member.xml_namespace);
    element(
        out,
        service,
        shape,
        payload,
        name,
        own.or(service.xml_namespace.map(|uri| (None, uri))),
        value,
    )
}

/// Opens a root element in a namespace.
pub(super) fn open_root(out: &mut Vec<u8>, name: &str, namespace: Option<&str>) {
    out.push(b'<');
    out.extend_from_slice(name.as_bytes());
    if let Some(uri) = namespace {
        attribute(out, "xmlns", uri);
    }
    out.push(b'>');
}

pub(super) fn open(out: &mut Vec<u8>, name: &str) {
    open_root(out, name, None);
}

pub(super) fn close(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b"</");
    out.extend_from_slice(name.as_bytes());
    out.push(b'>');
}

/// Writes an element of text.
pub(super) fn leaf(out: &mut Vec<u8>, name: &str, text: &str) {
    open(out, name);
    escape(out, text);
    close(out, name);
}

fn attribute(out: &mut Vec<u8>, name: &str, value: &str) {
    out.push(b' ');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"=\"");
    escape(out, value);
    out.push(b'"');
}

/// Escapes for text and attributes alike. Characters that XML 1.0 cannot carry become U+FFFD, since one of them would
/// make the whole answer unreadable.
fn escape(out: &mut Vec<u8>, text: &str) {
    // Most texts are names, ids and times, which need nothing.
    let plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'&' | b'<' | b'>' | b'"');
    if text.as_bytes().iter().all(plain) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    for character in text.chars() {
        let replacement = match character {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            '"' => "&quot;",
            '\r' => "&#xD;",
            '\n' => "&#xA;",
            '\t' => "&#x9;",
            '\u{85}' => "&#x85;",
            '\u{2028}' => "&#x2028;",
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => "\u{fffd}",
            other => {
                out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
        };
        out.extend_from_slice(replacement.as_bytes());
    }
}

/// Writes a structure's members without an element around them.
pub(super) fn members(
    out: &mut Vec<u8>,
    service: &Service,
    shape: &Shape,
    value: &Document,
) -> Result<(), Unwritable> {
    let (Kind::Structure(structure), Document::Structure(values)) = (&shape.kind, value) else {
        return Err(Unwritable {
            shape: shape.name,
            reason: "not a structure",
        });
    };
    elements(out, service, shape, structure, values)
}

/// Writes those members that are elements of the body, in the model's order.
pub(super) fn elements(
    out: &mut Vec<u8>,
    service: &Service,
    shape: &Shape,
    structure: &Structure,
    values: &[(&'static str, Document)],
) -> Result<(), Unwritable> {
    let mut ordered = Vec::with_capacity(values.len());
    for (name, value) in values {
        let (index, member) = find(structure, shape, name)?;
        if travels_in_body(structure, index, member)
            && !member.xml_attribute
            && !matches!(value, Document::Stream)
        {
            ordered.push((index, member, value));
        }
    }
    ordered.sort_unstable_by_key(|(index, ..)| *index);
    for (_, member, value) in ordered {
        self::member(out, service, member, value)?;
    }
    Ok(())
}

fn member(out: &mut Vec<u8>, service: &Service, member: &Member, value: &Document) -> Result<(), Unwritable> {
    let shape = shape_of(service, member)?;
    let name = member.wire_name.unwrap_or(member.name);
    match (&shape.kind, value) {
        (
            Kind::List {
                member: item,
                flattened,
                ..
            },
            Document::List(items),
        ) if *flattened || member.flattened => {
            let name = xml_read::element_name(service, member).unwrap_or(name);
            let item_shape = shape_of(service, item)?;
            for value in items {
                let namespace = item.xml_namespace.or(member.xml_namespace);
                element(out, service, item_shape, Some(item), name, namespace, value)?;
            }
            Ok(())
        }
        (
            Kind::Map {
                key,
                value: content,
                flattened,
                ..
            },
            Document::Map(entries),
        ) if *flattened || member.flattened => {
            for (entry_key, value) in entries {
                entry(
                    out,
                    service,
                    name,
                    member.xml_namespace,
                    (key, content),
                    (entry_key, value),
                )?;
            }
            Ok(())
        }
        _ => element(
            out,
            service,
            shape,
            Some(member),
            name,
            member.xml_namespace,
            value,
        ),
    }
}

type Namespace = Option<(Option<&'static str>, &'static str)>;

fn element(
    out: &mut Vec<u8>,
    service: &Service,
    shape: &Shape,
    member: Option<&Member>,
    name: &str,
    namespace: Namespace,
    value: &Document,
) -> Result<(), Unwritable> {
    start(out, name, namespace);
    match (&shape.kind, value) {
        (Kind::Structure(structure), Document::Structure(values)) => {
            for (name, value) in values {
                let (_, member) = find(structure, shape, name)?;
                if member.xml_attribute {
                    let mut content = String::new();
                    text::write(
                        &mut content,
                        shape_of(service, member)?,
                        Some(member),
                        TimestampFormat::DateTime,
                        value,
                    )?;
                    attribute(out, member.wire_name.unwrap_or(member.name), &content);
                }
            }
            out.push(b'>');
            elements(out, service, shape, structure, values)?;
        }
        (Kind::List { member: item, .. }, Document::List(items)) => {
            out.push(b'>');
            let item_shape = shape_of(service, item)?;
            let item_name = item.wire_name.unwrap_or("member");
            for value in items {
                element(
                    out,
                    service,
                    item_shape,
                    Some(item),
                    item_name,
                    item.xml_namespace,
                    value,
                )?;
            }
        }
        (
            Kind::Map {
                key, value: content, ..
            },
            Document::Map(entries),
        ) => {
            out.push(b'>');
            for (entry_key, value) in entries {
                entry(out, service, "entry", None, (key, content), (entry_key, value))?;
            }
        }
        (_, Document::Null) => out.push(b'>'),
        _ => {
            out.push(b'>');
            let mut content = String::new();
            let place = TimestampFormat::DateTime;
            match value {
                Document::Timestamp(at)
                    if service.bare_errors && text::timestamp_format(shape, member, place) == place =>
                {
                    moment::write_whole(&mut content, *at);
                }
                _ => text::write(&mut content, shape, member, place, value)?,
            }
            escape(out, &content);
        }
    }
    close(out, name);
    Ok(())
}

/// Opens an element, but for the `>` that ends its attributes.
fn start(out: &mut Vec<u8>, name: &str, namespace: Namespace) {
    out.push(b'<');
    out.extend_from_slice(name.as_bytes());
    match namespace {
        Some((Some(prefix), uri)) => attribute(out, &format!("xmlns:{prefix}"), uri),
        Some((None, uri)) => attribute(out, "xmlns", uri),
        None => {}
    }
}

fn entry(
    out: &mut Vec<u8>,
    service: &Service,
    name: &str,
    namespace: Namespace,
    (key, content): (&Member, &Member),
    (entry_key, value): (&str, &Document),
) -> Result<(), Unwritable> {
    start(out, name, namespace);
    out.push(b'>');
    let key_name = key.wire_name.unwrap_or("key");
    start(out, key_name, key.xml_namespace);
    out.push(b'>');
    escape(out, entry_key);
    close(out, key_name);
    let value_name = content.wire_name.unwrap_or("value");
    element(
        out,
        service,
        shape_of(service, content)?,
        Some(content),
        value_name,
        content.xml_namespace,
        value,
    )?;
    close(out, name);
    Ok(())
}
