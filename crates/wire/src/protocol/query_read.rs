//! Requests of awsQuery and ec2Query.
//!
//! Source: the Smithy specification, "AWS query protocol" and "AWS EC2 query protocol", query key resolution.

use crate::model::{Kind, Member, Service, Shape, Structure, TimestampFormat};
use crate::{Document, Fault};

use super::form::{Form, Group, Run};
use super::{DEPTH_MAX, Parts, last_of_each, malformed, put, structure, text};

/// Which of the two query protocols.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Aws,
    Ec2,
}

struct Reader<'m> {
    service: &'m Service,
    dialect: Dialect,
}

/// Reads the operation's input out of the form (and the URL's query string).
pub(super) fn parameters(
    service: &Service,
    shape: &Shape,
    parts: &Parts<'_>,
    dialect: Dialect,
) -> Result<Document, Fault> {
    let form = Form::read(parts)?;
    let Kind::Structure(members) = &shape.kind else {
        return Err(malformed("Unexpected value type in payload"));
    };
    Reader { service, dialect }.structure(members, shape.name, form.run(), 0)
}

impl Reader<'_> {
    fn value(
        &self,
        member: &Member,
        group: Group<'_>,
        flattened: bool,
        depth: u32,
    ) -> Result<Document, Fault> {
        let shape = self
            .service
            .shape(member.shape)
            .ok_or_else(|| malformed("the member has no shape"))?;
        if depth > DEPTH_MAX {
            return Err(malformed("The request nests too deeply"));
        }
        match &shape.kind {
            Kind::Structure(members) => {
                empty_marker(&group)?;
                self.structure(members, shape.name, group.below, depth)
            }
            Kind::List {
                member: element,
                flattened: always,
                ..
            } => {
                empty_marker(&group)?;
                let flat = flattened || *always || self.dialect == Dialect::Ec2;
                self.list(element, group.below, flat, depth)
            }
            Kind::Map {
                key,
                value,
                flattened: always,
                ..
            } => {
                empty_marker(&group)?;
                let flat = flattened || *always || self.dialect == Dialect::Ec2;
                self.map(key, value, group.below, flat, depth)
            }
            _ if !group.below.is_empty() => Err(malformed("Start of list found where not expected")),
            _ => {
                let value = group.value.unwrap_or_default().to_owned();
                text::read(shape, Some(member), TimestampFormat::DateTime, value)
            }
        }
    }

    /// Names that the structure does not have are passed over: at the top, `Action`, `Version` and the signature's.
    fn structure(
        &self,
        shape: &Structure,
        name: &'static str,
        run: Run<'_>,
        depth: u32,
    ) -> Result<Document, Fault> {
        let mut members = Vec::new();
        for group in run {
            if let Some(member) = self.member(shape, group.name) {
                let value = self.value(member, group, member.flattened, depth.saturating_add(1))?;
                put(&mut members, member.name, value);
            }
        }
        structure(shape, name, members)
    }

    fn member<'s>(&self, shape: &'s Structure, name: &str) -> Option<&'s Member> {
        let named = match self.dialect {
            Dialect::Aws => shape
                .members
                .iter()
                .find(|member| member.wire_name.unwrap_or(member.name) == name),
            Dialect::Ec2 => shape.members.iter().find(|member| is_ec2_name(member, name)),
        };
        named.or_else(|| {
            shape
                .members
                .iter()
                .find(|member| self.element_name(member) == Some(name))
        })
    }

    /// Clients name a flattened list by its element where the element has a name of its own.
    fn element_name(&self, member: &Member) -> Option<&'static str> {
        match &self.service.shape(member.shape)?.kind {
            Kind::List {
                member: element,
                flattened,
                ..
            } if *flattened || member.flattened => element.wire_name,
            _ => None,
        }
    }

    fn list(&self, element: &Member, run: Run<'_>, flattened: bool, depth: u32) -> Result<Document, Fault> {
        let items = if flattened {
            run
        } else {
            unwrap(run, element.wire_name.unwrap_or("member"), "member")?
        };
        let mut values = Vec::new();
        for group in items {
            let index = index(group.name)?;
            values.push((index, self.value(element, group, false, depth.saturating_add(1))?));
        }
        values.sort_by_key(|(index, _)| *index);
        Ok(Document::List(
            values.into_iter().map(|(_, value)| value).collect(),
        ))
    }

    fn map(
        &self,
        key: &Member,
        value: &Member,
        run: Run<'_>,
        flattened: bool,
        depth: u32,
    ) -> Result<Document, Fault> {
        let items = if flattened {
            run
        } else {
            unwrap(run, "entry", "entry")?
        };
        let mut entries = Vec::new();
        for group in items {
            let index = index(group.name)?;
            let (mut name, mut content) = (None, None);
            for part in group.below {
                if part.name == key.wire_name.unwrap_or("key") {
                    name = part.value.map(str::to_owned);
                } else if part.name == value.wire_name.unwrap_or("value") {
                    content = Some(self.value(value, part, false, depth.saturating_add(1))?);
                }
            }
            match (name, content) {
                (Some(name), Some(content)) => entries.push((index, name, content)),
                _ => return Err(malformed("Unexpected complex element termination")),
            }
        }
        entries.sort_by_key(|(index, ..)| *index);
        Ok(Document::Map(last_of_each(
            entries
                .into_iter()
                .map(|(_, name, value)| (name, value))
                .collect(),
        )))
    }
}

/// `Name=` with nothing below is how a client says that a list, map or structure is there and empty.
fn empty_marker(group: &Group<'_>) -> Result<(), Fault> {
    match group.value {
        None | Some("") => Ok(()),
        Some(_) => Err(malformed("Unexpected list element termination")),
    }
}

/// Steps over the segment between a list or map and its numbered items.
fn unwrap<'f>(run: Run<'f>, name: &str, also: &str) -> Result<Run<'f>, Fault> {
    let mut items = None;
    for group in run {
        if (group.name != name && group.name != also) || group.value.is_some_and(|value| !value.is_empty()) {
            return Err(malformed("Unexpected list element termination"));
        }
        if items.replace(group.below).is_some() {
            return Err(malformed("Unexpected list element termination"));
        }
    }
    Ok(items.unwrap_or_default())
}

/// An item's number: gaps are allowed and cost nothing, since only the order counts.
fn index(name: &str) -> Result<u32, Fault> {
    let canonical = name.bytes().all(|byte| byte.is_ascii_digit()) && (name == "0" || !name.starts_with('0'));
    name.parse()
        .ok()
        .filter(|_| canonical)
        .ok_or_else(|| malformed("Unexpected list element termination"))
}

/// Source: Smithy, "AWS EC2 query protocol": `queryName`, else the XML name or member name with a capital.
fn is_ec2_name(member: &Member, name: &str) -> bool {
    match member.query_name {
        Some(own) => own == name,
        None => {
            let own = member.wire_name.unwrap_or(member.name);
            let (mut left, mut right) = (own.chars(), name.chars());
            left.next().map(|first| first.to_ascii_uppercase()) == right.next()
                && left.as_str() == right.as_str()
        }
    }
}
