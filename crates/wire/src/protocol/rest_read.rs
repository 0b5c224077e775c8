//! Requests of restJson1 and restXml: labels, query, headers and body.
//!
//! Source: the Smithy specification, "HTTP bindings". Invariant: the path and query are decoded once, after they were
//! split, so that an escaped slash never moves a label's end.

use std::borrow::Cow;

use base64::Engine;
use http::HeaderMap;

use crate::fault::{Code, Common};
use crate::model::{
    Kind, Location, Member, Operation, Segment, Service, Shape, Structure, TimestampFormat, UriPattern,
};
use crate::route::bucket;
use crate::{Document, Fault};

use super::{Parts, json_read, malformed, percent, put, text, xml_read};

/// What the protocol writes bodies in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    Json,
    Xml,
}

/// Reads the operation's input from everywhere in the request.
pub(super) fn request(
    service: &Service,
    operation: &Operation,
    shape: &Shape,
    parts: &Parts<'_>,
    body: Body,
) -> Result<Document, Fault> {
    let Kind::Structure(structure) = &shape.kind else {
        return Err(malformed("Unexpected value type in payload"));
    };
    let mut members = Vec::new();
    let mut query = Vec::new();
    if structure
        .members
        .iter()
        .any(|m| matches!(m.location, Some(Location::Query | Location::QueryMap)))
    {
        percent::pairs(parts.query, &mut query)?;
    }
    let path = if service.bare_errors {
        bucket::path_style(parts.path, parts.headers)
    } else {
        Cow::Borrowed(parts.path)
    };
    let labels = labels(&operation.uri, &path);
    for member in &structure.members {
        let Some(location) = member.location else { continue };
        let of = shape_of(service, member)?;
        let value = match location {
            Location::Label => label(of, member, &labels).map_err(|fault| unparsed(service, fault))?,
            Location::Query => {
                query_value(service, of, member, &query).map_err(|fault| unread(service, member, fault))?
            }
            Location::QueryMap => query_map(service, of, &query)?,
            Location::Header => header(service, of, member, parts.headers)
                .or_else(|fault| unread_date(service, member, fault))
                .map_err(|fault| unread(service, member, fault))?,
            Location::HeaderPrefix => prefixed(member, parts.headers)?,
            Location::Status => None,
        };
        if let Some(value) = value {
            members.push((member.name, value));
        }
    }
    from_body(service, shape, structure, parts.body, body, &mut members)?;
    Ok(Document::Structure(members))
}

/// What S3 says of a path that is no text.
fn unparsed(service: &Service, fault: Fault) -> Fault {
    if service.bare_errors {
        return Fault::plain("InvalidURI", 400, "Couldn't parse the specified URI.");
    }
    fault
}

/// S3 has a code for headers and parameters that do not read as what they are; `MalformedXML` is for its documents.
fn unread(service: &Service, member: &Member, fault: Fault) -> Fault {
    if !service.bare_errors || !matches!(fault.code, Code::Common(Common::Malformed)) {
        return fault;
    }
    let name = member.wire_name.unwrap_or(member.name);
    Fault::plain(
        "InvalidArgument",
        400,
        format!("Provided {name} is not valid: {}", fault.message),
    )
    .with("ArgumentName", Document::String(name.to_owned()))
}

/// A condition without a valid date is none (RFC 9110, sections 13.1.3 and 13.1.4).
fn unread_date(service: &Service, member: &Member, fault: Fault) -> Result<Option<Document>, Fault> {
    let conditions = ["If-Modified-Since", "If-Unmodified-Since"];
    let is_condition = member
        .wire_name
        .is_some_and(|name| conditions.iter().any(|one| one.eq_ignore_ascii_case(name)));
    if service.bare_errors && is_condition {
        Ok(None)
    } else {
        Err(fault)
    }
}

fn from_body(
    service: &Service,
    shape: &Shape,
    structure: &Structure,
    bytes: &[u8],
    body: Body,
    members: &mut Vec<(&'static str, Document)>,
) -> Result<(), Fault> {
    if let Some(member) = structure.payload.and_then(|index| structure.members.get(index)) {
        if let Some(value) = payload(service, member, bytes, body)? {
            members.push((member.name, value));
        }
        return Ok(());
    }
    // A body that nothing is bound to is not looked at.
    if bytes.is_empty() || structure.members.iter().all(|member| member.location.is_some()) {
        return Ok(());
    }
    let document = match body {
        Body::Json => Some(json_read::body(service, shape, bytes)?),
        Body::Xml => xml_read::body(service, shape, None, bytes)?,
    };
    if let Some(Document::Structure(found)) = document {
        for (name, value) in found {
            put(members, name, value);
        }
    }
    Ok(())
}

fn payload(service: &Service, member: &Member, bytes: &[u8], body: Body) -> Result<Option<Document>, Fault> {
    let of = shape_of(service, member)?;
    let event_stream = matches!(&of.kind, Kind::Structure(structure) if structure.event_stream);
    if member.streaming || event_stream {
        return Ok(Some(Document::Stream));
    }
    if bytes.is_empty() {
        return Ok(None);
    }
    match (&of.kind, body) {
        (Kind::Blob, _) => Ok(Some(Document::Blob(bytes.to_vec()))),
        (Kind::String { .. }, _) => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Some(Document::String(text.to_owned()))),
            Err(_) => Err(malformed("The request body is not UTF-8")),
        },
        (_, Body::Json) => {
            let value = json_read::value(service, of, Some(member), bytes)?;
            Ok((!matches!(value, Document::Null)).then_some(value))
        }
        (_, Body::Xml) => xml_read::body(service, of, Some(member), bytes),
    }
}

/// The raw values of a pattern's labels.
fn labels<'p>(pattern: &UriPattern, path: &'p str) -> Vec<(&'static str, Cow<'p, str>)> {
    let segments: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
    let mut labels = Vec::new();
    let mut at = 0_usize;
    for (index, segment) in pattern.segments.iter().enumerate() {
        match segment {
            Segment::Literal(_) => at = at.saturating_add(1),
            Segment::Label(name) => {
                if let Some(value) = segments.get(at) {
                    labels.push((*name, Cow::Borrowed(*value)));
                }
                at = at.saturating_add(1);
            }
            Segment::Greedy(name) => {
                let after = pattern.segments.len().saturating_sub(index).saturating_sub(1);
                let end = segments.len().saturating_sub(after).max(at);
                if let Some(values) = segments.get(at..end) {
                    labels.push((*name, Cow::Owned(values.join("/"))));
                }
                at = end;
            }
        }
    }
    labels
}

fn label(
    of: &Shape,
    member: &Member,
    labels: &[(&'static str, Cow<'_, str>)],
) -> Result<Option<Document>, Fault> {
    let name = member.wire_name.unwrap_or(member.name);
    let Some((_, raw)) = labels.iter().find(|(label, _)| *label == name) else {
        return Ok(None);
    };
    text::read(
        of,
        Some(member),
        TimestampFormat::DateTime,
        percent::decode(raw, false)?,
    )
    .map(Some)
}

fn query_value(
    service: &Service,
    of: &Shape,
    member: &Member,
    query: &[(String, String)],
) -> Result<Option<Document>, Fault> {
    let name = member.wire_name.unwrap_or(member.name);
    let mut values = query
        .iter()
        .filter(|(key, _)| key == name)
        .map(|(_, value)| value.clone());
    if let Kind::List { member: item, .. } = &of.kind {
        let item_shape = shape_of(service, item)?;
        let read = |value| text::read(item_shape, Some(item), TimestampFormat::DateTime, value);
        let items = values.map(read).collect::<Result<Vec<_>, _>>()?;
        return Ok((!items.is_empty()).then_some(Document::List(items)));
    }
    match values.next() {
        Some(value) => text::read(of, Some(member), TimestampFormat::DateTime, value).map(Some),
        None => Ok(None),
    }
}

/// All parameters, those that are bound to members of their own among them.
fn query_map(service: &Service, of: &Shape, query: &[(String, String)]) -> Result<Option<Document>, Fault> {
    let Kind::Map { value, .. } = &of.kind else {
        return Err(malformed("Unexpected value type in payload"));
    };
    let lists = matches!(shape_of(service, value)?.kind, Kind::List { .. });
    let mut index = std::collections::BTreeMap::new();
    let mut entries: Vec<(String, Document)> = Vec::new();
    for (key, value) in query {
        let value = Document::String(value.clone());
        let at = *index.entry(key.as_str()).or_insert(entries.len());
        match entries.get_mut(at) {
            Some((_, Document::List(items))) => items.push(value),
            Some(_) => {}
            None => entries.push((
                key.clone(),
                if lists { Document::List(vec![value]) } else { value },
            )),
        }
    }
    Ok((!entries.is_empty()).then_some(Document::Map(entries)))
}

/// The header's lines, joined as RFC 9110, section 5.3 has it.
fn header_text(headers: &HeaderMap, name: &str) -> Result<Option<String>, Fault> {
    let mut whole: Option<String> = None;
    for value in headers.get_all(name) {
        let value = std::str::from_utf8(value.as_bytes())
            .map_err(|_| malformed(format!("The header {name} is not UTF-8")))?;
        match &mut whole {
            Some(text) => {
                text.push_str(", ");
                text.push_str(value);
            }
            None => whole = Some(value.to_owned()),
        }
    }
    Ok(whole)
}

fn header(
    service: &Service,
    of: &Shape,
    member: &Member,
    headers: &HeaderMap,
) -> Result<Option<Document>, Fault> {
    let Some(value) = header_text(headers, member.wire_name.unwrap_or(member.name))? else {
        return Ok(None);
    };
    if member.json_value {
        let bytes = text::BASE64
            .decode(value.trim())
            .map_err(|_| malformed("Invalid Base64"))?;
        let json = String::from_utf8(bytes).map_err(|_| malformed("Invalid JSON document"))?;
        return Ok(Some(Document::String(json)));
    }
    if let Kind::List { member: item, .. } = &of.kind {
        let item_shape = shape_of(service, item)?;
        let dates = matches!(item_shape.kind, Kind::Timestamp(_))
            && text::timestamp_format(item_shape, Some(item), TimestampFormat::HttpDate)
                == TimestampFormat::HttpDate;
        let read = |value: String| text::read(item_shape, Some(item), TimestampFormat::HttpDate, value);
        let items = split(&value, dates)?
            .into_iter()
            .map(read)
            .collect::<Result<Vec<_>, _>>()?;
        return Ok(Some(Document::List(items)));
    }
    text::read(
        of,
        Some(member),
        TimestampFormat::HttpDate,
        value.trim().to_owned(),
    )
    .map(Some)
}

/// The elements of a header's list: RFC 9110, section 5.6.1; an element in quotes may hold commas. A date has one comma
/// of its own.
fn split(value: &str, dates: bool) -> Result<Vec<String>, Fault> {
    let mut items = Vec::new();
    let (mut item, mut quoted, mut was_quoted, mut commas) = (String::new(), false, false, 0_u32);
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted => quoted = false,
            '"' if item.trim().is_empty() => {
                item.clear();
                (quoted, was_quoted) = (true, true);
            }
            '\\' if quoted => item.extend(characters.next()),
            ',' if !quoted => {
                commas = commas.saturating_add(1);
                if dates && commas % 2 == 1 {
                    item.push(',');
                } else {
                    end(&mut items, &mut item, &mut was_quoted);
                }
            }
            // What stands between a quotation and the next comma is no part of it.
            other if was_quoted && !quoted && other.is_whitespace() => {}
            other => item.push(other),
        }
    }
    if quoted {
        return Err(malformed("A header's list has an unfinished quotation"));
    }
    end(&mut items, &mut item, &mut was_quoted);
    Ok(items)
}

/// Ends an element: empty ones count only in quotes.
fn end(items: &mut Vec<String>, item: &mut String, was_quoted: &mut bool) {
    let item = std::mem::take(item);
    if std::mem::take(was_quoted) {
        items.push(item);
    } else if !item.trim().is_empty() {
        items.push(item.trim().to_owned());
    }
}

fn prefixed(member: &Member, headers: &HeaderMap) -> Result<Option<Document>, Fault> {
    let prefix = member.wire_name.unwrap_or_default().to_ascii_lowercase();
    let mut entries = Vec::new();
    for name in headers.keys() {
        if let Some(rest) = name.as_str().strip_prefix(prefix.as_str())
            && let Some(value) = header_text(headers, name.as_str())?
        {
            entries.push((rest.to_owned(), Document::String(value)));
        }
    }
    Ok((!entries.is_empty()).then_some(Document::Map(entries)))
}

fn shape_of<'m>(service: &'m Service, member: &Member) -> Result<&'m Shape, Fault> {
    service
        .shape(member.shape)
        .ok_or_else(|| malformed("the member has no shape"))
}
