//! A plain client of the query protocols and of REST's texts.

use wire::Document;
use wire::model::{Kind, Member, Protocol, Service, Structure};
use wire::protocol::encode;

use crate::model::{bare_operation, plain_member};
use crate::random::Gen;
use crate::vectors::percent;

/// A plain client of the query protocols.
pub(crate) fn form(
    service: &Service,
    ec2: bool,
    member: &Member,
    prefix: &str,
    value: &Document,
    out: &mut Vec<String>,
) {
    let shape = service.shape(member.shape).unwrap();
    let empty = |out: &mut Vec<String>| out.push(format!("{}=", percent_name(prefix)));
    match (&shape.kind, value) {
        (Kind::Structure(structure), Document::Structure(values)) => {
            if values.is_empty() {
                empty(out);
            }
            for (name, value) in values {
                let member = structure
                    .members
                    .iter()
                    .find(|member| member.name == *name)
                    .unwrap();
                let mut wire = member.wire_name.unwrap_or(name).to_owned();
                if ec2 {
                    wire[..1].make_ascii_uppercase();
                }
                let dot = if prefix.is_empty() { "" } else { "." };
                form(service, ec2, member, &format!("{prefix}{dot}{wire}"), value, out);
            }
        }
        (
            Kind::List {
                member: item,
                flattened,
                ..
            },
            Document::List(items),
        ) => {
            let flat = ec2 || *flattened || member.flattened;
            let base = if flat {
                prefix.to_owned()
            } else {
                format!("{prefix}.{}", item.wire_name.unwrap_or("member"))
            };
            if items.is_empty() {
                empty(out);
            }
            for (index, value) in items.iter().enumerate() {
                form(service, ec2, item, &format!("{base}.{}", index + 1), value, out);
            }
        }
        (
            Kind::Map {
                value: content,
                flattened,
                ..
            },
            Document::Map(entries),
        ) => {
            let flat = ec2 || *flattened || member.flattened;
            let base = format!("{prefix}{}", if flat { "" } else { ".entry" });
            if entries.is_empty() {
                empty(out);
            }
            for (index, (key, value)) in entries.iter().enumerate() {
                let base = format!("{base}.{}", index + 1);
                out.push(format!("{}.key={}", percent_name(&base), percent(key)));
                let below = format!("{base}.{}", content.wire_name.unwrap_or("value"));
                form(service, ec2, content, &below, value, out);
            }
        }
        _ => out.push(format!(
            "{}={}",
            percent_name(prefix),
            percent(&scalar(service, member, value))
        )),
    }
}

fn percent_name(name: &str) -> String {
    name.split('.').map(percent).collect::<Vec<_>>().join(".")
}

/// A scalar's text, by way of the XML of an answer that holds it alone.
pub(crate) fn scalar(service: &Service, member: &Member, value: &Document) -> String {
    let shape = service.shape(member.shape).unwrap();
    let kind = match &shape.kind {
        Kind::String { .. } => return value.as_str().unwrap().to_owned(),
        Kind::Boolean => Kind::Boolean,
        Kind::Integer(width) => Kind::Integer(*width),
        Kind::Float(width) => Kind::Float(*width),
        Kind::Blob => Kind::Blob,
        Kind::Timestamp(format) => Kind::Timestamp(*format),
        _ => panic!("{}", shape.name),
    };
    let mut random = Gen::new(&[], false);
    let leaf = random.add(kind);
    let members = vec![Member {
        name: "v",
        shape: leaf,
        ..plain_member()
    }];
    let root = random.add(Kind::Structure(Structure {
        members,
        ..Structure::default()
    }));
    let service = random.service(root, bare_operation());
    let document = Document::Structure(vec![("v", value.clone())]);
    let answer = encode(
        &service,
        &service.operations[0],
        Protocol::RestXml,
        &document,
        "id",
    )
    .ok()
    .unwrap();
    crate::xml::parse(std::str::from_utf8(&answer.body).unwrap())
        .child("v")
        .unwrap()
        .text
        .clone()
}
