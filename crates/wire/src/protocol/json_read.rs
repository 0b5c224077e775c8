//! JSON bodies to documents, in one pass guided by the shape.
//!
//! Invariant: no tree of untyped values is built on the way, members that the shape does not have are skipped, and
//! nesting is bounded by the parser's own limit.

use std::cell::RefCell;
use std::fmt;

use base64::Engine;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::model::{Kind, Member, Service, Shape, Structure, TimestampFormat};
use crate::{Document, Fault};

use super::{last_of_each, malformed, moment, put, text};

const NO_STRUCTURE: &str = "Start of structure or map found where not expected.";
const NO_LIST: &str = "Start of list found where not expected";
const UNEXPECTED: &str = "Unexpected value type in payload";

/// Reads a body that is the whole shape; an empty body is an empty structure, as clients without input send none.
pub(super) fn body(service: &Service, shape: &Shape, body: &[u8]) -> Result<Document, Fault> {
    if body.trim_ascii().is_empty() {
        return Ok(Document::empty());
    }
    match value(service, shape, None, body)? {
        Document::Null => Ok(Document::empty()),
        document => Ok(document),
    }
}

/// Reads one value, such as a payload member's. Members that travel outside the body are skipped.
pub(super) fn value(
    service: &Service,
    shape: &Shape,
    member: Option<&Member>,
    body: &[u8],
) -> Result<Document, Fault> {
    // Seen at once of all of it sooner than of each string.
    let body = std::str::from_utf8(body)
        .map_err(|error| malformed(format!("The request body is not valid JSON: {error}")))?;
    let complaint = RefCell::new(None);
    let mut deserializer = serde_json::Deserializer::from_str(body);
    let seed = Seed {
        service,
        shape,
        member,
        complaint: &complaint,
    };
    let read = seed
        .deserialize(&mut deserializer)
        .and_then(|document| deserializer.end().map(|()| document));
    read.map_err(|error| {
        // Our own complaints are AWS's words; the parser's name a place in the body.
        malformed(
            complaint
                .take()
                .unwrap_or_else(|| format!("The request body is not valid JSON: {error}")),
        )
    })
}

/// One value to come, with what is known of it.
#[derive(Clone, Copy)]
struct Seed<'m> {
    service: &'m Service,
    shape: &'m Shape,
    member: Option<&'m Member>,
    complaint: &'m RefCell<Option<String>>,
}

impl<'m> Seed<'m> {
    fn refuse<T, E: Error>(self, complaint: impl Into<String>) -> Result<T, E> {
        self.complaint.borrow_mut().get_or_insert(complaint.into());
        Err(E::custom("wrong type"))
    }

    /// Refuses a scalar token where the shape has another type.
    fn mismatch<T, E: Error>(self, token: &str) -> Result<T, E> {
        let wanted = match &self.shape.kind {
            Kind::String { .. } => "a String",
            Kind::Boolean => "a Boolean",
            Kind::Integer(width) => return self.refuse(text::not_integer(token, *width)),
            Kind::Float(32) => "a Float",
            Kind::Float(_) => "a Double",
            Kind::Blob => "a Blob",
            Kind::Timestamp(_) => "milliseconds since epoch",
            _ => return self.refuse(UNEXPECTED),
        };
        self.refuse(format!("{token} can not be converted to {wanted}"))
    }

    fn element<E: Error>(self, member: &'m Member) -> Result<Self, E> {
        match self.service.shape(member.shape) {
            Some(shape) => Ok(Self {
                shape,
                member: Some(member),
                ..self
            }),
            None => self.refuse("the member has no shape"),
        }
    }

    fn format(self) -> TimestampFormat {
        text::timestamp_format(self.shape, self.member, TimestampFormat::EpochSeconds)
    }

    fn text<E: Error>(self, text: String) -> Result<Document, E> {
        match &self.shape.kind {
            Kind::String { .. } | Kind::Untyped => Ok(Document::String(text)),
            Kind::Blob => match text::BASE64.decode(text) {
                Ok(bytes) => Ok(Document::Blob(bytes)),
                Err(_) => self.refuse("Invalid Base64"),
            },
            Kind::Float(_) => match text::special(&text) {
                Some(value) => Ok(Document::Float(value)),
                None => self.mismatch("STRING_VALUE"),
            },
            Kind::Timestamp(_) if self.format() != TimestampFormat::EpochSeconds => {
                match moment::parse(&text, self.format()) {
                    Some(at) => Ok(Document::Timestamp(at)),
                    None => self.mismatch("STRING_VALUE"),
                }
            }
            _ => self.mismatch("STRING_VALUE"),
        }
    }

    fn structure<'de, A: MapAccess<'de>>(
        self,
        shape: &'m Structure,
        mut map: A,
    ) -> Result<Document, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_key_seed(Name(shape))? {
            let Some(member) = member else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            match map.next_value_seed(self.element(member)?)? {
                // Null is how some clients say that a member is absent.
                Document::Null => {}
                value => put(&mut members, member.name, value),
            }
        }
        match super::structure(shape, self.shape.name, members) {
            Ok(document) => Ok(document),
            Err(fault) => self.refuse(fault.message),
        }
    }

    fn map<'de, A: MapAccess<'de>>(
        self,
        value: &'m Member,
        sparse: bool,
        mut map: A,
    ) -> Result<Document, A::Error> {
        let seed = self.element(value)?;
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value_seed(seed)?;
            if !sparse && matches!(value, Document::Null) && !matches!(seed.shape.kind, Kind::Untyped) {
                return self.refuse(UNEXPECTED);
            }
            entries.push((key, value));
        }
        Ok(Document::Map(last_of_each(entries)))
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Document;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Document, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Document;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of the shape")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Document, E> {
        match self.shape.kind {
            Kind::Boolean | Kind::Untyped => Ok(Document::Boolean(value)),
            _ => self.mismatch(if value { "TRUE_VALUE" } else { "FALSE_VALUE" }),
        }
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Document, E> {
        match self.shape.kind {
            Kind::Integer(width) if text::fits(value, width) => Ok(Document::Integer(value)),
            Kind::Untyped => Ok(Document::Integer(value)),
            #[expect(clippy::cast_precision_loss, reason = "a float shape holds what a float can")]
            Kind::Float(_) => Ok(Document::Float(value as f64)),
            Kind::Timestamp(_) => match value.checked_mul(1000).and_then(moment::bounded) {
                Some(at) => Ok(Document::Timestamp(at)),
                None => self.mismatch("NUMBER_VALUE"),
            },
            _ => self.mismatch("NUMBER_VALUE"),
        }
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Document, E> {
        match i64::try_from(value) {
            Ok(value) => self.visit_i64(value),
            #[expect(clippy::cast_precision_loss, reason = "a float shape holds what a float can")]
            Err(_) => self.visit_f64(value as f64),
        }
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Document, E> {
        match self.shape.kind {
            Kind::Float(_) | Kind::Untyped => Ok(Document::Float(value)),
            Kind::Timestamp(_) => match moment::from_float(value) {
                Some(at) => Ok(Document::Timestamp(at)),
                None => self.mismatch("NUMBER_VALUE"),
            },
            // 1.0 and 1e3 are whole numbers too, and some clients write them so.
            #[expect(
                clippy::cast_possible_truncation,
                reason = "whole and below 2^53, by the guard"
            )]
            Kind::Integer(width)
                if value.trunc() == value && value.abs() < 9e15 && text::fits(value as i64, width) =>
            {
                Ok(Document::Integer(value as i64))
            }
            _ => self.mismatch("NUMBER_VALUE"),
        }
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Document, E> {
        self.text(value.to_owned())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Document, E> {
        self.text(value)
    }

    fn visit_unit<E: Error>(self) -> Result<Document, E> {
        Ok(Document::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Document, A::Error> {
        let (seed, sparse) = match &self.shape.kind {
            Kind::List { member, sparse, .. } => (self.element(member)?, *sparse),
            Kind::Untyped => (self, true),
            Kind::Structure(_) | Kind::Map { .. } => return self.refuse(UNEXPECTED),
            _ => return self.refuse(NO_LIST),
        };
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(seed)? {
            if !sparse && matches!(item, Document::Null) && !matches!(seed.shape.kind, Kind::Untyped) {
                return self.refuse(UNEXPECTED);
            }
            items.push(item);
        }
        Ok(Document::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document, A::Error> {
        match &self.shape.kind {
            Kind::Structure(shape) => self.structure(shape, map),
            Kind::Map { value, sparse, .. } => self.map(value, *sparse, map),
            Kind::Untyped => {
                let mut entries = Vec::new();
                while let Some(key) = map.next_key::<String>()? {
                    entries.push((key, map.next_value_seed(self)?));
                }
                Ok(Document::Map(last_of_each(entries)))
            }
            _ => self.refuse(NO_STRUCTURE),
        }
    }
}

/// A member's name, looked up without copying it.
struct Name<'m>(&'m Structure);

impl<'de, 'm> DeserializeSeed<'de> for Name<'m> {
    type Value = Option<&'m Member>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'m> Visitor<'_> for Name<'m> {
    type Value = Option<&'m Member>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        let in_body =
            |index: usize, member: &&Member| member.location.is_none() && self.0.payload != Some(index);
        let mut members = self.0.members.iter().enumerate();
        Ok(members
            .find(|(index, member)| {
                member.wire_name.unwrap_or(member.name) == name && in_body(*index, member)
            })
            .map(|(_, member)| member))
    }
}

/// A value without a shape (the `document` trait).
pub(super) struct Free(pub(super) Document);

impl<'de> Deserialize<'de> for Free {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Document;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }
            fn visit_bool<E: Error>(self, value: bool) -> Result<Document, E> {
                Ok(Document::Boolean(value))
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<Document, E> {
                Ok(Document::Integer(value))
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<Document, E> {
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "beyond 64 bits signed only a float is left"
                )]
                Ok(i64::try_from(value).map_or(Document::Float(value as f64), Document::Integer))
            }
            fn visit_f64<E: Error>(self, value: f64) -> Result<Document, E> {
                Ok(Document::Float(value))
            }
            fn visit_str<E: Error>(self, value: &str) -> Result<Document, E> {
                Ok(Document::String(value.to_owned()))
            }
            fn visit_unit<E: Error>(self) -> Result<Document, E> {
                Ok(Document::Null)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Document, A::Error> {
                let mut items = Vec::new();
                while let Some(Free(item)) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Document::List(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document, A::Error> {
                let mut entries = Vec::new();
                while let Some((key, Free(value))) = map.next_entry()? {
                    entries.push((key, value));
                }
                Ok(Document::Map(last_of_each(entries)))
            }
        }
        deserializer.deserialize_any(Any).map(Free)
    }
}
