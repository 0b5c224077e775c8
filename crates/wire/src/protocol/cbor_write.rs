//! Documents to CBOR, straight into the body.
//!
//! Source: Smithy, "Smithy RPC v2 CBOR protocol". Invariant: lengths are definite and timestamps carry tag 1.

use minicbor::Encoder;
use minicbor::data::Tag;

use crate::Document;
use crate::model::{Kind, Service, Shape};

use super::json_write::{find, shape_of};
use super::{Unwritable, text};

type Writer<'o> = Encoder<&'o mut Vec<u8>>;

/// Writing into memory cannot fail, so an error can only come of a length that the encoding does not know.
impl<E> From<minicbor::encode::Error<E>> for Unwritable {
    fn from(_: minicbor::encode::Error<E>) -> Self {
        Self {
            shape: "body",
            reason: "no CBOR for it",
        }
    }
}

/// Writes a value by its shape.
pub(super) fn value(
    out: &mut Vec<u8>,
    service: &Service,
    shape: &Shape,
    value: &Document,
) -> Result<(), Unwritable> {
    item(&mut Encoder::new(out), service, shape, value)
}

/// Writes a structure's members after one that is not the model's: the error's name.
pub(super) fn error(
    out: &mut Vec<u8>,
    service: Option<(&Service, &Shape)>,
    kind: &str,
    message: &str,
    members: &[(&'static str, Document)],
) -> Result<(), Unwritable> {
    let mut writer = Encoder::new(out);
    let known = if service.is_some() { members } else { &[] };
    writer
        .map(length(known.len())?.saturating_add(2))?
        .str("__type")?
        .str(kind)?;
    let name = service
        .and_then(|(_, shape)| super::fault_answer::message_member(shape))
        .unwrap_or("message");
    writer.str(name)?.str(message)?;
    if let Some((service, shape)) = service {
        pairs(&mut writer, service, shape, known)?;
    }
    Ok(())
}

fn length(count: usize) -> Result<u64, Unwritable> {
    u64::try_from(count).map_err(|_| Unwritable {
        shape: "body",
        reason: "too long",
    })
}

fn pairs(
    writer: &mut Writer<'_>,
    service: &Service,
    shape: &Shape,
    members: &[(&'static str, Document)],
) -> Result<(), Unwritable> {
    let Kind::Structure(structure) = &shape.kind else {
        return Err(Unwritable {
            shape: shape.name,
            reason: "not a structure",
        });
    };
    for (name, value) in members {
        let (_, member) = find(structure, shape, name)?;
        writer.str(member.wire_name.unwrap_or(member.name))?;
        item(writer, service, shape_of(service, member)?, value)?;
    }
    Ok(())
}

fn item(
    writer: &mut Writer<'_>,
    service: &Service,
    shape: &Shape,
    value: &Document,
) -> Result<(), Unwritable> {
    match (&shape.kind, value) {
        (Kind::Structure(_), Document::Structure(members)) => {
            writer.map(length(members.len())?)?;
            pairs(writer, service, shape, members)?;
        }
        (Kind::List { member, .. }, Document::List(items)) => {
            let element = shape_of(service, member)?;
            writer.array(length(items.len())?)?;
            for entry in items {
                item(writer, service, element, entry)?;
            }
        }
        (Kind::Map { value: member, .. }, Document::Map(entries)) => {
            let element = shape_of(service, member)?;
            writer.map(length(entries.len())?)?;
            for (key, entry) in entries {
                writer.str(key)?;
                item(writer, service, element, entry)?;
            }
        }
        (Kind::Timestamp(_), Document::Timestamp(at)) => {
            writer.tag(Tag::new(1))?;
            if at.0.rem_euclid(1000) == 0 {
                writer.i64(at.seconds())?;
            } else {
                #[expect(clippy::cast_precision_loss, reason = "the wire carries a double")]
                writer.f64(at.0 as f64 / 1000.0)?;
            }
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a 32-bit shape holds what a 32-bit float can"
        )]
        (Kind::Float(32), Document::Float(value)) => {
            writer.f32(*value as f32)?;
        }
        (Kind::Float(_), Document::Float(_))
        | (Kind::String { .. }, Document::String(_))
        | (Kind::Blob, Document::Blob(_))
        | (Kind::Boolean, Document::Boolean(_))
        | (Kind::Integer(_), Document::Integer(_))
        | (Kind::Untyped, _)
        | (_, Document::Null) => free(writer, shape, value)?,
        _ => {
            return Err(Unwritable {
                shape: shape.name,
                reason: "not a value of its type",
            });
        }
    }
    Ok(())
}

/// Writes a value by its own type.
fn free(writer: &mut Writer<'_>, shape: &Shape, value: &Document) -> Result<(), Unwritable> {
    match value {
        Document::Null => writer.null()?,
        Document::Boolean(value) => writer.bool(*value)?,
        Document::Integer(value) => writer.i64(*value)?,
        Document::Float(value) if text::special_word(*value).is_none() => writer.f64(*value)?,
        // The infinities and the quiet NaN have exact single forms, which every reader knows.
        #[expect(
            clippy::cast_possible_truncation,
            reason = "not finite, so nothing is cut off"
        )]
        Document::Float(value) => writer.f32(*value as f32)?,
        Document::String(text) => writer.str(text)?,
        Document::Blob(bytes) => writer.bytes(bytes)?,
        Document::List(items) => {
            writer.array(length(items.len())?)?;
            for item in items {
                free(writer, shape, item)?;
            }
            return Ok(());
        }
        Document::Map(entries) => {
            writer.map(length(entries.len())?)?;
            for (key, item) in entries {
                writer.str(key)?;
                free(writer, shape, item)?;
            }
            return Ok(());
        }
        Document::Structure(_) | Document::Timestamp(_) | Document::Stream => {
            return Err(Unwritable {
                shape: shape.name,
                reason: "not a value without a shape",
            });
        }
    };
    Ok(())
}
