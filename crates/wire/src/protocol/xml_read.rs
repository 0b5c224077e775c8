//! XML elements to documents, guided by the shape.
//!
//! Source: the Smithy specification, "XML bindings". Invariant: each element is visited once.

use crate::model::{Kind, Member, Service, Shape, Structure, TimestampFormat};
use crate::{Document, Fault};

use super::xml_tree::{Element, parse};
use super::{last_of_each, malformed, put, structure, text};

/// Reads a body whose root element is the shape. `None` for a body without an element.
pub(super) fn body(
    service: &Service,
    shape: &Shape,
    member: Option<&Member>,
    bytes: &[u8],
) -> Result<Option<Document>, Fault> {
    match parse(bytes)? {
        Some(root) => value(service, shape, member, root).map(Some),
        None => Ok(None),
    }
}

fn value(
    service: &Service,
    shape: &Shape,
    member: Option<&Member>,
    element: Element,
) -> Result<Document, Fault> {
    match &shape.kind {
        Kind::Structure(members) => members_of(service, shape, members, element),
        Kind::List { member: item, .. } => {
            let wanted = item.wire_name.unwrap_or("member");
            let item_shape = shape_of(service, item)?;
            let mut items = Vec::with_capacity(element.children.len());
            for child in element.children {
                if !child.is(wanted) {
                    return Err(malformed("Unexpected list element termination"));
                }
                items.push(value(service, item_shape, Some(item), child)?);
            }
            Ok(Document::List(items))
        }
        Kind::Map {
            key, value: content, ..
        } => {
            let mut entries = Vec::with_capacity(element.children.len());
            for child in element.children {
                if !child.is("entry") {
                    return Err(malformed("Unexpected complex element termination"));
                }
                entries.push(entry(service, key, content, child)?);
            }
            Ok(Document::Map(last_of_each(entries)))
        }
        _ if !element.children.is_empty() => {
            Err(malformed("Start of structure or map found where not expected."))
        }
        Kind::String { .. } => Ok(Document::String(element.text)),
        _ => text::read(
            shape,
            member,
            TimestampFormat::DateTime,
            element.text.trim().to_owned(),
        ),
    }
}

fn members_of(
    service: &Service,
    shape: &Shape,
    members: &Structure,
    element: Element,
) -> Result<Document, Fault> {
    let mut found: Vec<(&'static str, Document)> = Vec::new();
    for (name, content) in element.attributes {
        let member = members
            .members
            .iter()
            .find(|m| m.xml_attribute && m.wire_name.unwrap_or(m.name) == name);
        if let Some(member) = member {
            let of = shape_of(service, member)?;
            put(
                &mut found,
                member.name,
                text::read(of, Some(member), TimestampFormat::DateTime, content)?,
            );
        }
    }
    for child in element.children {
        let Some(member) = member_of(service, members, &child) else {
            continue;
        };
        let of = shape_of(service, member)?;
        match &of.kind {
            Kind::List {
                member: item,
                flattened,
                ..
            } if *flattened || member.flattened => {
                let item = value(service, shape_of(service, item)?, Some(item), child)?;
                match found.iter_mut().find(|(name, _)| *name == member.name) {
                    Some((_, Document::List(items))) => items.push(item),
                    _ => found.push((member.name, Document::List(vec![item]))),
                }
            }
            Kind::Map {
                key,
                value: content,
                flattened,
                ..
            } if *flattened || member.flattened => {
                let entry = entry(service, key, content, child)?;
                match found.iter_mut().find(|(name, _)| *name == member.name) {
                    Some((_, Document::Map(entries))) => entries.push(entry),
                    _ => found.push((member.name, Document::Map(vec![entry]))),
                }
            }
            _ => put(&mut found, member.name, value(service, of, Some(member), child)?),
        }
    }
    for (_, document) in &mut found {
        if let Document::Map(entries) = document {
            *entries = last_of_each(std::mem::take(entries));
        }
    }
    structure(members, shape.name, found)
}

/// The member that an element is: by its wire name, or by its element's where a flattened list has only that.
fn member_of<'s>(service: &Service, members: &'s Structure, child: &Element) -> Option<&'s Member> {
    let in_body = |index: usize, member: &Member| {
        !member.xml_attribute && member.location.is_none() && members.payload != Some(index)
    };
    let candidates = || {
        let all = members.members.iter().enumerate();
        all.filter(move |(index, member)| in_body(*index, member))
            .map(|(_, member)| member)
    };
    candidates()
        .find(|member| child.is(member.wire_name.unwrap_or(member.name)))
        .or_else(|| {
            candidates().find(|member| element_name(service, member).is_some_and(|name| child.is(name)))
        })
}

/// The name of a flattened list's elements, where the list gives one and the member does not.
pub(super) fn element_name(service: &Service, member: &Member) -> Option<&'static str> {
    match &service.shape(member.shape)?.kind {
        Kind::List {
            member: item,
            flattened,
            ..
        } if (*flattened || member.flattened) && member.wire_name.is_none() => item.wire_name,
        _ => None,
    }
}

fn entry(
    service: &Service,
    key: &Member,
    content: &Member,
    element: Element,
) -> Result<(String, Document), Fault> {
    let (mut name, mut document) = (None, None);
    for child in element.children {
        if child.is(key.wire_name.unwrap_or("key")) {
            name = Some(child.text);
        } else if child.is(content.wire_name.unwrap_or("value")) {
            document = Some(value(service, shape_of(service, content)?, Some(content), child)?);
        }
    }
    name.zip(document)
        .ok_or_else(|| malformed("Unexpected complex element termination"))
}

fn shape_of<'m>(service: &'m Service, member: &Member) -> Result<&'m Shape, Fault> {
    service
        .shape(member.shape)
        .ok_or_else(|| malformed("the member has no shape"))
}
